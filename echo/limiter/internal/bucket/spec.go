// Package bucket is the arithmetic of a token bucket kept as integer debt.
//
// It is pure: it reads no clock and holds no state. A caller's clock counts in
// any unit it likes (nanoseconds in a process, microseconds in a shared store);
// durations go in and out in that unit.
package bucket

import "math/bits"

const (
	// processCap keeps a bucket's whole debt inside an int64.
	processCap = 4_500_000_000_000_000_000
	// sharedCap keeps it below 2^53, so that doubles hold it exactly.
	sharedCap = 4_500_000_000_000_000
)

// Spec is a limit reduced to whole numbers: one token is Token units of debt,
// and Refill units are paid back in each tick of the clock.
type Spec struct {
	// Tick is a tick's length in the clock's unit.
	Tick int64
	// Refill is the debt that one tick pays back.
	Refill int64
	// Token is the debt of one token.
	Token int64
	// Burst is how many tokens the bucket holds.
	Burst int64
}

// State is a bucket: its debt as of Last, a multiple of the spec's tick. The
// zero debt is a full bucket.
type State struct {
	Debt int64
	Last int64
}

// grain is one choice of tick for a clock.
type grain struct {
	tick int64
	// perMicro and micros convert a period in microseconds into ticks:
	// period * perMicro / micros.
	perMicro, micros int64
}

// InProcess returns the spec of a limit for a clock that counts nanoseconds. It
// takes the finest tick whose debt fits, and says no when none does.
func InProcess(requests, burst, periodMicros int64) (Spec, bool) {
	// The two coarsest are reached only by a limit that is shared between
	// many processes, whose period is multiplied by their number.
	return reduce(requests, burst, periodMicros, processCap, []grain{
		{tick: 1, perMicro: 1000, micros: 1},
		{tick: 1_000, perMicro: 1, micros: 1},
		{tick: 1_000_000, perMicro: 1, micros: 1_000},
		{tick: 1_000_000_000, perMicro: 1, micros: 1_000_000},
	})
}

// Shared returns the spec of a limit for a store whose clock counts
// microseconds and whose numbers are doubles.
func Shared(requests, burst, periodMicros int64) (Spec, bool) {
	return reduce(requests, burst, periodMicros, sharedCap, []grain{
		{tick: 1, perMicro: 1, micros: 1},
		{tick: 1_000, perMicro: 1, micros: 1_000},
	})
}

func reduce(requests, burst, periodMicros, limit int64, grains []grain) (Spec, bool) {
	if requests <= 0 || burst <= 0 || periodMicros <= 0 {
		return Spec{}, false
	}
	for _, g := range grains {
		ticks, fits := g.ticks(periodMicros, limit)
		if !fits || !productFits(burst, ticks, limit) {
			continue
		}
		d := gcd(requests, ticks)
		return Spec{Tick: g.tick, Refill: requests / d, Token: ticks / d, Burst: burst}, true
	}
	return Spec{}, false
}

// ticks rounds up: a period that is no whole number of ticks is enforced a
// little slower, never faster.
func (g grain) ticks(periodMicros, limit int64) (int64, bool) {
	if !productFits(periodMicros, g.perMicro, limit) {
		return 0, false
	}
	return ceilDiv(periodMicros*g.perMicro, g.micros), true
}

// Cap is the debt of an empty bucket.
func (s Spec) Cap() int64 { return s.Burst * s.Token }

func productFits(a, b, limit int64) bool {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return hi == 0 && lo <= uint64(limit)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ceilDiv divides non-negative a by positive b without overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
