package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// writeFirstStatus says at first sight that work is under way: an object
// without conditions and observedGeneration counts as done for kstatus.
func (r *policyReconciler) writeFirstStatus(ctx context.Context, p *v1alpha1.RateLimitPolicy) error {
	now := metav1.NewTime(r.clock.Now().Truncate(time.Second))
	status := v1alpha1.RateLimitPolicyStatus{ObservedGeneration: p.Generation}
	for _, c := range []metav1.Condition{
		condition(v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "not looked at yet"),
		condition(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "not looked at yet"),
		condition(v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "not looked at yet"),
		condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "the children are being made"),
		condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, "the children are being made"),
	} {
		c.ObservedGeneration, c.LastTransitionTime = p.Generation, now
		status.Conditions = append(status.Conditions, c)
	}
	return r.sendStatus(ctx, p, status)
}

// writeStatus writes the status if it changed and then tells the turns.
func (r *policyReconciler) writeStatus(ctx context.Context, f *facts) error {
	old := f.policy.Status
	status := statusFor(f)
	if equality.Semantic.DeepEqual(old, status) {
		return nil
	}
	if err := r.sendStatus(ctx, f.policy, status); err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(f.policy)
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionEnforced) {
		r.enforce.confirmed(key, status.ConfigHash)
	}
	for _, t := range transitionsBetween(old.Conditions, status.Conditions) {
		r.recorder.Eventf(f.policy, nil, t.eventType, t.reason, t.action, "%s", t.note)
	}
	return nil
}

// sendStatus applies the whole status, so that what it no longer says goes. The
// UID keeps it off a namesake that was made meanwhile.
func (r *policyReconciler) sendStatus(ctx context.Context, p *v1alpha1.RateLimitPolicy, status v1alpha1.RateLimitPolicyStatus) error {
	fields, err := toMap(status)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": fields}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	object.SetNamespace(p.Namespace)
	object.SetName(p.Name)
	object.SetUID(p.UID)
	err = r.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	r.statuses.record(p, object.GetResourceVersion(), status)
	p.Status = status
	return nil
}

// sentStatuses remembers the last status written of each policy, for the
// moments in which the cache has not seen it yet.
type sentStatuses struct {
	mu       sync.Mutex
	byPolicy map[types.NamespacedName]sentStatus
}

type sentStatus struct {
	// written is the policy's resourceVersion that the status came with.
	written string
	status  v1alpha1.RateLimitPolicyStatus
}

func newSentStatuses() *sentStatuses {
	return &sentStatuses{byPolicy: map[types.NamespacedName]sentStatus{}}
}

// catchUp gives a policy read from the cache the status that was written since.
func (s *sentStatuses) catchUp(p *v1alpha1.RateLimitPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.byPolicy[client.ObjectKeyFromObject(p)]; ok && older(p.ResourceVersion, last.written) {
		last.status.DeepCopyInto(&p.Status)
	}
}

func (s *sentStatuses) record(p *v1alpha1.RateLimitPolicy, written string, status v1alpha1.RateLimitPolicyStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byPolicy[client.ObjectKeyFromObject(p)] = sentStatus{written: written, status: status}
}

func (s *sentStatuses) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byPolicy, key)
}
