package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
)

// KubeletReload is how a kubelet brings a changed ConfigMap into its pods.
type KubeletReload struct {
	SyncFrequency                             string `json:"syncFrequency"`
	ConfigMapAndSecretChangeDetectionStrategy string `json:"configMapAndSecretChangeDetectionStrategy"`
}

// KubeletReload asks the first node's kubelet for the settings it runs with.
func (k *Kube) KubeletReload(ctx context.Context) (KubeletReload, error) {
	var nodes corev1.NodeList
	if err := k.List(ctx, &nodes); err != nil {
		return KubeletReload{}, err
	}
	if len(nodes.Items) == 0 {
		return KubeletReload{}, errors.New("the cluster has no node")
	}
	clients, err := kubernetes.NewForConfig(k.Config)
	if err != nil {
		return KubeletReload{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := clients.CoreV1().RESTClient().Get().Resource("nodes").Name(nodes.Items[0].Name).
		SubResource("proxy").Suffix("configz").DoRaw(ctx)
	if err != nil {
		return KubeletReload{}, fmt.Errorf("asking the kubelet for its settings: %w", err)
	}
	var answer struct {
		Settings KubeletReload `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return KubeletReload{}, fmt.Errorf("reading the kubelet's settings: %w", err)
	}
	return answer.Settings, nil
}
