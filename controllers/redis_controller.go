package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// redisRecheck is how often the managed instance's Secret, which no cache
// holds, is looked at when nothing else happens.
const redisRecheck = 5 * time.Minute

// redisReconciler runs the Redis that a namespace's policies share. It is keyed
// by namespace, for the instance belongs to all of the namespace's policies at
// once: each is a non-controller owner, so that the last one's deletion takes it along.
type redisReconciler struct {
	client   client.Client
	observer *observer
	applier  *applier
	facts    *redisFacts
	prober   *Prober
	admin    RedisAdmin
	meter    *redisMeter
	news     policyEvents
	settings desired.Settings
	clock    clock.PassiveClock
}

// Reconcile implements reconcile.Reconciler; the request's name is a namespace.
func (r *redisReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	namespace := request.Name
	users, err := r.users(ctx, namespace)
	if err != nil {
		return ctrl.Result{}, err
	}
	live, err := r.observe(ctx, namespace)
	if len(users) == 0 {
		return ctrl.Result{}, errors.Join(r.release(ctx, namespace, live), transientOnly(err))
	}
	var again time.Duration
	if err == nil {
		again, err = r.run(ctx, namespace, users, live)
	}
	v := judge(err)
	fact := redisFactOf(live.statefulSet)
	fact.blocked = v.terminal
	if fact.message == "" && !fact.ready {
		fact.message = r.trouble(ctx, namespace)
	}
	if r.facts.set(namespace, fact) {
		r.tell(ctx, users)
	}
	switch {
	case v.terminal != nil:
		log.FromContext(ctx).Info("the namespace's Redis is stalled", "reason", v.terminal.reason, "message", v.terminal.message)
		return ctrl.Result{RequeueAfter: jittered(foreignRecheck)}, nil //nolint:nilerr // only a change from outside helps
	case v.waiting != nil:
		return ctrl.Result{RequeueAfter: v.waiting.after}, nil //nolint:nilerr // waiting is no failure
	case v.transient != nil:
		return ctrl.Result{}, v.transient
	default:
		return ctrl.Result{RequeueAfter: sooner(again, jittered(redisRecheck))}, nil
	}
}

// users returns the namespace's policies that use the shared instance.
func (r *redisReconciler) users(ctx context.Context, namespace string) ([]*v1alpha1.RateLimitPolicy, error) {
	var list v1alpha1.RateLimitPolicyList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing the namespace's policies: %w", err)
	}
	var users []*v1alpha1.RateLimitPolicy
	for i := range list.Items {
		if p := &list.Items[i]; p.DeletionTimestamp.IsZero() && desired.UsesManagedRedis(p) {
			users = append(users, p)
		}
	}
	return users, nil
}

// redisObjects is the managed instance as last read; nil where there is none.
type redisObjects struct {
	secret        *corev1.Secret
	configMap     *corev1.ConfigMap
	service       *corev1.Service
	networkPolicy *networkingv1.NetworkPolicy
	statefulSet   *appsv1.StatefulSet
}

// observe reads the instance. What exists under its names and is not owned by a
// policy is a terminal error: it is never written. All is read even so, for what
// is ours must be released when nobody uses it.
func (r *redisReconciler) observe(ctx context.Context, namespace string) (redisObjects, error) {
	var o redisObjects
	var errs [5]error
	name := desired.RedisName
	secretOnly := &observer{cached: r.observer.live, live: r.observer.live}
	o.secret, errs[0] = findShared(ctx, secretOnly, namespace, "Secret", name, &corev1.Secret{})
	o.configMap, errs[1] = findShared(ctx, r.observer, namespace, "ConfigMap", name, &corev1.ConfigMap{})
	o.service, errs[2] = findShared(ctx, r.observer, namespace, "Service", name, &corev1.Service{})
	o.networkPolicy, errs[3] = findShared(ctx, r.observer, namespace, "NetworkPolicy", name, &networkingv1.NetworkPolicy{})
	o.statefulSet, errs[4] = findShared(ctx, r.observer, namespace, "StatefulSet", name, &appsv1.StatefulSet{})
	return o, errors.Join(errs[:]...)
}

