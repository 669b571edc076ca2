package limiter_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// The numbers that quota headers carry, worked out by hand.
func TestQuotaNumbers(t *testing.T) {
	minute := limiter.Limit{Requests: 100, Burst: 20, Period: time.Minute}
	for name, c := range map[string]struct {
		in   limiter.RuleDecision
		want limiter.Quota
	}{
		"allowed": {
			limiter.RuleDecision{Rule: "r", Limit: minute, Cost: 1, Remaining: 19, ResetAfter: 600 * time.Millisecond},
			limiter.Quota{Rule: "r", Available: 19, WindowSeconds: 12, PolicyQuota: 100, PolicyWindowSeconds: 60, Burst: 20, Remaining: 19, ResetSeconds: 1},
		},
		"allowed, the last one": {
			limiter.RuleDecision{Limit: minute, Cost: 1, NextAfter: 600 * time.Millisecond, ResetAfter: 12 * time.Second},
			limiter.Quota{WindowSeconds: 1, PolicyQuota: 100, PolicyWindowSeconds: 60, Burst: 20, ResetSeconds: 12},
		},
		"denied": {
			limiter.RuleDecision{Limit: minute, Cost: 1, Denied: true, RetryAfter: 2*time.Second + 1, NextAfter: 2*time.Second + 1, ResetAfter: 12 * time.Second},
			limiter.Quota{WindowSeconds: 3, PolicyQuota: 100, PolicyWindowSeconds: 60, Burst: 20, ResetSeconds: 12},
		},
		"a cost of five, three tokens left": {
			limiter.RuleDecision{Limit: minute, Cost: 5, Remaining: 3, NextAfter: 1200 * time.Millisecond, ResetAfter: 10200 * time.Millisecond},
			limiter.Quota{WindowSeconds: 2, PolicyQuota: 100, PolicyWindowSeconds: 60, Burst: 20, Remaining: 3, ResetSeconds: 11},
		},
		"a burst of several periods": {
			limiter.RuleDecision{Limit: limiter.Limit{Requests: 10, Burst: 25, Period: time.Second}, Cost: 1, Remaining: 25},
			limiter.Quota{Available: 25, WindowSeconds: 3, PolicyQuota: 30, PolicyWindowSeconds: 3, Burst: 25, Remaining: 25},
		},
		"a period of half a second": {
			limiter.RuleDecision{Limit: limiter.Limit{Requests: 1, Burst: 1, Period: 500 * time.Millisecond}, Cost: 1, Remaining: 1},
			limiter.Quota{Available: 1, WindowSeconds: 1, PolicyQuota: 2, PolicyWindowSeconds: 1, Burst: 1, Remaining: 1},
		},
		"no limit at all": {limiter.RuleDecision{}, limiter.Quota{WindowSeconds: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.in.Quota(); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// Retry-After is told with denials only, rounded up, and never as 0.
func TestRetryAfterSeconds(t *testing.T) {
	for _, c := range []struct {
		d    limiter.Decision
		want int64
	}{
		{limiter.Decision{Outcome: limiter.Denied, RetryAfter: 1}, 1},
		{limiter.Decision{Outcome: limiter.Denied, RetryAfter: time.Second}, 1},
		{limiter.Decision{Outcome: limiter.Denied, RetryAfter: time.Second + 1}, 2},
		{limiter.Decision{Outcome: limiter.Denied}, 1},
		{limiter.Decision{Outcome: limiter.Forbidden}, 0},
		{limiter.Decision{Outcome: limiter.Unidentified}, 0},
		{limiter.Decision{}, 0},
	} {
		if got := c.d.RetryAfterSeconds(); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.d, got, c.want)
		}
	}
}

// A client that goes by the headers is never early and less than a second late
// (P5); the advertised rate is the limit's own, nothing promised exceeds it, and
// every number is one that a header may carry.
func TestHeadersKeepTheirPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		period := rapid.Int64Range(1, 31_536_000_000).Draw(t, "period ms")
		l := limiter.Limit{
			Requests: rapid.Int64Range(1, 1_000_000_000).Draw(t, "requests"),
			Burst:    rapid.Int64Range(1, min(1_000_000_000, 4_500_000_000_000_000/period)).Draw(t, "burst"),
			Period:   time.Duration(period) * time.Millisecond,
		}
		p := onePolicy(l)
		p.Rules[0].Cost = rapid.Int64Range(1, l.Burst).Draw(t, "cost")
		lim, err := limiter.New(p, nil, limiter.WithClock(c.now), limiter.WithMaxClients(8))
		if err != nil {
			t.Fatal(err)
		}
		defer lim.Close() //nolint:errcheck // never fails without a store
		for range 20 {
			d := lim.Decide(t.Context(), limiter.Request{Key: "a"})
			q := d.Rules[0].Quota()
			checkQuota(t, l, q)
			if d.Outcome == limiter.Denied {
				wait := time.Duration(d.RetryAfterSeconds()) * time.Second
				if wait < d.RetryAfter || wait >= d.RetryAfter+time.Second {
					t.Fatalf("Retry-After %s for a wait of %s", wait, d.RetryAfter)
				}
			}
			c.advance(time.Duration(rapid.Int64Range(0, int64(min(time.Hour, d.Rules[0].ResetAfter+1))).Draw(t, "step")))
		}
	})
}

func checkQuota(t *rapid.T, l limiter.Limit, q limiter.Quota) {
	t.Helper()
	rate := new(big.Rat).Mul(big.NewRat(l.Requests, int64(l.Period)), big.NewRat(int64(time.Second), 1))
	if big.NewRat(q.PolicyQuota, q.PolicyWindowSeconds).Cmp(rate) != 0 {
		t.Fatalf("%+v: q/w = %d/%d is not the limit's rate", l, q.PolicyQuota, q.PolicyWindowSeconds)
	}
	if q.Available > q.PolicyQuota || q.Remaining > q.Burst {
		t.Fatalf("%+v: more is available than there is", q)
	}
	if q.Available == 0 && q.WindowSeconds < 1 {
		t.Fatalf("%+v: nothing available and no wait told", q)
	}
	if q.Available > 0 && new(big.Rat).SetFrac64(q.Available, q.WindowSeconds).Cmp(rate) > 0 {
		t.Fatalf("%+v: r/t is above the limit's rate", q)
	}
	const sfMax = 999_999_999_999_999 // RFC 9651: fifteen digits
	for _, n := range []int64{q.Available, q.WindowSeconds, q.PolicyQuota, q.PolicyWindowSeconds, q.Burst, q.Remaining, q.ResetSeconds} {
		if n < 0 || n > sfMax {
			t.Fatalf("%+v: %d does not fit a header", q, n)
		}
	}
}
