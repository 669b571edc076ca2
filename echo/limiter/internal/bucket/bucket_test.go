package bucket_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

const maxBurstPeriodMillis = 4_500_000_000_000_000

// limit is what a user writes.
type limit struct {
	requests, burst, periodMicros int64
}

// world is a clock and the reduction that goes with it.
type world struct {
	name     string
	perMicro int64
	reduce   func(requests, burst, periodMicros int64) (bucket.Spec, bool)
}

var worlds = []world{
	{"process", 1000, bucket.InProcess},
	{"shared", 1, bucket.Shared},
}

// drawScaled draws from 1 to most, small and huge numbers alike.
func drawScaled(t *rapid.T, most int64, label string) int64 {
	bits := rapid.IntRange(0, 40).Draw(t, label+" bits")
	return rapid.Int64Range(1, min(most, 1<<bits)).Draw(t, label)
}

func drawLimit(t *rapid.T) limit {
	periodMillis := drawScaled(t, 31_536_000_000, "period ms")
	return limit{
		requests:     drawScaled(t, 1_000_000_000, "requests"),
		burst:        drawScaled(t, min(1_000_000_000, maxBurstPeriodMillis/periodMillis), "burst"),
		periodMicros: periodMillis * 1000,
	}
}

// extremes are ordinary daily quotas and the corners of what is allowed.
var extremes = []limit{
	{1, 1, 1000},
	{100_000, 100_000, 86_400_000_000},
	{1_000_000, 1_000_000, 86_400_000_000},
	{100, 20, 60_000_000},
	{1, 1, 31_536_000_000_000},
	{999_999_937, 142_694, 31_536_000_000_000},
	{1, 1_000_000_000, 4_500_000_000},
	{999_999_937, 1_000_000_000, 4_500_000_000},
	{7, 1_000_000_000, 4_500_000},
	{7, 1_000_000_000, 4_501_000},
	{1_000_000_000, 1_000_000_000, 1000},
}

func drawAnyLimit(t *rapid.T) limit {
	if i := rapid.IntRange(0, 2*len(extremes)).Draw(t, "extreme"); i < len(extremes) {
		return extremes[i]
	}
	return drawLimit(t)
}

func (w world) spec(t *rapid.T, l limit) bucket.Spec {
	s, ok := w.reduce(l.requests, l.burst, l.periodMicros)
	if !ok {
		t.Fatalf("%s: %+v has no spec", w.name, l)
	}
	return s
}

// oracle is the bucket that the documentation describes, in exact fractions, on
// a clock that shows whole ticks.
type oracle struct {
	tokens *big.Rat
	rate   *big.Rat // tokens in a unit of the clock
	burst  *big.Rat
	tick   int64
	last   int64
}

func (w world) oracle(l limit, s bucket.Spec, now int64) *oracle {
	burst := new(big.Rat).SetInt64(l.burst)
	return &oracle{
		tokens: burst, burst: burst, tick: s.Tick, last: now - now%s.Tick,
		rate: big.NewRat(l.requests, l.periodMicros*w.perMicro),
	}
}

func (o *oracle) settle(now int64) {
	at := now - now%o.tick
	if at <= o.last {
		return
	}
	earned := new(big.Rat).Mul(o.rate, new(big.Rat).SetInt64(at-o.last))
	o.tokens = new(big.Rat).Add(o.tokens, earned)
	if o.tokens.Cmp(o.burst) > 0 {
		o.tokens = o.burst
	}
	o.last = at
}

func (o *oracle) take(cost int64) bool {
	c := new(big.Rat).SetInt64(cost)
	if o.tokens.Cmp(c) < 0 {
		return false
	}
	o.tokens = new(big.Rat).Sub(o.tokens, c)
	return true
}

func (o *oracle) whole() int64 {
	return new(big.Int).Quo(o.tokens.Num(), o.tokens.Denom()).Int64()
}

// latestClock is where the tests' clocks end: 146 years of nanoseconds.
const latestClock = 1 << 62

// drawStep draws how far the clock moves, with the interesting distances of the
// bucket among them: none, a fraction of a tick, just before and at a wait, and back.
func drawStep(t *rapid.T, s bucket.Spec, st bucket.State, cost, now int64) int64 {
	left := latestClock - now
	wait := min(left, s.Wait(st, cost, now))
	return rapid.OneOf(
		rapid.Just(int64(0)), rapid.Just(min(left, 1)), rapid.Just(min(left, s.Tick)), rapid.Just(min(left, s.Tick-1)),
		rapid.Just(wait), rapid.Just(max(0, wait-1)),
		rapid.Int64Range(0, wait),
		rapid.Int64Range(0, min(left, 1<<50)),
		rapid.Int64Range(-min(now, 1_000_000), 0),
	).Draw(t, "step")
}

