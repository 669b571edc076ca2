package controllers

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	acappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	acnetworkingv1 "k8s.io/client-go/applyconfigurations/networking/v1"
	acpolicyv1 "k8s.io/client-go/applyconfigurations/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the name that the operator's fields stand under in managedFields.
const FieldManager = "echo-operator"

// ownsExactly reports whether the fields that live's managedFields give to our
// manager, with their live values, are just those of the intent. Then an apply
// would change nothing and need not be sent; what others wrote elsewhere in the
// object does not count.
func ownsExactly(live client.Object, intent map[string]any) (bool, error) {
	extracted, err := extractOwned(live)
	if err != nil {
		return false, fmt.Errorf("reading which fields of %s are ours: %w", live.GetName(), err)
	}
	owned, err := toMap(extracted)
	if err != nil {
		return false, err
	}
	return equality.Semantic.DeepEqual(owned, intent), nil
}

func extractOwned(live client.Object) (any, error) {
	switch o := live.(type) {
	case *corev1.ConfigMap:
		return accorev1.ExtractConfigMap(o, FieldManager)
	case *corev1.Service:
		return accorev1.ExtractService(o, FieldManager)
	case *corev1.Secret:
		return accorev1.ExtractSecret(o, FieldManager)
	case *appsv1.Deployment:
		return acappsv1.ExtractDeployment(o, FieldManager)
	case *appsv1.StatefulSet:
		return acappsv1.ExtractStatefulSet(o, FieldManager)
	case *policyv1.PodDisruptionBudget:
		return acpolicyv1.ExtractPodDisruptionBudget(o, FieldManager)
	case *networkingv1.NetworkPolicy:
		return acnetworkingv1.ExtractNetworkPolicy(o, FieldManager)
	default:
		return nil, fmt.Errorf("%T is not a kind that the operator applies", live)
	}
}

// toMap gives a typed value the form that it has on the wire.
func toMap(value any) (map[string]any, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	err = json.Unmarshal(data, &m)
	return m, err
}

// KeepOurManagedFields is a cache transform: it drops the managedFields of
// others, which are half of a cached object, and keeps those that [ownsExactly] needs.
func KeepOurManagedFields(object any) (any, error) {
	if accessor, ok := object.(metav1.Object); ok {
		var ours []metav1.ManagedFieldsEntry
		for _, entry := range accessor.GetManagedFields() {
			if entry.Manager == FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply {
				ours = append(ours, entry)
			}
		}
		accessor.SetManagedFields(ours)
	}
	return object, nil
}
