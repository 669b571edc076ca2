package limiter_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// generous is a store timeout that a busy test machine does not exceed by chance.
const generous = 300 * time.Millisecond

// daily is a limit whose bucket does not refill while a test runs.
func daily(burst int64) limiter.Limit {
	return limiter.Limit{Requests: 1, Burst: burst, Period: 24 * time.Hour}
}

func storePolicy(l limiter.Limit, replicas int, o limiter.OutageBehaviour) limiter.Policy {
	return limiter.Policy{
		Rules:    []limiter.Rule{{Name: "only", Limit: l}},
		Replicas: replicas, OnOutage: o, StoreTimeout: generous,
	}
}

func openStore(t *testing.T, s *redistest.Server) *redisstore.Store {
	t.Helper()
	store, err := redisstore.Open(redisstore.Config{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// eventually waits for a condition, for as long as a slow machine may need.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("timed out: %s", what)
		case <-tick.C:
		}
	}
}

// admit asks n times and returns how often the request passed, and from where.
func admit(t *testing.T, l *limiter.Limiter, key string, n int) (passed int64, sources map[limiter.Source]int) {
	t.Helper()
	sources = map[limiter.Source]int{}
	for range n {
		d := l.Decide(t.Context(), limiter.Request{Key: key})
		sources[d.Source]++
		if d.Allowed() {
			passed++
		}
	}
	return passed, sources
}

// Several limiters that share Redis share the buckets, rules and overrides included.
func TestSharedThroughRedis(t *testing.T) {
	store := openStore(t, redistest.Start(t))
	var passed int64
	for range 3 {
		l := newLimiter(t, storePolicy(daily(10), 3, limiter.OutageShare), store)
		eventually(t, "the store answers", func() bool {
			return l.Peek(t.Context(), limiter.Request{Key: "a"}).Source == limiter.SourceStore
		})
		n, sources := admit(t, l, "a", 6)
		passed += n
		if sources[limiter.SourceStore] != 6 {
			t.Errorf("decided by %v, want the store alone", sources)
		}
	}
	if passed != 10 {
		t.Errorf("three limiters let %d pass, want the shared burst of 10", passed)
	}
}

// When Redis dies decisions go on at once, bounded by this replica's share, and
// return to Redis when it is back.
func TestOutageAndReturn(t *testing.T) {
	for name, fail := range map[string]struct{ out, back func(*redistest.Server) }{
		"killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"hung":   {(*redistest.Server).Pause, (*redistest.Server).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			rec := &recorder{}
			l := newLimiter(t, storePolicy(daily(10), 3, limiter.OutageShare), openStore(t, server), limiter.WithObserver(rec))
			if got := l.State(); got != (limiter.State{Type: "redis", State: "ok"}) {
				t.Errorf("state %+v before", got)
			}
			fail.out(server)
			passed, sources := admit(t, l, "a", 20)
			if passed != 3 || sources[limiter.SourceFallback] != 20 {
				t.Errorf("%d passed by %v, want a third of the burst, 3, by the fallback", passed, sources)
			}
			if got := l.State(); got != (limiter.State{Type: "redis", State: "fallback"}) {
				t.Errorf("state %+v in the outage", got)
			}
			fail.back(server)
			eventually(t, "decisions are the store's again", func() bool {
				return l.Peek(t.Context(), limiter.Request{Key: "b"}).Source == limiter.SourceStore
			})
			if got := l.State().State; got != "ok" {
				t.Errorf("state %q after", got)
			}
			rec.expect(t, map[string]int{"only fallback_allowed": 3, "only fallback_denied": 17})
			rec.mu.Lock()
			defer rec.mu.Unlock()
			if len(rec.fallbacks) != 2 || !rec.fallbacks[0] || rec.fallbacks[1] {
				t.Errorf("transitions %v, want into the fallback and out of it", rec.fallbacks)
			}
			if rec.places["fallback"] != 20 {
				t.Errorf("decisions by place %v", rec.places)
			}
		})
	}
}

