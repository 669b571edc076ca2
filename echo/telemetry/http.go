package telemetry

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// methods are the values of the method label; a client may send any token, so
// everything else is counted as "other".
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "other"}

// Status codes outside [minCode, maxCode] are counted as code "0".
const (
	minCode = 100
	maxCode = 599
)

// HTTP counts the HTTP requests that were answered. It is safe for concurrent use.
type HTTP struct {
	requests *prometheus.CounterVec
	duration prometheus.Observer
	// counters saves looking label values up on every request; filled on first use.
	counters [len(methods)][maxCode - minCode + 2]atomic.Pointer[prometheus.Counter]
}

// NewHTTP registers echo_http_requests_total and echo_request_duration_seconds.
func NewHTTP(reg prometheus.Registerer) (*HTTP, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "echo_http_requests_total",
		Help: "HTTP requests answered, by method (unusual ones as \"other\") and status code.",
	}, []string{"method", "code"})
	duration, err := registerDuration(reg)
	if err != nil {
		return nil, err
	}
	if err := reg.Register(requests); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return &HTTP{requests: requests, duration: duration.WithLabelValues("http")}, nil
}

// registerDuration gives the histogram that all protocols share: classic buckets
// for everyone, native ones for a Prometheus that asks for them.
func registerDuration(reg prometheus.Registerer) (*prometheus.HistogramVec, error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                            "echo_request_duration_seconds",
		Help:                            "Time from a request's headers to the end of its answer, by protocol.",
		Buckets:                         []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, []string{"protocol"})
	if err := reg.Register(duration); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return duration, nil
}

// Observe counts one answered request.
func (h *HTTP) Observe(method string, code int, took time.Duration) {
	h.counter(method, code).Inc()
	h.duration.Observe(took.Seconds())
}

func (h *HTTP) counter(method string, code int) prometheus.Counter {
	m, c := methodIndex(method), codeIndex(code)
	slot := &h.counters[m][c]
	if known := slot.Load(); known != nil {
		return *known
	}
	counter := h.requests.WithLabelValues(methods[m], codeLabel(c))
	slot.Store(&counter)
	return counter
}

func methodIndex(method string) int {
	for i, known := range methods[:len(methods)-1] {
		if method == known {
			return i
		}
	}
	return len(methods) - 1
}

func codeIndex(code int) int {
	if code < minCode || code > maxCode {
		return 0
	}
	return code - minCode + 1
}

func codeLabel(index int) string {
	if index == 0 {
		return "0"
	}
	return strconv.Itoa(index + minCode - 1)
}
