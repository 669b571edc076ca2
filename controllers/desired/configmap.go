package desired

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// configMap carries the limits file to the pods.
func configMap(p *v1alpha1.RateLimitPolicy, limits Limits) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(LimitsName(p.Name), p.Namespace).
		WithLabels(echoLabels(p.Name)).
		WithOwnerReferences(ControllerOwner(p)).
		WithAnnotations(map[string]string{
			v1alpha1.AnnotationConfigHash: limits.Hash,
			v1alpha1.AnnotationLimitsHash: limits.LimitsHash,
		}).
		WithData(map[string]string{LimitsKey: string(limits.Data)})
}
