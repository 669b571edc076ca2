package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// echoNetworkPolicy opens the client ports to everybody and the admin port to
// the operator and whoever scrapes metrics. Egress stays as it was: DNS and
// Redis may be anywhere. It is nil when NetworkPolicies are not wanted.
func echoNetworkPolicy(p *v1alpha1.RateLimitPolicy, s Settings) *networkingv1ac.NetworkPolicyApplyConfiguration {
	if !s.NetworkPolicies {
		return nil
	}
	open := networkingv1ac.NetworkPolicyIngressRule()
	for _, port := range clientPorts() {
		open.WithPorts(networkPort(port.number))
	}
	spec := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(selectorOf(EchoSelector(p.Name))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress).
		WithIngress(open)
	if peers := adminPeers(s); len(peers) > 0 {
		spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().
			WithPorts(networkPort(AdminPort)).
			WithFrom(peers...))
	}
	return networkingv1ac.NetworkPolicy(EchoName(p.Name), p.Namespace).
		WithLabels(echoLabels(p.Name)).
		WithOwnerReferences(ControllerOwner(p)).
		WithSpec(spec)
}

// redisNetworkPolicy lets in the pods of this namespace that use the instance,
// and the operator, which rotates the password.
func redisNetworkPolicy(in RedisInputs) *networkingv1ac.NetworkPolicyApplyConfiguration {
	if !in.NetworkPolicies {
		return nil
	}
	clients := networkingv1ac.NetworkPolicyPeer().WithPodSelector(selectorOf(
		map[string]string{v1alpha1.LabelRedisClient: v1alpha1.RedisClientManaged}))
	rule := networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(networkPort(RedisPort)).
		WithFrom(clients).
		WithFrom(operatorPeers(in.Settings)...)
	return networkingv1ac.NetworkPolicy(RedisName, in.Namespace).
		WithLabels(redisLabels()).
		WithOwnerReferences(redisOwners(in.Policies)...).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(selectorOf(RedisSelector())).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(rule))
}

func networkPort(number int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().
		WithProtocol(corev1.ProtocolTCP).
		WithPort(intstr.FromInt32(number))
}

func adminPeers(s Settings) []*networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	peers := operatorPeers(s)
	if s.MetricsNamespaces == nil {
		return peers
	}
	return append(peers, networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(labelSelector(s.MetricsNamespaces)))
}

// operatorPeers selects the operator's namespace by the label that the API
// server itself puts on every namespace.
func operatorPeers(s Settings) []*networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	if s.OperatorNamespace == "" {
		return nil
	}
	namespace := selectorOf(map[string]string{corev1.LabelMetadataName: s.OperatorNamespace})
	return []*networkingv1ac.NetworkPolicyPeerApplyConfiguration{
		networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(namespace),
	}
}

func labelSelector(s *metav1.LabelSelector) *metav1ac.LabelSelectorApplyConfiguration {
	selector := metav1ac.LabelSelector()
	if len(s.MatchLabels) > 0 {
		selector.WithMatchLabels(s.MatchLabels)
	}
	for _, e := range s.MatchExpressions {
		selector.WithMatchExpressions(metav1ac.LabelSelectorRequirement().
			WithKey(e.Key).WithOperator(e.Operator).WithValues(e.Values...))
	}
	return selector
}
