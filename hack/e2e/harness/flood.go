package harness

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// floodWorkers send in turn, so that a slow answer does not lower the rate.
const floodWorkers = 96

// Flood offers requests to pods at an even rate, to each pod in turn.
type Flood struct {
	Pods []corev1.Pod
	Key  string
	// PerSecond is how many requests are offered; For is how long.
	PerSecond int
	For       time.Duration
}

// Tally is what came of a flood.
type Tally struct {
	Offered, Admitted, Denied int
	// Others counts answers that are neither 200 nor 429, Failed what got no answer.
	Others, Failed int
	// Longest is from the first request's start to the last answer's end,
	// Shortest from the first answer's end to the last request's start: the
	// pods' decisions lie between the two.
	Longest, Shortest time.Duration
	// Example is one of Others or Failed, in words.
	Example string

	firstSent, firstReceived, lastSent, lastReceived time.Time
}

// Run sends until the time is over or ctx ends, and waits for all answers.
func (k *Kube) Run(ctx context.Context, f Flood) Tally {
	var mu sync.Mutex
	var tally Tally
	var workers sync.WaitGroup
	turns := make(chan int, f.PerSecond) // a second's worth of delay at most
	for range floodWorkers {
		workers.Go(func() {
			for turn := range turns {
				reply, err := k.Ask(ctx, &f.Pods[turn%len(f.Pods)], f.Key)
				mu.Lock()
				tally.add(reply, err)
				mu.Unlock()
			}
		})
	}
	pace(ctx, f, turns)
	close(turns)
	workers.Wait()
	tally.finish()
	return tally
}

func (t *Tally) finish() {
	t.Longest = t.lastReceived.Sub(t.firstSent)
	t.Shortest = t.lastSent.Sub(t.firstReceived)
}

// pace hands out turns by the clock: what a late tick missed it hands out at once.
func pace(ctx context.Context, f Flood, turns chan<- int) {
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	total := int(f.For.Seconds() * float64(f.PerSecond))
	for handed := 0; handed < total; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := min(total, int(time.Since(began).Seconds()*float64(f.PerSecond)))
		for ; handed < due; handed++ {
			select {
			case <-ctx.Done():
				return
			case turns <- handed:
			}
		}
	}
}

func (t *Tally) add(reply Reply, err error) {
	t.Offered++
	switch {
	case err != nil:
		t.Failed++
		t.Example = err.Error()
		return
	case reply.Status == http.StatusOK:
		t.Admitted++
	case reply.Status == http.StatusTooManyRequests:
		t.Denied++
	default:
		t.Others++
		t.Example = fmt.Sprintf("status %d: %s", reply.Status, reply.Body)
	}
	t.firstSent, t.firstReceived = earlier(t.firstSent, reply.Sent), earlier(t.firstReceived, reply.Received)
	t.lastSent, t.lastReceived = later(t.lastSent, reply.Sent), later(t.lastReceived, reply.Received)
}

// AllAnswered is nil when each request got 200 or 429.
func (t Tally) AllAnswered() error {
	if t.Others+t.Failed > 0 {
		return fmt.Errorf("expected 200 or 429 for each of %d requests, got %d other answers and %d without one; one of them: %s",
			t.Offered, t.Others, t.Failed, t.Example)
	}
	return nil
}

// Bounds are the least and the most that a bucket admits that was full at the
// start and never lacked demand: burst + rate * time, by the shortest and the
// longest time that the decisions can have taken.
func (t Tally) Bounds(burst int64, perSecond float64) (least, most float64) {
	return float64(burst) + perSecond*t.Shortest.Seconds(), float64(burst) + perSecond*t.Longest.Seconds()
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
