package limiter_test

import (
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// both runs a test in memory and through Redis: a reload must do the same.
func both(t *testing.T, test func(t *testing.T, store limiter.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, nil) })
	t.Run("redis", func(t *testing.T) {
		test(t, redisstore.New(redistest.Start(t).Client(t)))
	})
}

func setPolicy(t *testing.T, l *limiter.Limiter, p limiter.Policy) {
	t.Helper()
	if err := l.SetPolicy(p); err != nil {
		t.Fatal(err)
	}
}

func remaining(t *testing.T, l *limiter.Limiter, key string) int64 {
	t.Helper()
	return l.Peek(t.Context(), limiter.Request{Key: key}).Rules[0].Remaining
}

// New limits give nobody a fresh bucket and take nothing from anybody but what
// the new burst cannot hold.
func TestReloadKeepsTokens(t *testing.T) {
	both(t, func(t *testing.T, store limiter.Store) {
		l := newLimiter(t, storePolicy(daily(10), 1, limiter.OutageShare), store)
		admit(t, l, "a", 6)
		for _, c := range []struct {
			limit limiter.Limit
			want  int64
		}{
			{daily(20), 4},
			{limiter.Limit{Requests: 1000, Burst: 20, Period: 365 * 24 * time.Hour}, 3},
			{daily(1), 1},
			{daily(10), 0},
		} {
			setPolicy(t, l, storePolicy(c.limit, 1, limiter.OutageShare))
			if got := remaining(t, l, "a"); got != c.want {
				t.Errorf("%d tokens after the change to %+v, want %d", got, c.limit, c.want)
			}
			if got := l.Allow("a"); got != (c.want > 0) {
				t.Errorf("a request with %d tokens left passed: %v", c.want, got)
			}
		}
	})
}

// An override that comes or goes changes a client's limit and not its bucket.
func TestOverrideKeepsTheBucket(t *testing.T) {
	both(t, func(t *testing.T, store limiter.Store) {
		l := newLimiter(t, storePolicy(daily(10), 1, limiter.OutageShare), store)
		admit(t, l, "acme", 7)
		p := storePolicy(daily(10), 1, limiter.OutageShare)
		p.Rules[0].Overrides = []limiter.Override{{Name: "gold", Values: []string{"acme"}, Limit: daily(100)}}
		setPolicy(t, l, p)
		if got := remaining(t, l, "acme"); got != 3 {
			t.Errorf("%d tokens after the override came, want the 3 that were left", got)
		}
	})
}

// A client that is refused all the time still moves to its new rate: the change
// is kept on refusals too.
func TestRefusedClientMovesToTheNewRate(t *testing.T) {
	c := newClock()
	l := newLimiter(t, onePolicy(daily(1)), nil, limiter.WithClock(c.now))
	l.Allow("a")
	if l.Allow("a") {
		t.Fatal("want an empty bucket")
	}
	setPolicy(t, l, onePolicy(perSecond(1, 1)))
	if l.Allow("a") {
		t.Fatal("the change gave a token")
	}
	c.advance(time.Second)
	if !l.Allow("a") {
		t.Error("a second later, at one a second, the client is still refused")
	}
}

// However many different limits follow each other, the list of those that
// buckets still need stays bounded, and no bucket is lost (it may not be full).
func TestManyReloads(t *testing.T) {
	c := newClock()
	l := newLimiter(t, onePolicy(daily(100)), nil, limiter.WithClock(c.now))
	admit(t, l, "a", 60)
	for i := range 5000 {
		setPolicy(t, l, onePolicy(limiter.Limit{Requests: int64(i + 1), Burst: 100, Period: 365 * 24 * time.Hour}))
		if i%1000 == 0 {
			l.Allow("a")
		}
	}
	if got := remaining(t, l, "a"); got != 35 {
		t.Errorf("%d tokens left, want the 35 that were not taken", got)
	}
}

// Reloads of ever new limits under load: exactly the burst passes.
func TestReloadUnderLoad(t *testing.T) {
	c := newClock()
	l := newLimiter(t, onePolicy(daily(500)), nil, limiter.WithClock(c.now))
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if l.Allow("hot") {
					passed.Add(1)
				}
			}
		})
	}
	for i := range 3000 {
		setPolicy(t, l, onePolicy(limiter.Limit{Requests: int64(i%2500 + 1), Burst: 500, Period: 365 * 24 * time.Hour}))
	}
	wg.Wait()
	// Each change rounds down by less than a token's smallest part, so a whole
	// token may be lost in all, and none is gained.
	if n := passed.Load(); n > 500 || n < 499 {
		t.Errorf("%d passed, want the burst of 500", n)
	}
}

// Whatever a policy's limits do over time, every client gets at most the largest
// burst and what the largest rate gives over the window (P2, P8), through the
// whole limiter, with several rules and clients at once.
func TestNothingExceedsTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		draw := func() limiter.Policy {
			var p limiter.Policy
			for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
				p.Rules = append(p.Rules, limiter.Rule{Name: fmt.Sprint("r", i), Limit: limiter.Limit{
					Requests: rapid.Int64Range(1, 1000).Draw(t, "requests"),
					Burst:    rapid.Int64Range(1, 50).Draw(t, "burst"),
					Period:   time.Duration(rapid.Int64Range(1, 100_000).Draw(t, "period")) * time.Millisecond,
				}})
			}
			return p
		}
		p := draw()
		l, err := limiter.New(p, nil, limiter.WithClock(c.now), limiter.WithMaxClients(64))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // never fails without a store
		start := c.now()
		admitted := map[string]int64{}
		rate, burst := rateOf(p), p.Rules[0].Limit.Burst
		for range 50 {
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				p = draw()
				if err := l.SetPolicy(p); err != nil {
					t.Fatal(err)
				}
				burst = max(burst, p.Rules[0].Limit.Burst)
				if r := rateOf(p); r.Cmp(rate) > 0 {
					rate = r
				}
			}
			c.advance(time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "step")))
			who := key(rapid.IntRange(0, 2).Draw(t, "client"))
			if l.Allow(who) {
				admitted[who]++
			}
		}
		bound := new(big.Rat).Mul(rate, big.NewRat(int64(c.now()-start), int64(time.Second)))
		bound.Add(bound, new(big.Rat).SetInt64(burst))
		for who, n := range admitted {
			if new(big.Rat).SetInt64(n).Cmp(bound) > 0 {
				t.Fatalf("%s: %d admitted, bound %s", who, n, bound.FloatString(3))
			}
		}
	})
}

// rateOf is the first rule's rate a second: the rule that every policy here has.
func rateOf(p limiter.Policy) *big.Rat {
	l := p.Rules[0].Limit
	return new(big.Rat).Mul(big.NewRat(l.Requests, int64(l.Period)), big.NewRat(int64(time.Second), 1))
}
