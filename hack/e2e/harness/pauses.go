package harness

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses are the times from one measured edit's end to the next one's start,
// evenly spread between Least and Most. The kubelet looks at its containers once
// a second, and lets a pod that it has just refreshed wait for that before it
// refreshes it again. Edits that follow each other at once would all start at
// the same point of that second, and measure nothing else.
type Pauses struct{ Least, Most time.Duration }

// SpreadOut lets edits hit every point of the kubelet's second alike.
func SpreadOut() Pauses { return Pauses{Least: time.Second, Most: 2 * time.Second} }

// Wait waits for one of the pauses, or until ctx ends.
func (p Pauses) Wait(ctx context.Context) error {
	timer := time.NewTimer(p.Least + rand.N(p.Most-p.Least+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
