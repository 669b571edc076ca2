// Package prom shows what a limiter does as Prometheus metrics:
//
//	ratelimit_decisions_total{rule,outcome}
//	ratelimit_decision_duration_seconds{store}
//	ratelimit_store_errors_total{reason}
//	ratelimit_fallback_active
//	ratelimit_tracked_clients
//	ratelimit_evictions_total{lossy}
//
// A client's identity is never a label. The series of a rule exist while the
// policy has the rule.
package prom

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// durationBuckets are the classic buckets, in seconds: from a decision in memory
// to one that waited for a store in vain.
var durationBuckets = []float64{1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1}

// nativeFactor and nativeBuckets bound the native histogram's error, about 5 %,
// and its size.
const (
	nativeFactor  = 1.1
	nativeBuckets = 100
)

// reasons are the store errors whose series exist from the start, so that an
// alert on their increase sees the first one.
var reasons = []limiter.StoreErrorReason{
	limiter.ReasonTimeout, limiter.ReasonConnection, limiter.ReasonAuth, limiter.ReasonReadOnly,
	limiter.ReasonMemory, limiter.ReasonLoading, limiter.ReasonCorrupt, limiter.ReasonOther,
}

// ruleCounters are one rule's counters by outcome.
type ruleCounters [limiter.RuleOutcomes]prometheus.Counter

// Observer is a [limiter.Observer] for one limiter, and a collector.
type Observer struct {
	decisions *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	errors    *prometheus.CounterVec
	fallback  prometheus.Gauge
	tracked   prometheus.GaugeFunc
	lossless  prometheus.CounterFunc
	lossy     prometheus.CounterFunc

	// rules spares a decision the look-up by labels.
	rules atomic.Pointer[map[string]*ruleCounters]
	stats atomic.Pointer[func() limiter.Stats]
}

var (
	_ limiter.Observer     = (*Observer)(nil)
	_ prometheus.Collector = (*Observer)(nil)
)

// New returns an observer for [limiter.WithObserver] whose metrics r serves. It
// fails when r serves metrics of these names already.
func New(r prometheus.Registerer) (*Observer, error) {
	o := &Observer{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ratelimit_decisions_total",
			Help: "Decisions by rule and outcome. Of a refused request only the refusing rules count.",
		}, []string{"rule", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                           "ratelimit_decision_duration_seconds",
			Help:                           "How long decisions took, by where they were made.",
			Buckets:                        durationBuckets,
			NativeHistogramBucketFactor:    nativeFactor,
			NativeHistogramMaxBucketNumber: nativeBuckets,
		}, []string{"store"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ratelimit_store_errors_total",
			Help: "Failed calls to the shared store, by cause.",
		}, []string{"reason"}),
		fallback: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ratelimit_fallback_active",
			Help: "1 while decisions are made without the shared store, else 0.",
		}),
	}
	o.tracked = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ratelimit_tracked_clients",
		Help: "Buckets in this process's memory.",
	}, func() float64 { return float64(o.read().TrackedClients) })
	o.lossless = evictions("false", func() float64 { return float64(o.read().EvictedLossless) })
	o.lossy = evictions("true", func() float64 { return float64(o.read().EvictedLossy) })
	for _, reason := range reasons {
		o.errors.WithLabelValues(string(reason))
	}
	if err := r.Register(o); err != nil {
		return nil, fmt.Errorf("register rate limit metrics: %w", err)
	}
	return o, nil
}

func evictions(lossy string, read func() float64) prometheus.CounterFunc {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name:        "ratelimit_evictions_total",
		Help:        "Buckets that made room for others in memory; lossy ones were not full.",
		ConstLabels: prometheus.Labels{"lossy": lossy},
	}, read)
}

func (o *Observer) collectors() []prometheus.Collector {
	return []prometheus.Collector{o.decisions, o.duration, o.errors, o.fallback, o.tracked, o.lossless, o.lossy}
}

// Describe implements [prometheus.Collector].
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range o.collectors() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.collectors() {
		c.Collect(ch)
	}
}

// Attach implements [limiter.Observer].
func (o *Observer) Attach(stats func() limiter.Stats) { o.stats.Store(&stats) }

func (o *Observer) read() limiter.Stats {
	if stats := o.stats.Load(); stats != nil {
		return (*stats)()
	}
	return limiter.Stats{}
}

// PolicyChanged implements [limiter.Observer]: it makes the new rules' series
// and removes those of rules that are gone.
func (o *Observer) PolicyChanged(rules []string) {
	next := make(map[string]*ruleCounters, len(rules))
	for _, rule := range rules {
		counters := new(ruleCounters)
		for i := range counters {
			counters[i] = o.decisions.WithLabelValues(rule, limiter.RuleOutcome(i).String())
		}
		next[rule] = counters
	}
	old := o.rules.Swap(&next)
	if old == nil {
		return
	}
	for rule := range *old {
		if next[rule] == nil {
			o.decisions.DeletePartialMatch(prometheus.Labels{"rule": rule})
		}
	}
}

// RuleDecided implements [limiter.Observer]. A decision that ends after its rule
// was removed is not counted, so that the rule's series stay gone.
func (o *Observer) RuleDecided(rule string, outcome limiter.RuleOutcome) {
	rules := o.rules.Load()
	if rules == nil || outcome >= limiter.RuleOutcomes {
		return
	}
	if counters := (*rules)[rule]; counters != nil {
		counters[outcome].Inc()
	}
}

// DecisionTook implements [limiter.Observer].
func (o *Observer) DecisionTook(store string, took time.Duration) {
	o.duration.WithLabelValues(store).Observe(took.Seconds())
}

// StoreFailed implements [limiter.Observer].
func (o *Observer) StoreFailed(reason limiter.StoreErrorReason) {
	o.errors.WithLabelValues(string(reason)).Inc()
}

// FallbackChanged implements [limiter.Observer].
func (o *Observer) FallbackChanged(active bool) {
	if active {
		o.fallback.Set(1)
		return
	}
	o.fallback.Set(0)
}