// Every decision and every number of tokens told is that of the oracle (P1, P3),
// with the clock stepping back at times (P7).
func TestDecisionsEqualTheOracle(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, rapid.MakeCheck(func(t *rapid.T) {
			l := drawAnyLimit(t)
			s := w.spec(t, l)
			now := rapid.Int64Range(0, 1<<50).Draw(t, "start")
			st, o := s.Fresh(now), w.oracle(l, s, now)
			for range 60 {
				cost := drawScaled(t, l.burst, "cost")
				now += drawStep(t, s, st, cost, now)
				st = s.Settle(st, now)
				o.settle(now)
				if got, want := s.HasRoom(st, cost), o.take(cost); got != want {
					t.Fatalf("%+v: room for %d = %v, oracle says %v", l, cost, got, want)
				} else if got {
					st = s.Take(st, cost)
				}
				if got, want := s.Tokens(st), o.whole(); got != want {
					t.Fatalf("%+v: %d tokens, oracle has %d", l, got, want)
				}
			}
		}))
	}
}

// The tokens told are exactly those that can be taken (P4), each take lowers
// them by its cost, and without takes they never fall (P6).
func TestTokensToldAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.IntRange(0, 1).Draw(t, "world")]
		s := w.spec(t, drawAnyLimit(t))
		now := rapid.Int64Range(0, 1<<50).Draw(t, "start")
		st := s.Take(s.Fresh(now), rapid.Int64Range(1, s.Burst).Draw(t, "taken"))
		for range 10 {
			before := s.Tokens(st)
			now += drawStep(t, s, st, 1, now)
			st = s.Settle(st, now)
			left := s.Tokens(st)
			if left < before {
				t.Fatalf("tokens fell from %d to %d without a take", before, left)
			}
			if left > 0 && !s.HasRoom(st, left) {
				t.Fatalf("%d tokens told, but no room for them", left)
			}
			if left < s.Burst && s.HasRoom(st, left+1) {
				t.Fatalf("%d tokens told, but there is room for one more", left)
			}
			if left > 0 {
				cost := rapid.Int64Range(1, left).Draw(t, "cost")
				if st = s.Take(st, cost); s.Tokens(st) != left-cost {
					t.Fatalf("taking %d of %d left %d", cost, left, s.Tokens(st))
				}
			}
		}
	})
}

// A wait told is the shortest that helps: one unit of the clock less is too
// early (P5). The same holds for the time until the bucket is full.
func TestWaitIsMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.IntRange(0, 1).Draw(t, "world")]
		s := w.spec(t, drawAnyLimit(t))
		now := rapid.Int64Range(1<<21, 1<<50).Draw(t, "start")
		st := s.Take(s.Fresh(now), drawScaled(t, s.Burst, "taken"))
		now += rapid.Int64Range(-1_000_000, 1<<40).Draw(t, "later")
		st = s.Settle(st, now)
		cost := drawScaled(t, s.Burst, "cost")
		if wait := s.Wait(st, cost, now); wait == bucket.MaxWait {
			t.Skip("longer than can be told")
		} else if wait > 0 {
			if s.HasRoom(s.Settle(st, now+wait-1), cost) || !s.HasRoom(s.Settle(st, now+wait), cost) {
				t.Fatalf("%+v: a wait of %d is not the shortest", s, wait)
			}
		} else if !s.HasRoom(st, cost) {
			t.Fatal("no wait told where there is no room")
		}
		if full := s.Full(st, now); full > 0 && full < bucket.MaxWait {
			if s.Settle(st, now+full-1).Debt == 0 || s.Settle(st, now+full).Debt != 0 {
				t.Fatalf("%+v: full in %d is not the shortest", s, full)
			}
		}
	})
}

// Whatever order clock values arrive in, no more is admitted than the burst and
// what the time between the earliest and the latest earns (P2, P7).
func TestNoOrderOfClockValuesMints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.IntRange(0, 1).Draw(t, "world")]
		l := drawAnyLimit(t)
		s := w.spec(t, l)
		start := rapid.Int64Range(0, 1<<50).Draw(t, "start")
		start -= start % s.Tick
		period := l.periodMicros * w.perMicro
		st := s.Fresh(start)
		latest, admitted := start, new(big.Rat)
		for range 40 {
			now := start + rapid.Int64Range(0, min(2*period, 1<<60)).Draw(t, "now")
			latest = max(latest, now)
			st = s.Settle(st, now)
			if cost := drawScaled(t, l.burst, "cost"); s.HasRoom(st, cost) {
				st = s.Take(st, cost)
				admitted.Add(admitted, new(big.Rat).SetInt64(cost))
			}
		}
		bound := new(big.Rat).Mul(big.NewRat(l.requests, period), new(big.Rat).SetInt64(latest-start))
		bound.Add(bound, new(big.Rat).SetInt64(l.burst))
		if admitted.Cmp(bound) > 0 {
			t.Fatalf("%+v: admitted %s, bound %s", l, admitted.FloatString(3), bound.FloatString(3))
		}
	})
}

