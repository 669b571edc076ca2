package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

const (
	unreachablePods = 200
	timedEdits      = 11
)

var _ = Describe("Pods that cannot be reached", func() {
	It("delay the edits of another policy by less than twice, however many they are", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		create(ctx, harness.NewPolicy(key, 3, harness.LimitOf(1000, 60, 1000)))
		alone := medianEdit(ctx, key, 1_000_000)

		far := named(newNamespace(ctx), "far")
		node := startGhostNode(ctx)
		policy := harness.NewPolicy(far, unreachablePods, harness.LimitOf(1000, 60, 1000))
		policy.Spec.Store.Type = v1alpha1.StoreMemory
		policy.Spec.Echo.Pod = &v1alpha1.PodSettings{
			NodeSelector: map[string]v1alpha1.LabelValue{corev1.LabelHostname: v1alpha1.LabelValue(node)},
			Tolerations:  []v1alpha1.Toleration{{Operator: "Exists"}},
		}
		Expect(kube.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { removeGhosts(ctx, policy) }, NodeTimeout(2*time.Minute))
		pretendPodsRun(ctx, far, unreachablePods)
		awaitStatus(ctx, far, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			g.Expect(p.Status.ReadyReplicas).To(BeNumerically("==", unreachablePods))
			g.Expect(p.Status.LoadedReplicas).To(BeZero())
			expectCondition(g, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonPodUnreachable)
		})

		beside := medianEdit(ctx, key, 2_000_000)
		AddReportEntry("unreachable pods", fmt.Sprintf("median of %d edits to Enforced: %d ms alone, %d ms beside %d unreachable pods",
			timedEdits, alone.Milliseconds(), beside.Milliseconds(), unreachablePods))
		Expect(beside).To(BeNumerically("<", 2*alone))
	}, specDeadline)
})

// medianEdit edits a policy's limit several times and returns the median time
// until it was enforced.
func medianEdit(ctx context.Context, key types.NamespacedName, first int64) time.Duration {
	GinkgoHelper()
	follower, err := kube.Follow(ctx, key)
	Expect(err).NotTo(HaveOccurred())
	defer follower.Stop()
	pods := podsOf(ctx, key, 3)
	took := make([]time.Duration, 0, timedEdits)
	for i := range int64(timedEdits) {
		Expect(harness.SpreadOut().Wait(ctx)).To(Succeed())
		limit := harness.LimitOf(first+i, 60, first+i)
		one, err := kube.EditLimit(ctx, follower, limit)
		Expect(err).NotTo(HaveOccurred())
		replies, err := kube.AskAll(ctx, pods, "acme")
		Expect(err).NotTo(HaveOccurred())
		for _, reply := range replies {
			Expect(reply.Shows(limit)).To(Succeed())
		}
		took = append(took, one)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// startGhostNode makes a node that no kubelet runs and keeps it looking alive.
// It returns the node's name.
func startGhostNode(ctx context.Context) string {
	GinkgoHelper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "ghost-"}}
	Expect(kube.Create(ctx, node)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(kube.Delete(ctx, node))).To(Succeed())
	}, NodeTimeout(time.Minute))
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	beat := func() error {
		now := metav1.Now()
		room := corev1.ResourceList{
			corev1.ResourceCPU: quantity("1000"), corev1.ResourceMemory: quantity("1000Gi"),
			corev1.ResourcePods: quantity("1000"), corev1.ResourceEphemeralStorage: quantity("1000Gi"),
		}
		status := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name}}
		status.Status = corev1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Ghost", Message: "no kubelet runs here",
			LastHeartbeatTime: now, LastTransitionTime: metav1.NewTime(node.CreationTimestamp.Time),
		}}}
		return kube.Status().Patch(beating, status, client.Merge)
	}
	labels := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, corev1.LabelHostname, node.Name)
	Expect(kube.Patch(ctx, node.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(labels)))).To(Succeed())
	Expect(beat()).To(Succeed())
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Second) // a node that is silent for 40 s counts as lost
		defer tick.Stop()
		for {
			select {
			case <-beating.Done():
				return
			case <-tick.C:
				_ = beat() // the next one makes up for it
			}
		}
	}()
	DeferCleanup(func() { stop(); <-done })
	return node.Name
}

// pretendPodsRun plays the kubelet: it reports the policy's pods as running and
// ready, at addresses of the cluster's pods' range that nobody has.
func pretendPodsRun(ctx context.Context, key types.NamespacedName, count int) {
	GinkgoHelper()
	done := map[types.UID]bool{}
	Eventually(ctx, func(g Gomega) {
		pods, err := kube.Pods(ctx, key)
		g.Expect(err).NotTo(HaveOccurred())
		for i := range pods {
			if pods[i].Spec.NodeName != "" && !done[pods[i].UID] {
				g.Expect(kube.Status().Patch(ctx, running(&pods[i], len(done)), client.Merge)).To(Succeed())
				done[pods[i].UID] = true
			}
		}
		g.Expect(done).To(HaveLen(count))
	}).WithTimeout(3 * time.Minute).Should(Succeed())
}

func running(pod *corev1.Pod, number int) *corev1.Pod {
	address := fmt.Sprintf("10.244.200.%d", 1+number%250)
	now := metav1.Now()
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}, HostIP: "10.250.0.99", StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, Status: status}
}

// removeGhosts deletes a policy and its pods, which no kubelet would ever end.
func removeGhosts(ctx context.Context, policy *v1alpha1.RateLimitPolicy) {
	GinkgoHelper()
	key := client.ObjectKeyFromObject(policy)
	Expect(client.IgnoreNotFound(kube.Delete(ctx, policy))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		inventory, err := kube.Inventory(ctx, key.Namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(inventory.Names()).NotTo(ContainElement(HavePrefix("replicasets/")))
	}).Should(Succeed())
	Expect(kube.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(key.Namespace), client.GracePeriodSeconds(0))).To(Succeed())
}
