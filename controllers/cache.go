package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// CacheOptions keeps in memory only what the operator labels, and of it only
// what it reads: the cost of a policy must not depend on what else the cluster
// holds. What Secrets hold is never cached.
func CacheOptions() cache.Options {
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	child := cache.ByObject{Label: ours, Transform: KeepOurManagedFields}
	return cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.RateLimitPolicy{}:     {Transform: cache.TransformStripManagedFields()},
			&corev1.ConfigMap{}:             child,
			&corev1.Service{}:               child,
			&appsv1.Deployment{}:            child,
			&appsv1.StatefulSet{}:           child,
			&policyv1.PodDisruptionBudget{}: child,
			&networkingv1.NetworkPolicy{}:   child,
			// Of the managed instances' Secrets, and no others, the metadata is
			// watched: that needs no right to list other Secrets.
			&corev1.Secret{}: {
				Field:     fields.OneTermEqualSelector(metav1.ObjectNameField, desired.RedisName),
				Transform: cache.TransformStripManagedFields(),
			},
			&appsv1.ReplicaSet{}: {Label: ours, Transform: StripReplicaSet},
			&corev1.Pod{}:        {Label: ours, Transform: StripPod},
		},
	}
}

// StripPod is a cache transform that leaves of a pod what [podFact] is made of.
func StripPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil // a tombstone
	}
	stripped := &corev1.Pod{ObjectMeta: pod.ObjectMeta}
	stripped.ManagedFields = nil
	stripped.Annotations = nil
	for _, key := range []string{v1alpha1.AnnotationConfigHash, v1alpha1.AnnotationPoke, v1alpha1.AnnotationCredentialsVersion} {
		if value, ok := pod.Annotations[key]; ok {
			if stripped.Annotations == nil {
				stripped.Annotations = map[string]string{}
			}
			stripped.Annotations[key] = value
		}
	}
	stripped.Status.Phase = pod.Status.Phase
	stripped.Status.PodIP = pod.Status.PodIP
	stripped.Status.Conditions = pod.Status.Conditions
	for _, status := range pod.Status.ContainerStatuses {
		stripped.Status.ContainerStatuses = append(stripped.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: status.Name, Ready: status.Ready, State: status.State, LastTerminationState: status.LastTerminationState,
		})
	}
	return stripped, nil
}

// StripReplicaSet is a cache transform that leaves a ReplicaSet's metadata:
// it only links pods to their Deployment.
func StripReplicaSet(object any) (any, error) {
	set, ok := object.(*appsv1.ReplicaSet)
	if !ok {
		return object, nil // a tombstone
	}
	stripped := &appsv1.ReplicaSet{ObjectMeta: set.ObjectMeta}
	stripped.ManagedFields, stripped.Annotations = nil, nil
	return stripped, nil
}