// A change of limits keeps the tokens at hand, cut to the new burst, to within
// one unit of the new debt and never above (P8).
func TestConvertKeepsTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.IntRange(0, 1).Draw(t, "world")]
		oldSpec, newSpec := w.spec(t, drawAnyLimit(t)), w.spec(t, drawAnyLimit(t))
		now := rapid.Int64Range(0, 1<<50).Draw(t, "start")
		st := oldSpec.Take(oldSpec.Fresh(now), drawScaled(t, oldSpec.Burst, "taken"))
		now += rapid.Int64Range(-min(now, 1_000_000), 1<<40).Draw(t, "later")

		settled := oldSpec.Settle(st, now)
		want := big.NewRat(oldSpec.Cap()-settled.Debt, oldSpec.Token)
		if burst := new(big.Rat).SetInt64(newSpec.Burst); want.Cmp(burst) > 0 {
			want = burst
		}
		got := newSpec.Convert(st, oldSpec, now)
		if got.Debt < 0 || got.Debt > newSpec.Cap() || got.Last%newSpec.Tick != 0 {
			t.Fatalf("%+v is no state of %+v", got, newSpec)
		}
		if got.Last < max(now, st.Last) {
			t.Fatalf("the bucket's time went back to %d", got.Last)
		}
		lost := new(big.Rat).Sub(want, big.NewRat(newSpec.Cap()-got.Debt, newSpec.Token))
		if lost.Sign() < 0 || lost.Cmp(big.NewRat(1, newSpec.Token)) >= 0 {
			t.Fatalf("%+v to %+v lost %s tokens, want from 0 to below 1/%d", oldSpec, newSpec, lost, newSpec.Token)
		}
	})
}

// Limits that flap give no more than the more generous one alone would (P8).
func TestFlappingLimitsMintNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := worlds[rapid.IntRange(0, 1).Draw(t, "world")]
		limits := []limit{drawAnyLimit(t), drawAnyLimit(t)}
		specs := []bucket.Spec{w.spec(t, limits[0]), w.spec(t, limits[1])}
		now := rapid.Int64Range(0, 1<<50).Draw(t, "start")
		start, current := now, 0
		st, admitted := specs[0].Fresh(now), new(big.Rat)
		for range 40 {
			now += rapid.Int64Range(0, 1<<34).Draw(t, "step")
			if next := rapid.IntRange(0, 1).Draw(t, "limit"); next != current {
				st = specs[next].Convert(st, specs[current], now)
				current = next
			}
			s := specs[current]
			st = s.Settle(st, now)
			if n := s.Tokens(st); n > 0 {
				st = s.Take(st, n)
				admitted.Add(admitted, new(big.Rat).SetInt64(n))
			}
		}
		// One tick more: the window may begin within one.
		elapsed := new(big.Rat).SetInt64(now - start + max(specs[0].Tick, specs[1].Tick))
		bound := new(big.Rat)
		for _, l := range limits {
			b := new(big.Rat).Mul(big.NewRat(l.requests, l.periodMicros*w.perMicro), elapsed)
			b.Add(b, new(big.Rat).SetInt64(max(limits[0].burst, limits[1].burst)))
			if b.Cmp(bound) > 0 {
				bound = b
			}
		}
		if admitted.Cmp(bound) > 0 {
			t.Fatalf("%+v: admitted %s, bound %s", limits, admitted.FloatString(3), bound.FloatString(3))
		}
	})
}

// The grain follows the size of the debt, and what fits nowhere is refused.
func TestGrain(t *testing.T) {
	cases := []struct {
		name                     string
		reduce                   func(r, b, p int64) (bucket.Spec, bool)
		requests, burst, periodM int64
		want                     bucket.Spec
		ok                       bool
	}{
		{"100 a minute in a process", bucket.InProcess, 100, 20, 60_000_000, bucket.Spec{Tick: 1, Refill: 1, Token: 600_000_000, Burst: 20}, true},
		{"100 a minute shared", bucket.Shared, 100, 20, 60_000_000, bucket.Spec{Tick: 1, Refill: 1, Token: 600_000, Burst: 20}, true},
		{"fine up to 4.5e9", bucket.Shared, 1, 1_000_000_000, 4_500_000, bucket.Spec{Tick: 1, Refill: 1, Token: 4_500_000, Burst: 1_000_000_000}, true},
		{"coarse above", bucket.Shared, 1, 1_000_000_000, 4_501_000, bucket.Spec{Tick: 1000, Refill: 1, Token: 4501, Burst: 1_000_000_000}, true},
		{"a million a day", bucket.InProcess, 1_000_000, 1_000_000, 86_400_000_000, bucket.Spec{Tick: 1000, Refill: 1, Token: 86_400, Burst: 1_000_000}, true},
		{"beyond what is shared", bucket.Shared, 1, 1_000_000_000, 4_501_000_000, bucket.Spec{}, false},
		{"divided by many", bucket.InProcess, 1, 1_000_000_000, 45_000_000_000_000, bucket.Spec{Tick: 1_000_000_000, Refill: 1, Token: 45_000_000, Burst: 1_000_000_000}, true},
		{"zero", bucket.InProcess, 0, 1, 1000, bucket.Spec{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := c.reduce(c.requests, c.burst, c.periodM)
			if ok != c.ok || ok && got != c.want {
				t.Errorf("got %+v %v, want %+v %v", got, ok, c.want, c.ok)
			}
		})
	}
}
