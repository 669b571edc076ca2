//go:build !race

package limiter_test

import "testing"

// Allow in memory allocates nothing, so that denials under attack cost no
// garbage. The race detector empties pools at random, hence the build constraint.
func TestAllowAllocatesNothing(t *testing.T) {
	l := newLimiter(t, onePolicy(perSecond(1, 10)), nil)
	if n := testing.AllocsPerRun(1000, func() { l.Allow("some-client-key") }); n != 0 {
		t.Errorf("%v allocations a call, want 0", n)
	}
}
