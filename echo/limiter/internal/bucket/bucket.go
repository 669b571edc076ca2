package bucket

import (
	"math"
	"math/bits"
)

// Fresh is a full bucket at now.
func (s Spec) Fresh(now int64) State {
	return State{Last: s.floor(now)}
}

// Empty is a bucket without a token at now.
func (s Spec) Empty(now int64) State {
	return State{Debt: s.Cap(), Last: s.floor(now)}
}

// Settle pays back what the time up to now has earned. A now before the
// bucket's own time earns nothing and does not move it back, so that readers
// whose clock values arrive out of order mint no tokens.
func (s Spec) Settle(st State, now int64) State {
	at := s.floor(now)
	elapsed := at - st.Last
	if elapsed <= 0 {
		return st
	}
	ticks := elapsed / s.Tick
	// Compared before multiplying: Refill*ticks is then at most Debt+Refill.
	if ticks >= ceilDiv(st.Debt, s.Refill) {
		return State{Last: at}
	}
	return State{Debt: st.Debt - s.Refill*ticks, Last: at}
}

// HasRoom reports whether cost tokens can be taken from a settled bucket. The
// cost must not exceed the burst.
func (s Spec) HasRoom(st State, cost int64) bool {
	return st.Debt <= s.Cap()-cost*s.Token
}

// Take takes cost tokens from a bucket that has room for them.
func (s Spec) Take(st State, cost int64) State {
	st.Debt += cost * s.Token
	return st
}

// Convert carries a bucket over from the spec old: the tokens at hand stay as
// they are, cut to the new burst and rounded down by less than one unit of debt.
func (s Spec) Convert(st State, old Spec, now int64) State {
	st = old.Settle(st, now)
	free := old.Cap() - st.Debt
	whole, rest := free/old.Token, free%old.Token
	// A tick of the new length that had begun before the change is not counted:
	// rounding up cannot mint.
	last := s.ceil(max(st.Last, now))
	if whole >= s.Burst {
		return State{Last: last}
	}
	return State{Debt: s.Cap() - whole*s.Token - mulDivFloor(rest, s.Token, old.Token), Last: last}
}

// Tokens is how many whole tokens a settled bucket holds.
func (s Spec) Tokens(st State) int64 { return (s.Cap() - st.Debt) / s.Token }

// Wait is how long after now, in the clock's unit, a settled bucket has room
// for cost tokens; 0 when it has. It is [MaxWait] at most.
func (s Spec) Wait(st State, cost, now int64) int64 {
	return s.until(st.Debt-(s.Cap()-cost*s.Token), st.Last, now)
}

// Full is how long after now a settled bucket is full again.
func (s Spec) Full(st State, now int64) int64 {
	return s.until(st.Debt, st.Last, now)
}

// MaxWait is told for every longer time. It leaves room to add it to a clock.
const MaxWait = math.MaxInt64 / 2

// until is the time from now to when debt has been paid back, counted from last.
func (s Spec) until(debt, last, now int64) int64 {
	if debt <= 0 {
		return 0
	}
	ticks := ceilDiv(debt, s.Refill)
	if !productFits(ticks, s.Tick, MaxWait) {
		return MaxWait
	}
	return max(0, ticks*s.Tick+last-now)
}

func (s Spec) floor(now int64) int64 { return now - now%s.Tick }

func (s Spec) ceil(now int64) int64 {
	if part := now % s.Tick; part != 0 {
		return now - part + s.Tick
	}
	return now
}

// mulDivFloor is floor(a*b/c) for 0 <= a < c, which keeps the result below b.
func mulDivFloor(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}
