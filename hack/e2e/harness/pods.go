package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

// The echo pods' ports: contracts, so they are spelled out and not taken from the code under test.
const (
	httpPort  = 8080
	adminPort = 8081
)

// Pods returns a policy's echo pods that are not ending, by name.
func (k *Kube) Pods(ctx context.Context, policy types.NamespacedName) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := k.List(ctx, &list, client.InNamespace(policy.Namespace), client.MatchingLabels{
		v1alpha1.LabelPolicy: policy.Name, v1alpha1.LabelComponent: v1alpha1.ComponentEcho,
	})
	if err != nil {
		return nil, err
	}
	pods := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

// Configz asks a pod which limits it runs.
func (k *Kube) Configz(ctx context.Context, pod *corev1.Pod) (config.Configz, error) {
	client, base := k.podURL(pod, adminPort)
	reply, err := get(ctx, client, base+"/configz", nil)
	if err != nil {
		return config.Configz{}, err
	}
	if reply.Status != http.StatusOK {
		return config.Configz{}, fmt.Errorf("pod %s answered /configz with %d", pod.Name, reply.Status)
	}
	var answer config.Configz
	if err := json.Unmarshal(reply.Body, &answer); err != nil {
		return config.Configz{}, fmt.Errorf("pod %s answered /configz with %q: %w", pod.Name, reply.Body, err)
	}
	if answer.Pod.UID != string(pod.UID) {
		return config.Configz{}, fmt.Errorf("pod %s says its UID is %q, expected %q", pod.Name, answer.Pod.UID, pod.UID)
	}
	return answer, nil
}

// SamePods reports whether two lists, each by name, have the same pods, none of
// which restarted a container in between.
func SamePods(before, now []corev1.Pod) bool {
	return slices.EqualFunc(before, now, func(a, b corev1.Pod) bool {
		return a.UID == b.UID && restarts(a) == restarts(b)
	})
}

func restarts(pod corev1.Pod) int32 {
	var total int32
	for _, status := range pod.Status.ContainerStatuses {
		total += status.RestartCount
	}
	return total
}
