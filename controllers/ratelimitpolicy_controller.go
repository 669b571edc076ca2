package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

const (
	// foreignRecheck is how often an object that is not ours is looked at again;
	// the caches do not hold it, so no watch tells when it goes.
	foreignRecheck = 5 * time.Minute
	// rejectedRecheck is how often a child that the API server refused is tried again.
	rejectedRecheck = time.Minute
	// upgradeRecheck is how often a rollout that waits for its turn asks again.
	upgradeRecheck = 5 * time.Second
	// unheardRecheck is a safety net: the prober tells as soon as the pods were heard.
	unheardRecheck = time.Second
)

// policyReconciler makes a policy's children what its spec says, brings the
// limits into the pods and tells in its status what the pods really run.
type policyReconciler struct {
	client   client.Client
	observer *observer
	applier  *applier
	rollout  *rollout
	upgrades *upgrades
	redis    *redisFacts
	recorder events.EventRecorder
	enforce  *enforcementTimer
	statuses *sentStatuses
	settings desired.Settings
	clock    clock.PassiveClock
}

// Reconcile implements reconcile.Reconciler.
func (r *policyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	policy := &v1alpha1.RateLimitPolicy{}
	if err := r.client.Get(ctx, request.NamespacedName, policy); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, err
	}
	r.statuses.catchUp(policy)
	if !policy.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // the children go by their ownerReferences
	}
	if policy.Status.ObservedGeneration == 0 {
		if err := r.writeFirstStatus(ctx, policy); err != nil {
			return ctrl.Result{}, err
		}
	}
	f, again := r.step(ctx, policy)
	return r.finish(ctx, f, again)
}

// step observes, applies and rolls out, and returns the facts of the status and
// how soon to look again; 0 when only news can change anything.
func (r *policyReconciler) step(ctx context.Context, p *v1alpha1.RateLimitPolicy) (*facts, time.Duration) {
	f := &facts{policy: p, now: r.clock.Now().Truncate(time.Second), redis: r.redisFact(p)}
	live, err := r.observer.children(ctx, p)
	f.deployment = live.deployment
	if err == nil {
		f.pods, err = r.observer.pods(ctx, p, live.deployment)
	}
	want, invalid := desired.For(p, r.inputs(p, f.pods))
	f.limitsHash = want.LimitsHash
	r.enforce.wanted(client.ObjectKeyFromObject(p), want.LimitsHash)
	if invalid != nil {
		f.verdict = judge(invalidSpec(invalid))
		return f, 0
	}
	if err == nil && !p.Spec.Suspend {
		err = r.applyChildren(ctx, p, live, want, f)
	}
	if err != nil || p.Spec.Suspend {
		r.rollout.look(p, f.pods, want.Hash)
		f.verdict = judge(err)
		return f, 0
	}
	again, err := r.rollout.advance(ctx, p, f.pods, want.Hash)
	f.verdict = judge(err)
	if f.upgradePending {
		again = sooner(again, upgradeRecheck)
	}
	return f, again
}

// inputs are what the children depend on besides the spec. The file names at
// least as many replicas as serve, so that pods on their way out are counted.
func (r *policyReconciler) inputs(p *v1alpha1.RateLimitPolicy, pods []podFact) desired.Inputs {
	replicas := wantedReplicas(p)
	return desired.Inputs{
		Settings: r.settings, DeploymentReplicas: replicas, FileReplicas: max(replicas, servingPods(pods), 1),
	}
}

func (r *policyReconciler) redisFact(p *v1alpha1.RateLimitPolicy) redisFact {
	if !desired.UsesManagedRedis(p) {
		return redisFact{known: true}
	}
	return r.redis.get(p.Namespace)
}