// All replicas that lost the store let no more pass together than the limit,
// also for a cost that does not divide evenly.
func TestSharesAddUp(t *testing.T) {
	for name, c := range map[string]struct {
		burst, cost, want int64
		replicas          int
	}{
		"even":                         {12, 1, 12, 4},
		"uneven rounds down":           {14, 1, 12, 4},
		"one token each at the least":  {2, 1, 4, 4},
		"one request each, whatever c": {5, 3, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			p := storePolicy(daily(c.burst), c.replicas, limiter.OutageShare)
			p.Rules[0].Cost = c.cost
			var passed int64
			for range c.replicas {
				n, _ := admit(t, newLimiter(t, p, deadStore{}), "a", 20)
				passed += n
			}
			if passed != c.want {
				t.Errorf("%d replicas let %d pass, want %d", c.replicas, passed, c.want)
			}
		})
	}
}

// A share refills at exactly its part of the rate.
func TestShareOfTheRate(t *testing.T) {
	c := newClock()
	p := storePolicy(limiter.Limit{Requests: 10, Burst: 3, Period: time.Second}, 3, limiter.OutageShare)
	l := newLimiter(t, p, deadStore{}, limiter.WithClock(c.now))
	if !l.Allow("a") {
		t.Fatal("refused with a full share")
	}
	d := l.Decide(t.Context(), limiter.Request{Key: "a"})
	if d.RetryAfter != 300*time.Millisecond {
		t.Errorf("wait %s, want the 300ms of a third of 10 a second", d.RetryAfter)
	}
	if d.Rules[0].Limit.Requests != 10 {
		t.Errorf("the limit told is %+v, want the policy's", d.Rules[0].Limit)
	}
}

// The other behaviours in an outage.
func TestOutageBehaviours(t *testing.T) {
	for name, c := range map[string]struct {
		behaviour limiter.OutageBehaviour
		want      int64
	}{
		"full":  {limiter.OutageFull, 10},
		"allow": {limiter.OutageAllow, 20},
		"deny":  {limiter.OutageDeny, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter(t, storePolicy(daily(10), 3, c.behaviour), deadStore{})
			passed, sources := admit(t, l, "a", 20)
			if passed != c.want || sources[limiter.SourceFallback] != 20 {
				t.Errorf("%d passed by %v, want %d", passed, sources, c.want)
			}
			d := l.Decide(t.Context(), limiter.Request{Key: "a"})
			if len(d.Rules) != 1 || (d.Outcome == limiter.Denied) != (d.RetryAfter > 0) {
				t.Errorf("%+v, want one rule and a wait exactly with a denial", d)
			}
		})
	}
}

// Rules that only watch do not refuse in an outage either.
func TestShadowInAnOutage(t *testing.T) {
	rec := &recorder{}
	p := storePolicy(daily(1), 1, limiter.OutageDeny)
	p.Rules[0].Mode = limiter.Shadow
	l := newLimiter(t, p, deadStore{}, limiter.WithObserver(rec))
	if !l.Allow("a") {
		t.Error("a shadow rule refused")
	}
	rec.expect(t, map[string]int{"only shadow_denied": 1})
}

