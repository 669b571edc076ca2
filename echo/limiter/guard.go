package limiter

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// failuresToOpen is how many calls in a row must fail before the store is
	// left alone.
	failuresToOpen = 5
	// successesToClose is how many probes in a row must work before it is used again.
	successesToClose = 2
	// probeInterval is the mean time between probes; each differs by up to a
	// quarter, so that many processes do not probe at once.
	probeInterval = 100 * time.Millisecond
	// probeTimeout is longer than a decision's: a probe may have to dial.
	probeTimeout = 250 * time.Millisecond
)

// guard keeps a store that fails away from requests: after a few failures in a
// row no request waits for it, until probes of its own find it well.
type guard struct {
	store    Store
	timeout  func() time.Duration
	logger   *slog.Logger
	observer Observer

	open     atomic.Bool
	failures atomic.Int32

	mu     sync.Mutex
	closed bool
	stop   context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newGuard(store Store, timeout func() time.Duration, logger *slog.Logger, observer Observer) *guard {
	stop, cancel := context.WithCancel(context.Background())
	return &guard{store: store, timeout: timeout, logger: logger, observer: observer, stop: stop, cancel: cancel}
}

// call asks the store and reports whether it answered in time.
func (g *guard) call(ctx context.Context, timeout time.Duration, b *batch, peek bool) bool {
	if g.open.Load() || ctx.Err() != nil {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	if peek {
		err = g.store.Peek(limited, b.takes, b.answers)
	} else {
		err = g.store.Take(limited, b.takes, b.answers)
	}
	if err != nil {
		g.failed(ctx, err)
		return false
	}
	g.succeeded(b.answers)
	return true
}

func (g *guard) succeeded(answers []Answer) {
	if g.failures.Load() != 0 {
		g.failures.Store(0)
	}
	if g.observer == nil {
		return
	}
	for i := range answers {
		if answers[i].Corrupt {
			g.observer.StoreFailed(ReasonCorrupt)
		}
	}
}

// failed counts a failure, unless the request ended before the store had its time.
func (g *guard) failed(request context.Context, err error) {
	if request.Err() != nil {
		return
	}
	if g.observer != nil {
		g.observer.StoreFailed(reasonOf(err))
	}
	if g.failures.Add(1) >= failuresToOpen {
		g.trip(err)
	}
}

// trip opens the guard and starts the probes that will close it.
func (g *guard) trip(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.open.Load() {
		return
	}
	g.change(true)
	g.logger.Warn("store out, deciding in memory", "store", g.store.Name(), "reason", string(reasonOf(cause)), "error", cause)
	g.done.Add(1)
	go g.recover()
}

// recover probes until the store is well again or the guard is closed.
func (g *guard) recover() {
	defer g.done.Done()
	began := time.Now()
	for successes := 0; successes < successesToClose; {
		if !g.pause() {
			return
		}
		if g.probe() {
			successes++
		} else {
			successes = 0
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures.Store(0)
	g.change(false)
	g.logger.Info("store back", "store", g.store.Name(), "outage", time.Since(began))
}

// pause waits until the next probe is due and reports false when the guard ends.
func (g *guard) pause() bool {
	t := time.NewTimer(probeInterval*3/4 + rand.N(probeInterval/2)) //nolint:gosec // spreads probes, guards nothing
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-g.stop.Done():
		return false
	}
}

// probe asks the store once. A late answer may have paid for a new connection,
// which the next probe will find; it does not count as well.
func (g *guard) probe() bool {
	timeout := g.timeout()
	ctx, cancel := context.WithTimeout(g.stop, max(timeout, probeTimeout))
	defer cancel()
	began := time.Now()
	err := g.store.Ping(ctx)
	return err == nil && time.Since(began) <= timeout
}

func (g *guard) change(open bool) {
	g.open.Store(open)
	if g.observer != nil {
		g.observer.FallbackChanged(open)
	}
}

// close ends the probes.
func (g *guard) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.done.Wait()
}
