package controllers

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/echo-operator/echo-operator/echo/config"
)

// Target is one pod to be asked which limits it runs.
type Target struct {
	UID       types.UID
	Namespace string
	Name      string
	// Address is the pod's IP; it may belong to another pod by the time it is asked.
	Address string
	// Serving changes make the pod be asked anew.
	Serving bool
}

// Asker asks one pod for its /configz. It obeys ctx and may be called by many
// goroutines at once.
type Asker interface {
	Ask(ctx context.Context, target Target) (config.Configz, error)
}

// Answer is the last thing heard from a pod.
type Answer struct {
	// Config is the zero value while Err is set or At is zero.
	Config config.Configz
	// Err is why the pod could not be asked; nil once it answered.
	Err error
	// At is when the answer came; zero when the pod was not asked yet.
	At time.Time
}

const (
	proberInFlight = 32
	// proberFailingInFlight keeps slots free for pods that answer, however many do not.
	proberFailingInFlight = proberInFlight / 2
	proberPerPolicy       = 4
	proberTimeout         = 500 * time.Millisecond
	proberRecheck         = 30 * time.Second
)

// Prober keeps asking pods which limits they run, apart from the reconcilers,
// so that pods which do not answer hold up nobody else: at most 32 questions
// are under way, 4 of one policy, each for at most 500 ms, and pods that failed
// last time use at most half of them.
type Prober struct {
	asker  Asker
	clock  clock.WithTicker
	notify func(ctx context.Context, policy types.NamespacedName)

	mu       sync.Mutex
	policies map[types.NamespacedName]*probedPolicy
	due      probeHeap
	ready    []*probedPod // may start as soon as a slot is free
	failing  []*probedPod // the same, for pods that failed last time
	inFlight int
	failed   int // of inFlight, how many failed last time
	wake     chan struct{}
	done     sync.WaitGroup
}

type probedPolicy struct {
	key types.NamespacedName
	// wantHash is the file hash that settles a pod.
	wantHash string
	pods     map[types.UID]*probedPod
	// admitted counts pods in flight or in a ready queue.
	admitted int
	waiting  []*probedPod
	// heardAll: every pod answered, or failed to, since the policy is watched.
	heardAll bool
}

type probedPod struct {
	policy  *probedPolicy
	target  Target
	answer  Answer
	dueAt   time.Time
	index   int // place in the heap, -1 outside
	tries   int // unsettled answers in a row
	busy    bool
	again   bool // something changed while the question was under way
	dropped bool
}

// NewProber returns a prober that calls notify, from many goroutines, with each
// policy of which a pod's answer changed; notify may wait until its ctx ends.
// The prober asks nobody before Start.
func NewProber(asker Asker, clk clock.WithTicker, notify func(context.Context, types.NamespacedName)) *Prober {
	return &Prober{
		asker: asker, clock: clk, notify: notify,
		policies: map[types.NamespacedName]*probedPolicy{},
		wake:     make(chan struct{}, 1),
	}
}

// Watch sets which pods of a policy are asked and the file hash that settles
// them. New pods, and all pods when the hash is new, are asked at once.
func (p *Prober) Watch(policy types.NamespacedName, wantHash string, targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := p.policies[policy]
	if entry == nil {
		entry = &probedPolicy{key: policy, pods: map[types.UID]*probedPod{}}
		p.policies[policy] = entry
	}
	newHash := entry.wantHash != wantHash
	entry.wantHash = wantHash
	keep := make(map[types.UID]bool, len(targets))
	for _, target := range targets {
		keep[target.UID] = true
		pod := entry.pods[target.UID]
		switch {
		case pod == nil:
			pod = &probedPod{policy: entry, target: target, index: -1}
			entry.pods[target.UID] = pod
			p.askNow(pod)
		case newHash || pod.target != target:
			pod.target = target
			p.askNow(pod)
		}
	}
	for uid, pod := range entry.pods {
		if !keep[uid] {
			p.drop(pod)
			delete(entry.pods, uid)
		}
	}
	p.kick()
}

// Recheck asks all pods of the policy at once, as when their store went away or came back.
func (p *Prober) Recheck(policy types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry := p.policies[policy]; entry != nil {
		for _, pod := range entry.pods {
			p.askNow(pod)
		}
		p.kick()
	}
}

// Forget stops asking the policy's pods.
func (p *Prober) Forget(policy types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry := p.policies[policy]; entry != nil {
		for _, pod := range entry.pods {
			p.drop(pod)
		}
		delete(p.policies, policy)
	}
}

// Answers returns the last answer of each of the policy's pods that has one.
func (p *Prober) Answers(policy types.NamespacedName) map[types.UID]Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := map[types.UID]Answer{}
	if entry := p.policies[policy]; entry != nil {
		for uid, pod := range entry.pods {
			if !pod.answer.At.IsZero() {
				answers[uid] = pod.answer
			}
		}
	}
	return answers
}

// HeardAll reports whether all of the policy's pods were asked at least once
// since it is watched; pods that came later do not take that back.
func (p *Prober) HeardAll(policy types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := p.policies[policy]
	if entry == nil {
		return false
	}
	for _, pod := range entry.pods {
		if !entry.heardAll && pod.answer.At.IsZero() {
			return false
		}
	}
	entry.heardAll = true
	return true
}

// NeedLeaderElection makes a manager start the prober on the leader only.
func (p *Prober) NeedLeaderElection() bool { return true }

// Start asks until ctx ends and returns when no question is under way.
func (p *Prober) Start(ctx context.Context) error {
	defer p.done.Wait()
	for {
		wait := p.dispatch(ctx)
		timer := p.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.wake:
			timer.Stop()
		case <-timer.C():
		}
	}
}

func (p *Prober) askNow(pod *probedPod) {
	pod.tries = 0
	if pod.busy {
		pod.again = true
		return
	}
	pod.dueAt = p.clock.Now()
	if pod.index >= 0 {
		heap.Fix(&p.due, pod.index)
	} else {
		heap.Push(&p.due, pod)
	}
}

func (p *Prober) drop(pod *probedPod) {
	pod.dropped = true
	if pod.index >= 0 {
		heap.Remove(&p.due, pod.index)
	}
}

func (p *Prober) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
