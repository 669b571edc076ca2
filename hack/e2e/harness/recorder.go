package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// maxFindings bounds what a recorder keeps: the first ones tell most.
const maxFindings = 20

// Recorder sees every status of every policy and keeps what is wrong with them.
type Recorder struct {
	mu       sync.Mutex
	last     map[types.UID]v1alpha1.RateLimitPolicyStatus
	statuses int
	findings []string
	cancel   context.CancelFunc
	done     chan struct{}
}

// Record starts to watch all policies of the cluster until Stop. It returns when
// the watch is established: no status that is written later is missed.
func (k *Kube) Record(ctx context.Context) (*Recorder, error) {
	informers, err := ctrlcache.New(k.Config, ctrlcache.Options{Scheme: k.Scheme()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &Recorder{last: map[types.UID]v1alpha1.RateLimitPolicyStatus{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := informers.Start(ctx); err != nil {
			r.add(fmt.Sprintf("the watch of all policies ended: %v", err))
		}
	}()
	informer, err := informers.GetInformer(ctx, &v1alpha1.RateLimitPolicy{})
	if err == nil {
		_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    r.see,
			UpdateFunc: func(_, now any) { r.see(now) },
		})
	}
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("watching all policies: %w", err)
	}
	return r, nil
}

// Stop ends the watch and waits for its end.
func (r *Recorder) Stop() {
	r.cancel()
	<-r.done
}

// Findings returns how many statuses were seen and what was wrong with them,
// each with its object.
func (r *Recorder) Findings() (statuses int, findings []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.statuses, append([]string(nil), r.findings...)
}

// see checks a status when it is new. An edit leaves the old status in place
// until the operator comes to it: that is not something the operator said.
func (r *Recorder) see(object any) {
	policy, ok := object.(*v1alpha1.RateLimitPolicy)
	if !ok {
		return
	}
	r.mu.Lock()
	before, known := r.last[policy.UID]
	r.last[policy.UID] = policy.Status
	if known && equality.Semantic.DeepEqual(before, policy.Status) {
		r.mu.Unlock()
		return
	}
	r.statuses++
	r.mu.Unlock()
	violations := Violations(policy)
	if known && policy.Status.ObservedGeneration < before.ObservedGeneration {
		violations = append(violations, fmt.Sprintf("observedGeneration went back from %d to %d",
			before.ObservedGeneration, policy.Status.ObservedGeneration))
	}
	for _, violation := range violations {
		r.add(fmt.Sprintf("%s/%s: %s\n%s", policy.Namespace, policy.Name, violation, dump(policy)))
	}
}

func (r *Recorder) add(finding string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.findings) < maxFindings {
		r.findings = append(r.findings, finding)
	}
}

func dump(policy *v1alpha1.RateLimitPolicy) string {
	shown := policy.DeepCopy()
	shown.ManagedFields = nil
	text, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
