package reload

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is an [Observer] that counts reloads for Prometheus:
// ratelimit_config_reloads_total{result} and ratelimit_config_info{hash,generation}.
type Metrics struct {
	reloads *prometheus.CounterVec
	info    *prometheus.Desc
	current atomic.Pointer[version]
}

type version struct {
	hash       string
	generation int64
}

// NewMetrics registers the metrics; the error is the registry's.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ratelimit_config_reloads_total",
			Help: "Limits files read, the first included, by result: success or error.",
		}, []string{"result"}),
		info: prometheus.NewDesc("ratelimit_config_info",
			"1 for the limits file in force, by the hash of its bytes and its policy's generation.",
			[]string{"hash", "generation"}, nil),
	}
	m.reloads.WithLabelValues("success")
	m.reloads.WithLabelValues("error")
	if err := registry.Register(m); err != nil {
		return nil, err
	}
	return m, nil
}

// Loaded implements [Observer].
func (m *Metrics) Loaded(hash string, generation int64) {
	m.current.Store(&version{hash: hash, generation: generation})
	m.reloads.WithLabelValues("success").Inc()
}

// Refused implements [Observer].
func (m *Metrics) Refused() { m.reloads.WithLabelValues("error").Inc() }

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	m.reloads.Describe(out)
	out <- m.info
}

// Collect implements [prometheus.Collector]. The file in force has exactly one
// series at any moment, which swapping series in a gauge would not give.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.reloads.Collect(out)
	current := m.current.Load()
	if current == nil {
		return
	}
	metric, err := prometheus.NewConstMetric(m.info, prometheus.GaugeValue, 1,
		current.hash, strconv.FormatInt(current.generation, 10))
	if err != nil {
		metric = prometheus.NewInvalidMetric(m.info, err)
	}
	out <- metric
}
