package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
)

const operatorMetricsPort = "8443"

// Metrics are one scrape.
type Metrics map[string]*dto.MetricFamily

// OperatorMetrics scrapes an operator's pod as the bearer of token, who must be
// allowed to get /metrics. It needs pods that can be reached directly: the API
// server's proxy passes no token on.
func (k *Kube) OperatorMetrics(ctx context.Context, pod *corev1.Pod, token string) (Metrics, error) {
	if !k.Direct() {
		return nil, errors.New("the operator's metrics can only be read at its pod's address")
	}
	client := &http.Client{Timeout: requestDeadline, Transport: &http.Transport{
		// The operator made its certificate itself, and the pod's address comes from the API server.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	url := "https://" + net.JoinHostPort(pod.Status.PodIP, operatorMetricsPort) + "/metrics"
	reply, err := get(ctx, client, url, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("the operator answered /metrics with %d: %s", reply.Status, reply.Body)
	}
	return parseMetrics(reply.Body)
}

// PodMetrics scrapes an echo pod.
func (k *Kube) PodMetrics(ctx context.Context, pod *corev1.Pod) (Metrics, error) {
	client, base := k.podURL(pod, adminPort)
	reply, err := get(ctx, client, base+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("pod %s answered /metrics with %d", pod.Name, reply.Status)
	}
	return parseMetrics(reply.Body)
}

func parseMetrics(text []byte) (Metrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(text))
}

// Sum adds the values of a counter's or gauge's series that have all the labels.
func (m Metrics) Sum(name string, labels map[string]string) float64 {
	var sum float64
	for _, metric := range m[name].GetMetric() {
		if hasLabels(metric, labels) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum
}

func hasLabels(metric *dto.Metric, labels map[string]string) bool {
	matched := 0
	for _, pair := range metric.GetLabel() {
		if want, ok := labels[pair.GetName()]; ok && want == pair.GetValue() {
			matched++
		}
	}
	return matched == len(labels)
}
