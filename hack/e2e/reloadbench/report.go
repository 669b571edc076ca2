package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// report prints the figures and ends with one line for each goal.
func (r *run) report(check bool) error {
	sorted := slices.Sorted(slices.Values(r.took))
	p99 := quantile(sorted, 0.99)
	fmt.Fprintf(r.out, "edit to Enforced on all pods: median %d ms, p95 %d ms, p99 %d ms, max %d ms\n",
		quantile(sorted, 0.5).Milliseconds(), quantile(sorted, 0.95).Milliseconds(), p99.Milliseconds(),
		sorted[len(sorted)-1].Milliseconds())
	fmt.Fprintf(r.out, "answers that did not show the new limit at that moment: %d of %d\n", r.mismatches, len(r.took)*len(r.pods))
	fast, right := p99.Seconds() < goalSeconds, r.mismatches == 0
	fmt.Fprintf(r.out, "goal reload_p99_seconds %.3f %.3f %s\n", p99.Seconds(), goalSeconds, verdict(fast))
	fmt.Fprintf(r.out, "goal reload_mismatches %d 0 %s\n", r.mismatches, verdict(right))
	if check && (!fast || !right) {
		return errors.New("a goal was missed")
	}
	return nil
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// quantile is the smallest measured value that at least the share q of all does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
