package desired

import (
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// service offers the ports that clients use; the admin port is not one of them.
func service(p *v1alpha1.RateLimitPolicy) *corev1ac.ServiceApplyConfiguration {
	spec := corev1ac.ServiceSpec().WithSelector(EchoSelector(p.Name))
	for _, port := range clientPorts() {
		spec.WithPorts(corev1ac.ServicePort().
			WithName(port.name).
			WithPort(port.number).
			WithTargetPort(intstr.FromString(port.name)).
			WithProtocol("TCP").
			WithAppProtocol(port.appProtocol))
	}
	s := corev1ac.Service(EchoName(p.Name), p.Namespace).
		WithLabels(echoLabels(p.Name)).
		WithOwnerReferences(ControllerOwner(p)).
		WithSpec(spec)
	if settings := p.Spec.Echo.Service; settings != nil && len(settings.Annotations) > 0 {
		s.WithAnnotations(plain(settings.Annotations))
	}
	return s
}
