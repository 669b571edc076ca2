package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// run is one benchmark: a policy, its pods, and what was measured.
type run struct {
	kube     *harness.Kube
	key      types.NamespacedName
	out      io.Writer
	follower *harness.Follower
	pods     []corev1.Pod

	pauses     harness.Pauses
	took       []time.Duration
	mismatches int
}

// firstLimit is far above what the benchmark sends, and each edit adds one, so
// that every answer tells which edit its pod runs.
const firstLimit = 1_000_000

func (r *run) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyDeadline)
	defer cancel()
	policy := harness.NewPolicy(r.key, replicas, harness.LimitOf(firstLimit, 60, firstLimit))
	if err := r.kube.Create(ctx, policy); err != nil {
		return err
	}
	var err error
	// The watch outlives this deadline.
	if r.follower, err = r.kube.Follow(context.WithoutCancel(ctx), r.key); err != nil {
		return err
	}
	if _, _, err := r.follower.Await(ctx, "Ready", harness.ReadyAt(policy.Generation)); err != nil {
		return err
	}
	r.pods, err = r.kube.Pods(ctx, r.key)
	if err == nil && len(r.pods) != replicas {
		err = fmt.Errorf("expected %d pods, got %d", replicas, len(r.pods))
	}
	return err
}

func (r *run) edit(ctx context.Context, edits int) error {
	fmt.Fprintf(r.out, "%d edits of a policy with %d pods, %s to %s after one was enforced\n", edits, len(r.pods), r.pauses.Least, r.pauses.Most)
	for i := 1; i <= edits; i++ {
		if err := r.pauses.Wait(ctx); err != nil {
			return err
		}
		limit := harness.LimitOf(firstLimit+int64(i), 60, firstLimit+int64(i))
		took, err := r.kube.EditLimit(ctx, r.follower, limit)
		if err != nil {
			return fmt.Errorf("edit %d: %w", i, err)
		}
		replies, err := r.kube.AskAll(ctx, r.pods, clientKey)
		if err != nil {
			return fmt.Errorf("edit %d: %w", i, err)
		}
		for p, reply := range replies {
			if err := reply.Shows(limit); err != nil {
				r.mismatches++
				fmt.Fprintf(r.out, "edit %d: pod %s, after status said Enforced: %v\n", i, r.pods[p].Name, err)
			}
		}
		r.took = append(r.took, took)
		if i%25 == 0 {
			fmt.Fprintf(r.out, "  %d edits, the last one took %d ms\n", i, took.Milliseconds())
		}
	}
	return r.samePods(ctx)
}

// samePods: a limit that arrived by a restart would prove nothing.
func (r *run) samePods(ctx context.Context) error {
	now, err := r.kube.Pods(ctx, r.key)
	if err != nil {
		return err
	}
	if !harness.SamePods(r.pods, now) {
		return errors.New("pods were replaced or restarted during the edits, expected the same ones")
	}
	return nil
}
