package harness

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// Follower sees every state of one policy, with the moment of its arrival. It is
// not for use by several goroutines.
type Follower struct {
	watch watch.Interface
	last  *v1alpha1.RateLimitPolicy
	key   types.NamespacedName
}

// Follow starts watching a policy; stop it with Stop.
func (k *Kube) Follow(ctx context.Context, policy types.NamespacedName) (*Follower, error) {
	w, err := k.Watch(ctx, &v1alpha1.RateLimitPolicyList{}, client.InNamespace(policy.Namespace), &client.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", policy.Name),
	})
	if err != nil {
		return nil, fmt.Errorf("watching policy %s: %w", policy, err)
	}
	return &Follower{watch: w, key: policy}, nil
}

// Stop ends the watch.
func (f *Follower) Stop() { f.watch.Stop() }

// Await returns the first state from now on, or that came since the last call,
// that done accepts, and when it came. An error says what the last state was.
func (f *Follower) Await(ctx context.Context, what string, done func(*v1alpha1.RateLimitPolicy) bool) (*v1alpha1.RateLimitPolicy, time.Time, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, time.Time{}, fmt.Errorf("policy %s: expected %s, got %s: %w", f.key, what, Describe(f.last), ctx.Err())
		case event, open := <-f.watch.ResultChan():
			now := time.Now()
			if !open {
				return nil, time.Time{}, fmt.Errorf("policy %s: the watch ended while waiting for %s", f.key, what)
			}
			policy, ok := event.Object.(*v1alpha1.RateLimitPolicy)
			if !ok || event.Type == watch.Deleted {
				return nil, time.Time{}, fmt.Errorf("policy %s: waiting for %s, the watch brought %s", f.key, what, event.Type)
			}
			f.last = policy
			if done(policy) {
				return policy, now, nil
			}
		}
	}
}

// EnforcedAt accepts a policy of which status says that all pods run the limits
// of just this generation.
func EnforcedAt(generation int64) func(*v1alpha1.RateLimitPolicy) bool {
	return trueAt(v1alpha1.ConditionEnforced, generation)
}

// ReadyAt accepts a policy that is Ready for this generation.
func ReadyAt(generation int64) func(*v1alpha1.RateLimitPolicy) bool {
	return trueAt(v1alpha1.ConditionReady, generation)
}

func trueAt(kind string, generation int64) func(*v1alpha1.RateLimitPolicy) bool {
	return func(p *v1alpha1.RateLimitPolicy) bool {
		c := meta.FindStatusCondition(p.Status.Conditions, kind)
		return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == generation &&
			p.Status.ObservedGeneration == generation
	}
}

// Describe is a policy's state in one line.
func Describe(p *v1alpha1.RateLimitPolicy) string {
	if p == nil {
		return "nothing"
	}
	s := p.Status
	parts := []string{fmt.Sprintf("generation %d, observed %d, %d replicas, %d ready, %d loaded",
		p.Generation, s.ObservedGeneration, s.Replicas, s.ReadyReplicas, s.LoadedReplicas)}
	for _, c := range s.Conditions {
		parts = append(parts, fmt.Sprintf("%s=%s %s (%s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(parts, "; ")
}
