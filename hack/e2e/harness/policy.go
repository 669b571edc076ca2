package harness

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// RuleName is the only rule of the policies that [NewPolicy] makes.
const RuleName = "per-key"

// RedisName names the Redis that a namespace shares. It is a contract, so it is
// spelled out here.
const RedisName = "ratelimit-redis"

// EchoName names a policy's Deployment, Service, PodDisruptionBudget and NetworkPolicy.
func EchoName(policy string) string { return policy + "-echo" }

// LimitsName names a policy's ConfigMap.
func LimitsName(policy string) string { return policy + "-echo-limits" }

// NewPolicy is a policy of one rule per [KeyHeader].
func NewPolicy(key types.NamespacedName, replicas int32, limit v1alpha1.Limit) *v1alpha1.RateLimitPolicy {
	return &v1alpha1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: v1alpha1.RateLimitPolicySpec{
			Rules: []v1alpha1.Rule{{
				Name:  RuleName,
				Keys:  []v1alpha1.Key{{Source: "Header", Name: KeyHeader}},
				Limit: limit,
			}},
			Echo: v1alpha1.Echo{Replicas: &replicas},
		},
	}
}

// LimitOf is requests in seconds, of which burst may come at once.
func LimitOf(requests int64, seconds int32, burst int64) v1alpha1.Limit {
	return v1alpha1.Limit{Requests: requests, PeriodSeconds: seconds, Burst: &burst}
}

// ShownLimit is what answers say of a limit whose requests and burst are equal:
// the values of X-RateLimit-Limit and RateLimit-Policy.
func ShownLimit(limit v1alpha1.Limit) (xRateLimit, policy string) {
	return strconv.FormatInt(limit.Requests, 10), fmt.Sprintf("%q;q=%d;w=%d", RuleName, limit.Requests, limit.PeriodSeconds)
}

// Shows says whether an answer carries the limit, whose requests and burst must
// be equal; if not, what was expected and what was there.
func (r Reply) Shows(limit v1alpha1.Limit) error {
	wantLimit, wantPolicy := ShownLimit(limit)
	gotLimit, gotPolicy := r.Header.Get("X-RateLimit-Limit"), r.Header.Get("RateLimit-Policy")
	if gotLimit != wantLimit || gotPolicy != wantPolicy {
		return fmt.Errorf("expected X-RateLimit-Limit %s and RateLimit-Policy %s, got %q and %q (status %d)",
			wantLimit, wantPolicy, gotLimit, gotPolicy, r.Status)
	}
	return nil
}
