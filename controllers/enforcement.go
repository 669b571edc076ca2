package controllers

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// enforcementTimer measures how long new limits take from the operator's first
// sight of them to the last pod's confirmation.
type enforcementTimer struct {
	clock     clock.PassiveClock
	histogram prometheus.Observer

	mu       sync.Mutex
	byPolicy map[types.NamespacedName]enforcing
}

type enforcing struct {
	hash  string
	since time.Time // zero once confirmed
}

func newEnforcementTimer(clk clock.PassiveClock, histogram prometheus.Observer) *enforcementTimer {
	return &enforcementTimer{clock: clk, histogram: histogram, byPolicy: map[types.NamespacedName]enforcing{}}
}

// wanted notes the limits that a policy's pods are to run. The first limits
// seen of a policy are not timed: their change may be long past.
func (t *enforcementTimer) wanted(policy types.NamespacedName, hash string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.byPolicy[policy]
	switch {
	case !known:
		t.byPolicy[policy] = enforcing{hash: hash}
	case last.hash != hash:
		t.byPolicy[policy] = enforcing{hash: hash, since: t.clock.Now()}
	}
}

// confirmed notes that all of the policy's pods run the limits.
func (t *enforcementTimer) confirmed(policy types.NamespacedName, hash string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.byPolicy[policy]
	if last.hash == hash && !last.since.IsZero() {
		t.histogram.Observe(t.clock.Since(last.since).Seconds())
		t.byPolicy[policy] = enforcing{hash: hash}
	}
}

func (t *enforcementTimer) forget(policy types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byPolicy, policy)
}
