package telemetry

import (
	"sync"
	"time"
)

// Sampler lets one event through every interval and counts the others, so that a
// flood of denials is not a flood of log lines. It is safe for concurrent use.
type Sampler struct {
	interval time.Duration

	mu         sync.Mutex
	next       time.Time
	suppressed int64
}

// NewSampler returns a Sampler whose first event goes through.
func NewSampler(interval time.Duration) *Sampler {
	return &Sampler{interval: interval}
}

// Allow reports whether the event at now goes through, and if so how many were
// kept back since the last one that did.
func (s *Sampler) Allow(now time.Time) (suppressed int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		s.suppressed++
		return 0, false
	}
	suppressed, s.suppressed = s.suppressed, 0
	s.next = now.Add(s.interval)
	return suppressed, true
}
