package harness

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// editDeadline bounds the wait for one edit. It is far above what is expected:
// how long it took is what is measured.
const editDeadline = 2 * time.Minute

// Change edits a policy's spec by a merge patch and returns it as written, and
// when the API server's answer was there.
func (k *Kube) Change(ctx context.Context, policy client.ObjectKey, edit func(*v1alpha1.RateLimitPolicySpec)) (*v1alpha1.RateLimitPolicy, time.Time, error) {
	var now v1alpha1.RateLimitPolicy
	if err := k.Get(ctx, policy, &now); err != nil {
		return nil, time.Time{}, err
	}
	before := now.DeepCopy()
	edit(&now.Spec)
	err := k.Patch(ctx, &now, client.MergeFrom(before))
	return &now, time.Now(), err
}

// EditLimit sets the limit of the policy's first rule and waits until status
// says that this very generation is enforced. It returns how long that took
// from the moment when the write had returned.
func (k *Kube) EditLimit(ctx context.Context, f *Follower, limit v1alpha1.Limit) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, editDeadline)
	defer cancel()
	written, at, err := k.Change(ctx, f.key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Rules[0].Limit = limit })
	if err != nil {
		return 0, fmt.Errorf("editing policy %s: %w", f.key, err)
	}
	_, seen, err := f.Await(ctx, fmt.Sprintf("Enforced for generation %d", written.Generation), EnforcedAt(written.Generation))
	if err != nil {
		return 0, err
	}
	// Status can be there before the write's answer was read.
	return max(0, seen.Sub(at)), nil
}

// AskAll sends one request of client key to all pods at once. Answers are in the pods' order.
func (k *Kube) AskAll(ctx context.Context, pods []corev1.Pod, key string) ([]Reply, error) {
	replies, errs := make([]Reply, len(pods)), make([]error, len(pods))
	var done sync.WaitGroup
	for i := range pods {
		done.Go(func() { replies[i], errs[i] = k.Ask(ctx, &pods[i], key) })
	}
	done.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("asking pod %s: %w", pods[i].Name, err)
		}
	}
	return replies, nil
}
