// Package controllers turns RateLimitPolicies into echo pods, their limits and
// the Redis that they share, and tells what the pods really run.
package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// Options are what an operator's start decides.
type Options struct {
	// Settings shape every policy's children.
	Settings desired.Settings
	// Asker asks the pods.
	Asker Asker
	// MaxConcurrentReconciles is for policies; at least 1.
	MaxConcurrentReconciles int
	// MaxConcurrentRollouts bounds the rollouts that the operator itself causes; at least 1.
	MaxConcurrentRollouts int
	// RedisAdmin makes the connections by which passwords are rotated and Redis is measured.
	RedisAdmin RedisAdmin
	// Registry takes the operator's metrics; controller-runtime's when nil.
	Registry metrics.RegistererGatherer
}

// policyEvents carries news that no watch brings to the policies' reconciler.
type policyEvents chan event.TypedGenericEvent[*v1alpha1.RateLimitPolicy]

// send waits for room in the channel until ctx ends.
func (c policyEvents) send(ctx context.Context, key types.NamespacedName) {
	policy := &v1alpha1.RateLimitPolicy{}
	policy.Namespace, policy.Name = key.Namespace, key.Name
	select {
	case c <- event.TypedGenericEvent[*v1alpha1.RateLimitPolicy]{Object: policy}:
	case <-ctx.Done():
	}
}

// Setup adds both controllers and the prober to the manager, whose cache must
// have been made with [CacheOptions].
func Setup(mgr ctrl.Manager, o Options) error {
	if o.Registry == nil {
		o.Registry = metrics.Registry
	}
	meter := newRedisMeter(o.RedisAdmin)
	own, err := newOperatorMetrics(o.Registry, mgr.GetClient(), meter)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := mgr.Add(meter); err != nil {
		return err
	}
	clk := clock.RealClock{}
	news := make(policyEvents, 1024)
	prober := NewProber(o.Asker, clk, news.send)
	if err := mgr.Add(prober); err != nil {
		return err
	}
	shared := &observer{cached: mgr.GetClient(), live: mgr.GetAPIReader()}
	facts := newRedisFacts()
	policies := &policyReconciler{
		client: mgr.GetClient(), observer: shared, applier: newApplier(mgr.GetClient()),
		rollout:  &rollout{client: mgr.GetClient(), prober: prober, pokes: newPokes(), clock: clk},
		upgrades: newUpgrades(o.MaxConcurrentRollouts), redis: facts,
		recorder: mgr.GetEventRecorder(FieldManager), enforce: newEnforcementTimer(clk, own.enforcement),
		statuses: newSentStatuses(), settings: o.Settings, clock: clk,
	}
	if err := policies.setup(mgr, news, o.MaxConcurrentReconciles); err != nil {
		return fmt.Errorf("setting up the policy controller: %w", err)
	}
	redis := &redisReconciler{
		client: mgr.GetClient(), observer: shared, applier: newApplier(mgr.GetClient()), facts: facts,
		prober: prober, admin: o.RedisAdmin, meter: meter, news: news, settings: o.Settings, clock: clk,
	}
	if err := redis.setup(mgr); err != nil {
		return fmt.Errorf("setting up the Redis controller: %w", err)
	}
	return nil
}

func (r *policyReconciler) setup(mgr ctrl.Manager, news policyEvents, concurrency int) error {
	onSpec := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).Named("ratelimitpolicy").
		For(&v1alpha1.RateLimitPolicy{}, onSpec).
		Owns(&corev1.ConfigMap{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&networkingv1.NetworkPolicy{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(policyOfPod)).
		WatchesRawSource(source.Channel(news, &handler.TypedEnqueueRequestForObject[*v1alpha1.RateLimitPolicy]{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
}

// policyOfPod maps an echo pod to its policy.
func policyOfPod(_ context.Context, pod client.Object) []ctrl.Request {
	name := pod.GetLabels()[v1alpha1.LabelPolicy]
	if name == "" || pod.GetLabels()[v1alpha1.LabelComponent] != v1alpha1.ComponentEcho {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}
