package limiter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxClients is how many buckets a limiter keeps in memory.
const DefaultMaxClients = 262144

// maxMaxClients bounds the table to about 40 GB.
const maxMaxClients = 1 << 30

// resetTimeout bounds [Limiter.Reset] where its caller sets no earlier deadline.
const resetTimeout = time.Second

// Limiter decides requests by a policy that can be replaced at any time. All
// its methods can be called by many goroutines at once.
type Limiter struct {
	policy atomic.Pointer[compiled]
	// policyMu orders SetPolicy and Close.
	policyMu sync.Mutex
	closed   atomic.Bool

	table    *table
	store    Store
	guard    *guard
	clock    func() time.Duration
	observer Observer
}

// Option changes how [New] makes a limiter.
type Option func(*settings)

type settings struct {
	clock      func() time.Duration
	observer   Observer
	logger     *slog.Logger
	maxClients int
}

// WithClock sets the clock: the time since any fixed moment, never negative. A
// clock that steps back earns no tokens. The default, and nil, is the process's monotonic
// clock. Shared buckets go by the store's clock whatever is set here.
func WithClock(now func() time.Duration) Option {
	return func(s *settings) {
		if now != nil {
			s.clock = now
		}
	}
}

// WithObserver sets who is told of decisions, such as a metrics exporter.
func WithObserver(o Observer) Option {
	return func(s *settings) { s.observer = o }
}

// WithLogger sets where the start and end of a store's outage are logged. The
// default, and nil, is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) {
		if l != nil {
			s.logger = l
		}
	}
}

// WithMaxClients bounds the buckets kept in memory, at 40 bytes each; it is
// rounded up to a multiple of 8. The default is [DefaultMaxClients].
func WithMaxClients(n int) Option {
	return func(s *settings) { s.maxClients = n }
}

// New returns a limiter that enforces p. With a nil store its buckets are in
// this process's memory; with one they are shared through it, and memory serves
// while it is out. The store stays the caller's, to be closed after the limiter.
func New(p Policy, store Store, opts ...Option) (*Limiter, error) {
	start := time.Now()
	s := settings{
		clock:      func() time.Duration { return time.Since(start) },
		logger:     slog.New(slog.DiscardHandler),
		maxClients: DefaultMaxClients,
	}
	for _, o := range opts {
		o(&s)
	}
	if s.maxClients < 1 || s.maxClients > maxMaxClients {
		return nil, fmt.Errorf("max clients must be from 1 to %d, got %d", maxMaxClients, s.maxClients)
	}
	l := &Limiter{table: newTable(s.maxClients), store: store, clock: s.clock, observer: s.observer}
	if store != nil {
		l.guard = newGuard(store, l.storeTimeout, s.logger, s.observer)
	}
	if l.observer != nil {
		l.observer.Attach(l.Stats)
	}
	if err := l.SetPolicy(p); err != nil {
		return nil, err
	}
	return l, nil
}

// SetPolicy replaces the policy at once for all decisions that begin later.
// Buckets keep the tokens they hold, up to the new burst: a change of limits
// gives nobody a fresh bucket and locks nobody out. A policy with a mistake is
// refused with an error that wraps [ErrInvalidLimit], [ErrCostExceedsBurst] or
// [ErrInvalidPolicy], and the one before stays.
func (l *Limiter) SetPolicy(p Policy) error {
	c, err := compile(p, l.store != nil)
	if err != nil {
		return err
	}
	l.policyMu.Lock()
	defer l.policyMu.Unlock()
	if l.closed.Load() {
		return ErrClosed
	}
	// Told first, so that no decision by a new rule goes uncounted.
	if l.observer != nil {
		l.observer.PolicyChanged(c.ruleNames())
	}
	l.table.publish(c, l.now(), func(c *compiled) { l.policy.Store(c) })
	return nil
}

// Policy returns the policy that decides now, with its defaults filled in.
func (l *Limiter) Policy() Policy { return l.policy.Load().policy }

// State is where decisions are made now.
type State struct {
	// Type is "memory" or the store's name.
	Type string
	// State is "ok", or "fallback" while the store is out.
	State string
}

// State returns where decisions are made now.
func (l *Limiter) State() State {
	switch {
	case l.store == nil:
		return State{Type: "memory", State: "ok"}
	case l.guard.open.Load():
		return State{Type: l.store.Name(), State: "fallback"}
	default:
		return State{Type: l.store.Name(), State: "ok"}
	}
}

// Stats returns what the limiter holds in memory.
func (l *Limiter) Stats() Stats { return l.table.stats() }

// Reset makes the buckets full that key names in the rules without an Identify
// function, in memory and in the store. It waits a second at most.
func (l *Limiter) Reset(ctx context.Context, key string) error {
	if l.closed.Load() {
		return ErrClosed
	}
	keys := l.policy.Load().keysOf(key)
	for i := range keys {
		l.table.forget(&keys[i])
	}
	if l.store == nil || len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resetTimeout)
	defer cancel()
	if err := l.store.Reset(ctx, keys); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

func (c *compiled) keysOf(key string) []Key {
	var keys []Key
	for i := range c.rules {
		if c.rules[i].rule.Identify != nil {
			continue
		}
		k, _ := newKey(nil, c.shortID, c.rules[i].prefix, []string{key})
		keys = append(keys, k)
	}
	return keys
}

// Close ends what the limiter does in the background. Decisions made after it
// are made in memory; the store is left to its owner.
func (l *Limiter) Close() error {
	l.policyMu.Lock()
	l.closed.Store(true)
	l.policyMu.Unlock()
	if l.guard != nil {
		l.guard.close()
	}
	return nil
}

func (l *Limiter) now() int64 { return int64(l.clock()) }

func (l *Limiter) storeTimeout() time.Duration { return l.policy.Load().policy.StoreTimeout }
