package controllers

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	redisMeterInterval = 30 * time.Second
	// redisMeterWidth bounds the connections that are open at the same time.
	redisMeterWidth = 8
)

// redisMeter reads every half minute how full the managed instances are, apart
// from the reconcilers, and exports what it read last.
type redisMeter struct {
	admin RedisAdmin

	mu          sync.Mutex
	byNamespace map[string]*redisReading
}

type redisReading struct {
	operatorPassword string
	usage            RedisUsage
	known            bool
}

func newRedisMeter(admin RedisAdmin) *redisMeter {
	return &redisMeter{admin: admin, byNamespace: map[string]*redisReading{}}
}

// watch makes the namespace's instance be read; calling it again is cheap.
func (m *redisMeter) watch(namespace, operatorPassword string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	reading := m.byNamespace[namespace]
	if reading == nil {
		reading = &redisReading{}
		m.byNamespace[namespace] = reading
	}
	reading.operatorPassword = operatorPassword
}

func (m *redisMeter) forget(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byNamespace, namespace)
}

// NeedLeaderElection makes a manager start the meter on the leader only.
func (m *redisMeter) NeedLeaderElection() bool { return true }

// Start reads until ctx ends.
func (m *redisMeter) Start(ctx context.Context) error {
	ticker := time.NewTicker(redisMeterInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			m.readAll(ctx)
		}
	}
}

func (m *redisMeter) readAll(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	places := make(chan struct{}, redisMeterWidth)
	for namespace, password := range m.watched() {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-places }()
			m.read(ctx, namespace, password)
		})
	}
}

func (m *redisMeter) watched() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	passwords := make(map[string]string, len(m.byNamespace))
	for namespace, reading := range m.byNamespace {
		passwords[namespace] = reading.operatorPassword
	}
	return passwords
}

// read drops the last reading when the instance does not answer: a gap in a
// graph is honest, a stale value is not.
func (m *redisMeter) read(ctx context.Context, namespace, password string) {
	usage, err := m.admin.Usage(ctx, namespace, password)
	if err != nil {
		log.FromContext(ctx).V(1).Info("cannot read how full a Redis is", "namespace", namespace, "error", err.Error())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if reading := m.byNamespace[namespace]; reading != nil {
		reading.usage, reading.known = usage, err == nil
	}
}

func redisDescs() (used, limit, evicted *prometheus.Desc) {
	labels := []string{"namespace"}
	return prometheus.NewDesc("echo_operator_redis_memory_used_bytes", "Memory that the namespace's managed Redis uses.", labels, nil),
		prometheus.NewDesc("echo_operator_redis_memory_max_bytes", "Memory that the namespace's managed Redis may use for buckets.", labels, nil),
		prometheus.NewDesc("echo_operator_redis_evicted_keys_total", "Buckets that the namespace's managed Redis evicted since its start.", labels, nil)
}

// Describe implements prometheus.Collector.
func (m *redisMeter) Describe(descs chan<- *prometheus.Desc) {
	used, limit, evicted := redisDescs()
	descs <- used
	descs <- limit
	descs <- evicted
}

// Collect implements prometheus.Collector.
func (m *redisMeter) Collect(metrics chan<- prometheus.Metric) {
	used, limit, evicted := redisDescs()
	m.mu.Lock()
	defer m.mu.Unlock()
	for namespace, reading := range m.byNamespace {
		if reading.known {
			metrics <- prometheus.MustNewConstMetric(used, prometheus.GaugeValue, float64(reading.usage.UsedBytes), namespace)
			metrics <- prometheus.MustNewConstMetric(limit, prometheus.GaugeValue, float64(reading.usage.MaxBytes), namespace)
			metrics <- prometheus.MustNewConstMetric(evicted, prometheus.CounterValue, float64(reading.usage.EvictedKeys), namespace)
		}
	}
}