// findShared is find for an object that policies own together.
func findShared[T client.Object](ctx context.Context, o *observer, namespace, kind, name string, out T) (T, error) {
	var none T
	found, err := find(ctx, o, namespace, name, out)
	if err != nil || isNil(found) {
		return none, err
	}
	for _, owner := range found.GetOwnerReferences() {
		if owner.APIVersion == v1alpha1.GroupVersion.String() && owner.Kind == v1alpha1.Kind {
			return found, nil
		}
	}
	return none, &terminalError{
		reason: v1alpha1.ReasonForeignObject,
		message: fmt.Sprintf("%s %s/%s exists and is not the operator's, so it is left alone and the namespace has no managed Redis; "+
			"delete or rename it, or set redis.type to External", kind, namespace, name),
		recheck: foreignRecheck,
	}
}

// run makes the instance what its users ask for. The Secret comes first, for
// the pod does not start without it.
func (r *redisReconciler) run(ctx context.Context, namespace string, users []*v1alpha1.RateLimitPolicy, live redisObjects) (time.Duration, error) {
	in := desired.RedisInputs{Settings: r.settings, Namespace: namespace, Policies: users}
	secret, err := r.ensureSecret(ctx, in, live.secret)
	if err != nil {
		return 0, childError(err)
	}
	r.meter.watch(namespace, string(secret.Data[desired.OperatorPasswordKey]))
	if err := r.applyAll(ctx, live, desired.Redis(in)); err != nil {
		return 0, childError(err)
	}
	return r.rotate(ctx, namespace, users, secret)
}

func (r *redisReconciler) applyAll(ctx context.Context, live redisObjects, want desired.RedisChildren) error {
	var failures []error
	apply := applyInto(ctx, r.applier, &failures)
	apply(live.configMap, want.ConfigMap)
	apply(live.service, want.Service)
	apply(live.networkPolicy, want.NetworkPolicy)
	apply(live.statefulSet, want.StatefulSet)
	return errors.Join(failures...)
}

// release deletes what is ours when no policy uses the instance any more,
// though its last user lives on with another store.
func (r *redisReconciler) release(ctx context.Context, namespace string, live redisObjects) error {
	var failures []error
	for _, object := range []client.Object{live.statefulSet, live.service, live.networkPolicy, live.configMap, live.secret} {
		if !isNil(object) && object.GetDeletionTimestamp().IsZero() {
			failures = append(failures, r.applier.delete(ctx, object))
		}
	}
	r.facts.forget(namespace)
	r.meter.forget(namespace)
	r.applier.forget(namespace, desired.RedisName)
	return errors.Join(failures...)
}

// tell makes the users' reconciler look again and their pods be asked, since
// whether they reach Redis has probably changed.
func (r *redisReconciler) tell(ctx context.Context, users []*v1alpha1.RateLimitPolicy) {
	for i := range users {
		key := client.ObjectKeyFromObject(users[i])
		r.prober.Recheck(key)
		r.news.send(ctx, key)
	}
}

func redisFactOf(set *appsv1.StatefulSet) redisFact {
	switch {
	case set == nil:
		return redisFact{message: "it is being made"}
	case set.Status.ReadyReplicas == 0:
		return redisFact{}
	default:
		return redisFact{ready: true}
	}
}

// trouble is what the instance's pod says about why it does not run.
func (r *redisReconciler) trouble(ctx context.Context, namespace string) string {
	var pods corev1.PodList
	labels := client.MatchingLabels{v1alpha1.LabelComponent: v1alpha1.ComponentRedis}
	if err := r.client.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return ""
	}
	for i := range pods.Items {
		if text := podTrouble(&pods.Items[i]); text != "" {
			return text
		}
	}
	return "its pod is not ready"
}

func transientOnly(err error) error { return judge(err).transient }

func (r *redisReconciler) setup(mgr ctrl.Manager) error {
	toNamespace := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: types.NamespacedName{Name: o.GetNamespace()}}}
	})
	isRedis := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetLabels()[v1alpha1.LabelComponent] == v1alpha1.ComponentRedis
	}))
	return ctrl.NewControllerManagedBy(mgr).Named("redis").
		Watches(&v1alpha1.RateLimitPolicy{}, toNamespace, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.StatefulSet{}, toNamespace, isRedis).
		Watches(&corev1.ConfigMap{}, toNamespace, isRedis).
		Watches(&corev1.Service{}, toNamespace, isRedis).
		Watches(&networkingv1.NetworkPolicy{}, toNamespace, isRedis).
		Watches(&corev1.Pod{}, toNamespace, isRedis).
		WatchesMetadata(&corev1.Secret{}, toNamespace).
		Complete(r)
}
