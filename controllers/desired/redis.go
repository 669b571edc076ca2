package desired

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

const (
	// RedisContainer is the container's name; status messages look for it.
	RedisContainer = "redis"

	redisConfigKey = "redis.conf"
	redisConfigDir = "/etc/redis"
	redisUsersDir  = "/etc/redis-users"
	redisDataDir   = "/data"
	// redisMemoryShare is the part of the container's memory that data may take,
	// in percent; the rest is for client buffers and fragmentation.
	redisMemoryShare = 75
)

// RedisInputs are what a namespace's managed Redis depends on.
type RedisInputs struct {
	Settings

	Namespace string
	// Policies are all policies of the namespace that use the instance, in any order.
	Policies []*v1alpha1.RateLimitPolicy
}

// RedisChildren are the objects of a namespace's managed Redis, besides its
// Secret; see [RedisSecret].
type RedisChildren struct {
	ConfigMap   *corev1ac.ConfigMapApplyConfiguration
	Service     *corev1ac.ServiceApplyConfiguration
	StatefulSet *appsv1ac.StatefulSetApplyConfiguration
	// NetworkPolicy is nil when NetworkPolicies are not wanted.
	NetworkPolicy *networkingv1ac.NetworkPolicyApplyConfiguration
}

// Redis returns the objects of a namespace's managed Redis.
func Redis(in RedisInputs) RedisChildren {
	conf := redisConf(maxMemory(in.Policies))
	return RedisChildren{
		ConfigMap: corev1ac.ConfigMap(RedisName, in.Namespace).
			WithLabels(redisLabels()).
			WithOwnerReferences(redisOwners(in.Policies)...).
			WithData(map[string]string{redisConfigKey: conf}),
		Service:       redisService(in),
		StatefulSet:   redisStatefulSet(in, conf),
		NetworkPolicy: redisNetworkPolicy(in),
	}
}

// maxMemory is the largest that a policy asks for.
func maxMemory(policies []*v1alpha1.RateLimitPolicy) resource.Quantity {
	if len(policies) == 0 {
		return defaultMaxMemory()
	}
	most := MaxMemory(policies[0])
	for _, p := range policies[1:] {
		most = larger(most, MaxMemory(p))
	}
	return most
}

// redisOwners are sorted, so that the cache's order of policies changes nothing.
func redisOwners(policies []*v1alpha1.RateLimitPolicy) []*metav1ac.OwnerReferenceApplyConfiguration {
	sorted := slices.SortedFunc(slices.Values(policies), func(a, b *v1alpha1.RateLimitPolicy) int {
		return strings.Compare(a.Name, b.Name)
	})
	owners := make([]*metav1ac.OwnerReferenceApplyConfiguration, 0, len(sorted))
	for _, p := range sorted {
		owners = append(owners, owner(p))
	}
	return owners
}

// redisConf keeps nothing on disk: a lost bucket is a full bucket. Of what it
// keeps, a flood of new clients must evict what ends soonest, not what is
// throttled.
func redisConf(maxMemory resource.Quantity) string {
	return fmt.Sprintf(`bind * -::*
port %d
protected-mode no
aclfile %s/%s
dir %s
databases 1
save ""
appendonly no
maxmemory %d
maxmemory-policy volatile-ttl
tcp-keepalive 60
`, RedisPort, redisUsersDir, usersKey, redisDataDir, maxMemory.Value())
}

// redisService is headless, as there is one pod, and names it before it is
// ready: a refused connection costs less than a name that is not there.
func redisService(in RedisInputs) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(RedisName, in.Namespace).
		WithLabels(redisLabels()).
		WithOwnerReferences(redisOwners(in.Policies)...).
		WithSpec(corev1ac.ServiceSpec().
			WithClusterIP(corev1.ClusterIPNone).
			WithPublishNotReadyAddresses(true).
			WithSelector(RedisSelector()).
			WithPorts(corev1ac.ServicePort().
				WithName(redisPortName).
				WithPort(RedisPort).
				WithTargetPort(intstr.FromString(redisPortName)).
				WithProtocol(corev1.ProtocolTCP)))
}

func redisStatefulSet(in RedisInputs, conf string) *appsv1ac.StatefulSetApplyConfiguration {
	// The server reads its configuration at the start only, so a changed one is a new template.
	template := corev1ac.PodTemplateSpec().
		WithLabels(redisLabels()).
		WithAnnotations(map[string]string{v1alpha1.AnnotationConfigHash: config.Hash([]byte(conf))}).
		WithSpec(redisPod(in))
	return appsv1ac.StatefulSet(RedisName, in.Namespace).
		WithLabels(redisLabels()).
		WithOwnerReferences(redisOwners(in.Policies)...).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(1).
			WithServiceName(RedisName).
			WithSelector(selectorOf(RedisSelector())).
			WithTemplate(template))
}

func redisPod(in RedisInputs) *corev1ac.PodSpecApplyConfiguration {
	users := secretMount{volume: "users", secret: RedisName, dir: redisUsersDir, keys: []string{usersKey}}
	return corev1ac.PodSpec().
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(10).
		WithSecurityContext(podSecurity()).
		WithContainers(redisContainer(in)).
		WithVolumes(
			corev1ac.Volume().WithName("config").
				WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(RedisName)),
			secretVolume(users),
			corev1ac.Volume().WithName("data").WithEmptyDir(corev1ac.EmptyDirVolumeSource().
				WithSizeLimit(resource.MustParse("16Mi"))),
		)
}

// redisContainer gives the configuration file as the only argument: that is what
// the entrypoints of the known images, and the bare server, all take.
func redisContainer(in RedisInputs) *corev1ac.ContainerApplyConfiguration {
	memory := redisMemory(maxMemory(in.Policies))
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: memory}
	c := corev1ac.Container().
		WithName(RedisContainer).
		WithImage(in.RedisImage).
		WithArgs(redisConfigDir+"/"+redisConfigKey).
		WithWorkingDir(redisDataDir).
		WithPorts(containerPort(redisPortName, RedisPort)).
		WithResources(resourceRequirements(requests, corev1.ResourceList{corev1.ResourceMemory: memory})).
		WithSecurityContext(containerSecurity()).
		WithVolumeMounts(
			readOnly("config", redisConfigDir),
			readOnly("users", redisUsersDir),
			corev1ac.VolumeMount().WithName("data").WithMountPath(redisDataDir),
		).
		WithStartupProbe(tcpProbe().WithPeriodSeconds(1).WithFailureThreshold(60)).
		WithReadinessProbe(tcpProbe().WithPeriodSeconds(5).WithFailureThreshold(2)).
		WithLivenessProbe(tcpProbe().WithPeriodSeconds(10).WithFailureThreshold(3))
	if in.ImagePullPolicy != "" {
		c.WithImagePullPolicy(in.ImagePullPolicy)
	}
	return c
}

// redisMemory is the container's limit, in whole mebibytes.
func redisMemory(maxMemory resource.Quantity) resource.Quantity {
	const mebi = 1 << 20
	bytes := maxMemory.Value() * 100 / redisMemoryShare
	return *resource.NewQuantity((bytes+mebi-1)/mebi*mebi, resource.BinarySI)
}

// tcpProbe needs no client in the image and passes while the server loads.
func tcpProbe() *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithTimeoutSeconds(2).
		WithTCPSocket(corev1ac.TCPSocketAction().WithPort(intstr.FromString(redisPortName)))
}
