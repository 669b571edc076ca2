package desired

import (
	"maps"

	"k8s.io/apimachinery/pkg/labels"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// EchoSelector selects a policy's echo pods. It is a contract: a Deployment's
// selector can never change.
func EchoSelector(policy string) map[string]string {
	return map[string]string{
		v1alpha1.LabelPolicy:    policy,
		v1alpha1.LabelComponent: v1alpha1.ComponentEcho,
	}
}

// EchoSelectorString is EchoSelector as status.selector and /scale have it.
func EchoSelectorString(policy string) string {
	return labels.SelectorFromSet(EchoSelector(policy)).String()
}

// RedisSelector selects the pods of a namespace's managed Redis.
func RedisSelector() map[string]string {
	return map[string]string{v1alpha1.LabelComponent: v1alpha1.ComponentRedis}
}

// childLabels are an object's labels: what selects it and what tells people
// and caches whose it is.
func childLabels(selector map[string]string, instance string) map[string]string {
	all := maps.Clone(selector)
	all[v1alpha1.LabelManagedBy] = v1alpha1.ManagedBy
	all[v1alpha1.LabelName] = selector[v1alpha1.LabelComponent]
	all[v1alpha1.LabelInstance] = instance
	return all
}

func echoLabels(policy string) map[string]string {
	return childLabels(EchoSelector(policy), EchoName(policy))
}

func redisLabels() map[string]string { return childLabels(RedisSelector(), RedisName) }

// selectorOf is the apply configuration of a selector by labels.
func selectorOf(set map[string]string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(set)
}

// ControllerOwner is the owner reference that every child of p carries. It asks
// for no blockOwnerDeletion, which would need rights on finalizers.
func ControllerOwner(p *v1alpha1.RateLimitPolicy) *metav1ac.OwnerReferenceApplyConfiguration {
	return owner(p).WithController(true)
}

func owner(p *v1alpha1.RateLimitPolicy) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind(v1alpha1.Kind).
		WithName(p.Name).
		WithUID(p.UID)
}
