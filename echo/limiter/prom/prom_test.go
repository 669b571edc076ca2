package prom_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/prom"
)

func policy(rules ...string) limiter.Policy {
	var p limiter.Policy
	for _, r := range rules {
		p.Rules = append(p.Rules, limiter.Rule{Name: r, Limit: limiter.Limit{Requests: 1, Burst: 1, Period: time.Hour}})
	}
	return p
}

func start(t *testing.T, p limiter.Policy, s limiter.Store) (*limiter.Limiter, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	o, err := prom.New(r)
	if err != nil {
		t.Fatal(err)
	}
	l, err := limiter.New(p, s, limiter.WithObserver(o), limiter.WithMaxClients(8))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, r
}

// series returns the value of each series of a metric, by its labels.
func series(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			values[labels(m)] = value(m)
		}
	}
	return values
}

func labels(m *dto.Metric) string {
	var l []string
	for _, p := range m.GetLabel() {
		l = append(l, p.GetValue())
	}
	return strings.Join(l, " ")
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	default:
		return float64(m.GetHistogram().GetSampleCount())
	}
}

// Decisions are counted by rule and outcome, with their duration, and the table's
// numbers are told.
func TestDecisionsAreCounted(t *testing.T) {
	l, r := start(t, policy("a"), nil)
	l.Allow("x")
	l.Allow("x")
	for i := range 20 {
		l.Allow(string(rune('A' + i)))
	}
	got := series(t, r, "ratelimit_decisions_total")
	if got["allowed a"] != 21 || got["denied a"] != 1 {
		t.Errorf("decisions %v, want 21 allowed and 1 denied", got)
	}
	if d := series(t, r, "ratelimit_decision_duration_seconds"); d["memory"] != 22 {
		t.Errorf("durations %v, want 22 in memory", d)
	}
	if n := series(t, r, "ratelimit_tracked_clients")[""]; n != 8 {
		t.Errorf("%v clients tracked, want the bound of 8", n)
	}
	if e := series(t, r, "ratelimit_evictions_total"); e["true"] != 13 || e["false"] != 0 {
		t.Errorf("evictions %v, want 13 lossy ones", e)
	}
}

// Durations come as classic buckets and as a native histogram.
func TestBothHistograms(t *testing.T) {
	l, r := start(t, policy("a"), nil)
	l.Allow("x")
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool {
		return f.GetName() == "ratelimit_decision_duration_seconds"
	})
	h := families[i].GetMetric()[0].GetHistogram()
	if len(h.GetBucket()) == 0 || h.Schema == nil {
		t.Errorf("got %d classic buckets, native schema %v; want both", len(h.GetBucket()), h.Schema)
	}
}

// A rule's series come and go with the rule.
func TestRemovedRulesLeaveNoSeries(t *testing.T) {
	l, r := start(t, policy("a", "b"), nil)
	l.Allow("x")
	if err := l.SetPolicy(policy("b", "c")); err != nil {
		t.Fatal(err)
	}
	for s := range series(t, r, "ratelimit_decisions_total") {
		if strings.HasSuffix(s, " a") {
			t.Errorf("series %q is still there", s)
		}
	}
	got := series(t, r, "ratelimit_decisions_total")
	if got["allowed b"] != 1 {
		t.Errorf("the rule that stayed lost its count: %v", got)
	}
	if _, ok := got["shadow_denied c"]; !ok {
		t.Errorf("the new rule's series do not begin at 0: %v", got)
	}
}

// broken is a store that never works.
type broken struct{}

var errBroken = &limiter.StoreError{Reason: limiter.ReasonAuth, Err: errors.New("refused")}

func (broken) Name() string { return "redis" }

func (broken) Take(context.Context, []limiter.Take, []limiter.Answer) error { return errBroken }

func (broken) Peek(context.Context, []limiter.Take, []limiter.Answer) error { return errBroken }

func (broken) Reset(context.Context, []limiter.Key) error { return errBroken }

func (broken) Ping(context.Context) error { return errBroken }

// An outage shows in the errors, the gauge and the outcomes.
func TestOutageShows(t *testing.T) {
	l, r := start(t, policy("a"), broken{})
	if got := series(t, r, "ratelimit_fallback_active")[""]; got != 0 {
		t.Errorf("fallback_active %v at the start", got)
	}
	for range 6 {
		l.Allow("x")
	}
	if got := series(t, r, "ratelimit_store_errors_total"); got["auth"] != 5 {
		t.Errorf("errors %v, want 5 before the store is left alone", got)
	}
	if got := series(t, r, "ratelimit_fallback_active")[""]; got != 1 {
		t.Errorf("fallback_active %v in an outage", got)
	}
	got := series(t, r, "ratelimit_decisions_total")
	if got["fallback_allowed a"] != 1 || got["fallback_denied a"] != 5 {
		t.Errorf("decisions %v", got)
	}
}

// Two observers cannot share a registry, and the second is told so.
func TestSecondObserverIsRefused(t *testing.T) {
	r := prometheus.NewRegistry()
	if _, err := prom.New(r); err != nil {
		t.Fatal(err)
	}
	if _, err := prom.New(r); err == nil {
		t.Error("a second observer was registered")
	}
}
