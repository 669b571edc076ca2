package desired

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// The keys of the Secrets that pods mount.
const (
	// PasswordKey is the current password of the echo pods' user.
	PasswordKey = "password"
	// usernameKey is the user in an external Redis' credentials.
	usernameKey = "username"
)

// defaultMaxMemory is a managed instance's memory where no policy asks for another.
func defaultMaxMemory() resource.Quantity { return resource.MustParse("64Mi") }

// UsesRedis reports whether the policy's pods share their buckets.
func UsesRedis(p *v1alpha1.RateLimitPolicy) bool {
	return p.Spec.Store.Type != v1alpha1.StoreMemory
}

// UsesManagedRedis reports whether the policy's pods use the namespace's
// managed instance.
func UsesManagedRedis(p *v1alpha1.RateLimitPolicy) bool {
	return UsesRedis(p) && externalRedis(p) == nil
}

// MaxMemory is the memory that a policy asks of the managed instance.
func MaxMemory(p *v1alpha1.RateLimitPolicy) resource.Quantity {
	redis := p.Spec.Redis
	if redis == nil || redis.Managed == nil || redis.Managed.MaxMemory == nil {
		return defaultMaxMemory()
	}
	return *redis.Managed.MaxMemory
}

// externalRedis is nil when the pods use the managed instance, or none.
func externalRedis(p *v1alpha1.RateLimitPolicy) *v1alpha1.ExternalRedis {
	redis := p.Spec.Redis
	if !UsesRedis(p) || redis == nil || redis.Type != v1alpha1.RedisExternal {
		return nil
	}
	if redis.External == nil {
		return &v1alpha1.ExternalRedis{}
	}
	return redis.External
}

// checkRedis refuses what no pod of this release could start with.
func checkRedis(p *v1alpha1.RateLimitPolicy) error {
	external := externalRedis(p)
	switch {
	case external == nil:
		return nil
	case len(external.Addresses) == 0:
		return invalidSpec("spec.redis.external.addresses: is missing, and type External needs it; write e.g. addresses: [redis.example.com:6379]")
	case external.Mode == v1alpha1.RedisCluster:
		return invalidSpec("spec.redis.external.mode: Cluster is not supported by this release; use Standalone or Sentinel")
	default:
		return nil
	}
}

// managedURL is the managed instance's address, without a password.
func managedURL(namespace string) string {
	return fmt.Sprintf("redis://%s.%s.svc:%d", RedisName, namespace, RedisPort)
}

// externalURL carries the first address and whether TLS is spoken. The
// addresses were checked to be there.
func externalURL(external *v1alpha1.ExternalRedis) string {
	scheme := "redis://"
	if external.TLS != nil {
		scheme = "rediss://"
	}
	return scheme + string(external.Addresses[0])
}

func joined(addresses []v1alpha1.RedisAddress) string {
	return strings.Join(texts(addresses), ",")
}
