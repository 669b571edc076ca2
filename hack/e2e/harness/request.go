package harness

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// KeyHeader is the header that tells clients apart in the policies used here.
const KeyHeader = "X-Api-Key"

const maxReplyBytes = 1 << 20

// Reply is one answer of an echo pod.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// Sent and Received bound the moment at which the pod decided.
	Sent, Received time.Time
}

// Ask sends one request of client key to a pod.
func (k *Kube) Ask(ctx context.Context, pod *corev1.Pod, key string) (Reply, error) {
	client, base := k.podURL(pod, httpPort)
	return get(ctx, client, base+"/", http.Header{KeyHeader: {key}})
}

// AskService sends one request of client key to a policy's Service.
func (k *Kube) AskService(ctx context.Context, policy types.NamespacedName, key string) (Reply, error) {
	var service corev1.Service
	if err := k.Get(ctx, types.NamespacedName{Namespace: policy.Namespace, Name: EchoName(policy.Name)}, &service); err != nil {
		return Reply{}, err
	}
	client, base := k.serviceURL(&service)
	return get(ctx, client, base+"/", http.Header{KeyHeader: {key}})
}

func get(ctx context.Context, client *http.Client, url string, header http.Header) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Reply{}, err
	}
	maps.Copy(request.Header, header)
	sent := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReplyBytes))
	if err != nil {
		return Reply{}, fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	return Reply{Status: response.StatusCode, Header: response.Header, Body: body, Sent: sent, Received: time.Now()}, nil
}
