package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// observer reads what a reconcile needs to know.
type observer struct {
	cached client.Reader
	// live reads past the cache, which holds only what carries our label.
	live client.Reader
}

// children is a policy's objects as last read; nil where there is none.
type children struct {
	configMap     *corev1.ConfigMap
	deployment    *appsv1.Deployment
	service       *corev1.Service
	budget        *policyv1.PodDisruptionBudget
	networkPolicy *networkingv1.NetworkPolicy
}

// find reads an object into out and returns it, or nil when there is none.
// What the cache does not have may exist without our label, so it is looked up live.
func find[T client.Object](ctx context.Context, o *observer, namespace, name string, out T) (T, error) {
	var none T
	key := types.NamespacedName{Namespace: namespace, Name: name}
	err := o.cached.Get(ctx, key, out)
	if apierrors.IsNotFound(err) {
		err = o.live.Get(ctx, key, out)
	}
	switch {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("reading %T %s: %w", out, key, err)
	default:
		return out, nil
	}
}

// findChild is find for an object that a policy controls. An object that exists
// and has another controller, or none, is a terminal error: it is never written.
func findChild[T client.Object](ctx context.Context, o *observer, p *v1alpha1.RateLimitPolicy, kind, name string, out T) (T, error) {
	var none T
	found, err := find(ctx, o, p.Namespace, name, out)
	if err != nil || client.Object(found) == client.Object(none) {
		return none, err
	}
	if !metav1.IsControlledBy(found, p) {
		return none, foreignObject(kind, p.Namespace, name)
	}
	return found, nil
}

func foreignObject(kind, namespace, name string) *terminalError {
	return &terminalError{
		reason: v1alpha1.ReasonForeignObject,
		message: fmt.Sprintf("%s %s/%s exists and was not made by this policy, so it is left alone; "+
			"delete or rename it, or rename the policy", kind, namespace, name),
		recheck: foreignRecheck,
	}
}

func (o *observer) children(ctx context.Context, p *v1alpha1.RateLimitPolicy) (children, error) {
	var c children
	var err error
	if c.configMap, err = findChild(ctx, o, p, "ConfigMap", desired.LimitsName(p.Name), &corev1.ConfigMap{}); err != nil {
		return c, err
	}
	echo := desired.EchoName(p.Name)
	if c.deployment, err = findChild(ctx, o, p, "Deployment", echo, &appsv1.Deployment{}); err != nil {
		return c, err
	}
	if c.service, err = findChild(ctx, o, p, "Service", echo, &corev1.Service{}); err != nil {
		return c, err
	}
	if c.budget, err = findChild(ctx, o, p, "PodDisruptionBudget", echo, &policyv1.PodDisruptionBudget{}); err != nil {
		return c, err
	}
	c.networkPolicy, err = findChild(ctx, o, p, "NetworkPolicy", echo, &networkingv1.NetworkPolicy{})
	return c, err
}

// pods returns the policy's pods that have not ended, by name: those that a
// ReplicaSet of the policy's Deployment owns, however they are labelled.
func (o *observer) pods(ctx context.Context, p *v1alpha1.RateLimitPolicy, deployment *appsv1.Deployment) ([]podFact, error) {
	if deployment == nil {
		return nil, nil
	}
	selector := client.MatchingLabels{v1alpha1.LabelPolicy: p.Name, v1alpha1.LabelComponent: v1alpha1.ComponentEcho}
	var sets appsv1.ReplicaSetList
	if err := o.cached.List(ctx, &sets, client.InNamespace(p.Namespace), selector); err != nil {
		return nil, fmt.Errorf("listing the policy's ReplicaSets: %w", err)
	}
	owned := map[types.UID]bool{}
	for i := range sets.Items {
		if metav1.IsControlledBy(&sets.Items[i], deployment) {
			owned[sets.Items[i].UID] = true
		}
	}
	var list corev1.PodList
	if err := o.cached.List(ctx, &list, client.InNamespace(p.Namespace), selector); err != nil {
		return nil, fmt.Errorf("listing the policy's pods: %w", err)
	}
	var result []podFact
	for i := range list.Items {
		pod := &list.Items[i]
		controller := metav1.GetControllerOf(pod)
		if controller != nil && owned[controller.UID] && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			result = append(result, podFactOf(pod))
		}
	}
	slices.SortFunc(result, func(a, b podFact) int { return strings.Compare(a.name, b.name) })
	return result, nil
}

func podFactOf(pod *corev1.Pod) podFact {
	return podFact{
		uid: pod.UID, name: pod.Name, address: pod.Status.PodIP,
		annotated:   pod.Annotations[v1alpha1.AnnotationConfigHash],
		serving:     podReady(pod),
		terminating: pod.DeletionTimestamp != nil,
		trouble:     podTrouble(pod),
	}
}