// applyChildren writes what differs. The limits come before the pods, so that a
// pod that starts reads the newest file.
func (r *policyReconciler) applyChildren(ctx context.Context, p *v1alpha1.RateLimitPolicy, live children, want desired.Children, f *facts) error {
	var failures []error
	apply := applyInto(ctx, r.applier, &failures)
	apply(live.configMap, want.ConfigMap)
	apply(live.service, want.Service)
	apply(live.budget, want.PodDisruptionBudget)
	apply(live.networkPolicy, want.NetworkPolicy)
	if err := errors.Join(failures...); err != nil {
		return childError(err)
	}
	mayApply, err := r.upgrades.mayApply(p, live.deployment, want.Deployment)
	if err != nil {
		return err
	}
	if !mayApply {
		f.upgradePending = true
		return nil
	}
	apply(live.deployment, want.Deployment)
	return childError(errors.Join(failures...))
}

// childError tells a child that the API server will never take from a passing fault.
func childError(err error) error {
	switch {
	case err == nil, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return err
	case invalidIntent(err):
		return &terminalError{reason: v1alpha1.ReasonInvalidSpec, message: err.Error()}
	case apierrors.IsForbidden(err):
		return &terminalError{reason: v1alpha1.ReasonRejected, message: err.Error(), recheck: rejectedRecheck}
	default:
		return err
	}
}

func invalidSpec(err error) error {
	if invalid, ok := errors.AsType[*desired.InvalidError](err); ok {
		return &terminalError{reason: invalid.Reason, message: invalid.Message}
	}
	return err
}

// finish writes the status when it changed, tells the turns as events, and
// turns the verdict into what the queue is to do. It is the only place that does.
func (r *policyReconciler) finish(ctx context.Context, f *facts, again time.Duration) (ctrl.Result, error) {
	if f.verdict.terminal == nil && (!f.redis.known || r.unheard(f)) {
		// Just started: what the pods run is not heard yet. The last status stays
		// until it is, rather than say for a moment that nothing is enforced.
		if f.verdict.transient != nil {
			return ctrl.Result{}, f.verdict.transient
		}
		return ctrl.Result{RequeueAfter: sooner(again, unheardRecheck)}, nil
	}
	if f.verdict.transient == nil || f.policy.Status.ObservedGeneration != f.policy.Generation {
		if err := r.writeStatus(ctx, f); err != nil {
			return ctrl.Result{}, err
		}
	}
	switch v := f.verdict; {
	case v.terminal != nil && v.terminal.recheck > 0:
		log.FromContext(ctx).Info("policy is stalled", "reason", v.terminal.reason, "message", v.terminal.message)
		return ctrl.Result{RequeueAfter: jittered(v.terminal.recheck)}, nil
	case v.terminal != nil:
		return ctrl.Result{}, reconcile.TerminalError(v.terminal)
	case v.waiting != nil:
		return ctrl.Result{RequeueAfter: v.waiting.after}, nil //nolint:nilerr // waiting is no failure
	case v.transient != nil:
		return ctrl.Result{}, v.transient
	default:
		return ctrl.Result{RequeueAfter: again}, nil
	}
}

// unheard reports whether the status already speaks of this generation and not
// all pods were asked since the operator started.
func (r *policyReconciler) unheard(f *facts) bool {
	p := f.policy
	return p.Status.ObservedGeneration == p.Generation && p.Status.ConfigHash != "" && p.Status.ConfigHash == f.limitsHash &&
		!r.rollout.prober.HeardAll(client.ObjectKeyFromObject(p))
}

func (r *policyReconciler) forget(key types.NamespacedName) {
	r.rollout.prober.Forget(key)
	r.rollout.pokes.keep(key, nil)
	r.enforce.forget(key)
	r.statuses.forget(key)
	r.upgrades.forget(key)
	r.applier.forget(key.Namespace, desired.EchoName(key.Name), desired.LimitsName(key.Name))
}

func servingPods(pods []podFact) int32 {
	var serving int32
	for _, pod := range pods {
		if pod.serving {
			serving++
		}
	}
	return serving
}

// sooner returns the smaller of two waits, where 0 means none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