// Requests that end early say nothing about the store.
func TestCancelledRequestsAreNotFailures(t *testing.T) {
	l := newLimiter(t, storePolicy(daily(100), 1, limiter.OutageFull), openStore(t, redistest.Start(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if d := l.Decide(ctx, limiter.Request{Key: "a"}); d.Source != limiter.SourceFallback {
			t.Fatalf("decided by %v, want the fallback", d.Source)
		}
	}
	if got := l.State().State; got != "ok" {
		t.Errorf("state %q: cancelled requests opened the breaker", got)
	}
}

// Neither do requests that end while the store is being asked.
func TestRequestsCancelledUnderWayAreNotFailures(t *testing.T) {
	s := &cancellingStore{}
	l := newLimiter(t, storePolicy(daily(100), 1, limiter.OutageFull), s)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		s.cancel = cancel
		if d := l.Decide(ctx, limiter.Request{Key: "a"}); d.Source != limiter.SourceFallback {
			t.Fatalf("decided by %v, want the fallback", d.Source)
		}
	}
	if got := l.State().State; got != "ok" {
		t.Errorf("state %q: cancelled requests opened the breaker", got)
	}
}

// A store that fails now and then, but never five times in a row, is kept.
func TestSporadicFailuresDoNotOpen(t *testing.T) {
	s := &flakyStore{}
	l := newLimiter(t, storePolicy(daily(100), 1, limiter.OutageFull), s)
	for range 10 {
		s.failures.Store(4)
		for range 5 {
			l.Allow("a")
		}
	}
	if got := l.State().State; got != "ok" {
		t.Errorf("state %q after 4 failures in a row", got)
	}
	s.failures.Store(5)
	for range 5 {
		l.Allow("a")
	}
	if got := l.State().State; got != "fallback" {
		t.Errorf("state %q after 5 failures in a row", got)
	}
	if s.calls.Load() != 55 {
		t.Errorf("%d calls", s.calls.Load())
	}
	l.Allow("a")
	if s.calls.Load() != 55 {
		t.Error("a request waited for a store that is known to be out")
	}
	eventually(t, "two good probes close the breaker", func() bool { return l.State().State == "ok" })
	if s.pings.Load() < 2 {
		t.Errorf("closed after %d probes", s.pings.Load())
	}
}

// A limiter closed in the middle of an outage leaves no goroutine.
func TestCloseInAnOutage(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	l, err := limiter.New(storePolicy(daily(10), 1, limiter.OutageShare), deadStore{})
	if err != nil {
		t.Fatal(err)
	}
	admit(t, l, "a", 6)
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	admit(t, l, "a", 6)
	goleak.VerifyNone(t, ignore)
}

// Redis comes and goes under load: what passes stays within the bound for that
// many changes, burst + one more burst and one token a replica for each change or
// loss of data, and no decision is missing.
func TestBoundOverTransitions(t *testing.T) {
	const replicas, burst, rounds = 3, 30, 2
	server := redistest.Start(t)
	var limiters []*limiter.Limiter
	var recs []*recorder
	for range replicas {
		rec := &recorder{}
		recs = append(recs, rec)
		limiters = append(limiters, newLimiter(t, storePolicy(daily(burst), replicas, limiter.OutageShare), openStore(t, server), limiter.WithObserver(rec)))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var passed, asked atomic.Int64
	for _, l := range limiters {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if l.Allow("hot") {
					passed.Add(1)
				}
			}
		})
	}
	all := func(state string) func() bool {
		return func() bool {
			for _, l := range limiters {
				if l.State().State != state {
					return false
				}
			}
			return true
		}
	}
	for range rounds {
		server.Kill()
		eventually(t, "every replica falls back", all("fallback"))
		server.Restart()
		eventually(t, "every replica is back", all("ok"))
	}
	close(stop)
	wg.Wait()
	// Each round loses Redis' data once and changes the breaker twice.
	const bound = (1 + 3*rounds) * (burst + replicas)
	if n := passed.Load(); n > bound || n < burst {
		t.Errorf("%d passed, want from %d to %d", n, burst, bound)
	}
	var counted int64
	for _, r := range recs {
		r.mu.Lock()
		for _, n := range r.outcomes {
			counted += int64(n)
		}
		r.mu.Unlock()
	}
	if counted != asked.Load() {
		t.Errorf("%d decisions counted of %d asked", counted, asked.Load())
	}
}

// deadStore fails at once.
type deadStore struct{}

var errDead = errors.New("dead")

func (deadStore) Name() string { return "dead" }

func (deadStore) Take(context.Context, []limiter.Take, []limiter.Answer) error { return errDead }

func (deadStore) Peek(context.Context, []limiter.Take, []limiter.Answer) error { return errDead }

func (deadStore) Reset(context.Context, []limiter.Key) error { return errDead }

func (deadStore) Ping(context.Context) error { return errDead }

// cancellingStore ends the request that asks it.
type cancellingStore struct {
	deadStore
	cancel context.CancelFunc
}

func (s *cancellingStore) Take(ctx context.Context, _ []limiter.Take, _ []limiter.Answer) error {
	s.cancel()
	<-ctx.Done()
	return ctx.Err()
}

// flakyStore fails as often as it is told and then admits everything.
type flakyStore struct {
	failures, calls, pings atomic.Int64
}

func (s *flakyStore) Name() string { return "flaky" }

func (s *flakyStore) Take(context.Context, []limiter.Take, []limiter.Answer) error {
	s.calls.Add(1)
	if s.failures.Add(-1) >= 0 {
		return errDead
	}
	return nil
}

func (s *flakyStore) Peek(ctx context.Context, b []limiter.Take, a []limiter.Answer) error {
	return s.Take(ctx, b, a)
}

func (s *flakyStore) Reset(context.Context, []limiter.Key) error { return nil }

func (s *flakyStore) Ping(context.Context) error {
	s.pings.Add(1)
	return nil
}
