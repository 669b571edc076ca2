package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// rollout brings a new limits file into the pods: it pokes them until the
// prober hears that they run it. The limits themselves travel by ConfigMap only.
type rollout struct {
	client client.Client
	prober *Prober
	pokes  *pokes
	clock  clock.PassiveClock
}

// advance fills in the pods' answers, pokes those that run another file than
// fileHash, and returns how soon it must be called again; 0 when only news can
// change anything.
func (r *rollout) advance(ctx context.Context, p *v1alpha1.RateLimitPolicy, pods []podFact, fileHash string) (time.Duration, error) {
	key := client.ObjectKeyFromObject(p)
	r.watch(key, pods, fileHash)
	answers := r.prober.Answers(key)
	var soonest time.Duration
	var failures []error
	for i := range pods {
		pod := &pods[i]
		pod.answer = answers[pod.uid]
		if !needsPoke(pod, fileHash) {
			continue
		}
		annotations, wait := r.pokes.next(key, pod.uid, fileHash, pod.annotated, r.clock.Now())
		if annotations != nil {
			if err := r.poke(ctx, p.Namespace, pod, annotations); err != nil {
				failures = append(failures, err)
				continue
			}
			r.pokes.record(key, pod.uid, fileHash, r.clock.Now())
			wait = firstPokePause
		}
		if soonest == 0 || wait < soonest {
			soonest = wait
		}
	}
	return soonest, errors.Join(failures...)
}

// look fills in the answers and pokes nobody, as while the policy is suspended.
func (r *rollout) look(p *v1alpha1.RateLimitPolicy, pods []podFact, fileHash string) {
	key := client.ObjectKeyFromObject(p)
	r.watch(key, pods, fileHash)
	answers := r.prober.Answers(key)
	for i := range pods {
		pods[i].answer = answers[pods[i].uid]
	}
}

func (r *rollout) watch(key types.NamespacedName, pods []podFact, fileHash string) {
	alive := make(map[types.UID]bool, len(pods))
	targets := make([]Target, 0, len(pods))
	for _, pod := range pods {
		alive[pod.uid] = true
		if pod.address != "" {
			targets = append(targets, Target{
				UID: pod.uid, Namespace: key.Namespace, Name: pod.name, Address: pod.address, Serving: pod.serving,
			})
		}
	}
	r.pokes.keep(key, alive)
	r.prober.Watch(key, fileHash, targets)
}

// needsPoke: a pod that said it runs another file. One that was not heard yet
// reads the file at its start and is asked first.
func needsPoke(pod *podFact, fileHash string) bool {
	return !pod.terminating && !pod.answer.At.IsZero() && pod.answer.Err == nil && pod.answer.Config.Hash != fileHash
}

// poke changes an annotation, so that the kubelet refreshes the pod's files. The
// UID makes a patch of a pod that was replaced meanwhile a clean conflict.
func (r *rollout) poke(ctx context.Context, namespace string, pod *podFact, annotations map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.uid, "annotations": annotations}})
	if err != nil {
		return err
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod.name}}
	err = r.client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // the pod is gone; its successor reads the new file at its start
	}
	if err != nil {
		return fmt.Errorf("annotating pod %s: %w", pod.name, err)
	}
	return nil
}

// unreachableText says why a pod could not be asked, without what differs from
// one try to the next.
func unreachableText(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %s", proberTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		return "no route to the pod's address"
	default:
		return err.Error()
	}
}
