package controllers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// operatorMetrics are the operator's own; controller-runtime adds its queues and clients.
type operatorMetrics struct {
	enforcement prometheus.Histogram
}

// newOperatorMetrics registers the operator's metrics. Policies are counted
// from the cache at each scrape, so the count cannot drift.
func newOperatorMetrics(registry prometheus.Registerer, reader client.Reader, meter *redisMeter) (*operatorMetrics, error) {
	m := &operatorMetrics{enforcement: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                        "echo_operator_enforcement_seconds",
		Help:                        "Time from a spec change, as the operator saw it, to the last pod's confirmation that it runs the new limits.",
		Buckets:                     []float64{.05, .1, .2, .3, .5, .75, 1, 2, 5, 10, 30, 60, 120},
		NativeHistogramBucketFactor: 1.1,
	})}
	for _, collector := range []prometheus.Collector{m.enforcement, &policyCollector{reader: reader}, meter} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// policyCollector counts policies by readiness.
type policyCollector struct{ reader client.Reader }

func policiesDesc() *prometheus.Desc {
	return prometheus.NewDesc("echo_operator_policies", "RateLimitPolicies, by whether they are Ready.", []string{"ready"}, nil)
}

// Describe implements prometheus.Collector.
func (c *policyCollector) Describe(descs chan<- *prometheus.Desc) { descs <- policiesDesc() }

// Collect implements prometheus.Collector.
func (c *policyCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var policies v1alpha1.RateLimitPolicyList
	if err := c.reader.List(ctx, &policies, client.UnsafeDisableDeepCopy); err != nil {
		metrics <- prometheus.NewInvalidMetric(policiesDesc(), err)
		return
	}
	ready := 0
	for i := range policies.Items {
		if meta.IsStatusConditionTrue(policies.Items[i].Status.Conditions, v1alpha1.ConditionReady) {
			ready++
		}
	}
	metrics <- prometheus.MustNewConstMetric(policiesDesc(), prometheus.GaugeValue, float64(ready), "true")
	metrics <- prometheus.MustNewConstMetric(policiesDesc(), prometheus.GaugeValue, float64(len(policies.Items)-ready), "false")
}
