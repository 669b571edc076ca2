package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The quantiles are measured values, and the last of them is the maximum.
func TestQuantile(t *testing.T) {
	sorted := make([]time.Duration, 200)
	for i := range sorted {
		sorted[i] = time.Duration(i+1) * time.Millisecond
	}
	for q, want := range map[float64]int64{0.5: 100, 0.95: 190, 0.99: 198, 1: 200} {
		if got := quantile(sorted, q); got.Milliseconds() != want {
			t.Errorf("quantile %v: got %s, expected %d ms", q, got, want)
		}
	}
	if got := quantile(sorted[:1], 0.99); got != time.Millisecond {
		t.Errorf("quantile of one value: got %s", got)
	}
}

// Goals are the last lines, in the form that other programs read, and a missed
// one fails only a checked run.
func TestReport(t *testing.T) {
	var out strings.Builder
	r := &run{out: &out, pods: make([]corev1.Pod, 3), took: []time.Duration{1500 * time.Millisecond, 200 * time.Millisecond}, mismatches: 1}
	if err := r.report(false); err != nil {
		t.Fatalf("unchecked: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"goal reload_p99_seconds 1.500 1.000 missed", "goal reload_mismatches 1 0 missed"}
	if got := lines[len(lines)-2:]; !slices.Equal(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
	if err := r.report(true); err == nil {
		t.Error("checked: expected an error for missed goals")
	}
	r.mismatches, r.took = 0, r.took[1:]
	if err := r.report(true); err != nil {
		t.Errorf("checked, goals met: %v", err)
	}
}
