package desired

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// Settings are the operator's own, the same for every policy.
type Settings struct {
	// EchoImage runs where a policy names no image.
	EchoImage string
	// RedisImage runs the managed Redis. Any image whose entrypoint takes a
	// configuration file as its first argument will do.
	RedisImage string
	// ImagePullPolicy is left to the cluster when empty.
	ImagePullPolicy corev1.PullPolicy
	// NetworkPolicies: whether NetworkPolicies are wanted at all.
	NetworkPolicies bool
	// OperatorNamespace may reach the admin ports and Redis; empty when the
	// operator runs outside the cluster.
	OperatorNamespace string
	// MetricsNamespaces may reach the admin ports as well; nil for none.
	MetricsNamespaces *metav1.LabelSelector
}

// Inputs are what a policy's objects depend on besides its spec.
type Inputs struct {
	Settings

	// FileReplicas is how many pods the limits file tells them to share a limit
	// among in an outage: the larger of what is asked for and what serves. 0 means 1.
	FileReplicas int32
	// DeploymentReplicas is how many pods the Deployment is to have now.
	DeploymentReplicas int32
}

// Children are a policy's objects. Every object carries the policy as its controller.
type Children struct {
	ConfigMap           *corev1ac.ConfigMapApplyConfiguration
	Service             *corev1ac.ServiceApplyConfiguration
	Deployment          *appsv1ac.DeploymentApplyConfiguration
	PodDisruptionBudget *policyv1ac.PodDisruptionBudgetApplyConfiguration
	// NetworkPolicy is nil when NetworkPolicies are not wanted.
	NetworkPolicy *networkingv1ac.NetworkPolicyApplyConfiguration

	// Hash is over the limits file's bytes: what the pods are poked for.
	Hash string
	// LimitsHash is over what the file says about limits: what status speaks of.
	LimitsHash string
}

// For returns the objects of a policy. An error is an [*InvalidError] that only
// another spec mends; then nothing must be applied.
func For(p *v1alpha1.RateLimitPolicy, in Inputs) (Children, error) {
	if err := checkRedis(p); err != nil {
		return Children{}, err
	}
	limits, err := RenderLimits(p, in.FileReplicas)
	if err != nil {
		return Children{}, err
	}
	deployment, err := deployment(p, in)
	if err != nil {
		return Children{}, err
	}
	return Children{
		ConfigMap:           configMap(p, limits),
		Service:             service(p),
		Deployment:          deployment,
		PodDisruptionBudget: podDisruptionBudget(p),
		NetworkPolicy:       echoNetworkPolicy(p, in.Settings),
		Hash:                limits.Hash,
		LimitsHash:          limits.LimitsHash,
	}, nil
}
