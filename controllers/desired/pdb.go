package desired

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// podDisruptionBudget lets nodes be drained one pod at a time, and lets pods
// that are not well go at any time: those must never hold up a drain.
func podDisruptionBudget(p *v1alpha1.RateLimitPolicy) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(EchoName(p.Name), p.Namespace).
		WithLabels(echoLabels(p.Name)).
		WithOwnerReferences(ControllerOwner(p)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(selectorOf(EchoSelector(p.Name))))
}
