package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = Describe("An outage of Redis", func() {
	It("leaves every request answered and the limit in force, and ends by itself", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		key := named(namespace, "checkout")
		limit := harness.LimitOf(60, 60, 60) // a token a second
		create(ctx, harness.NewPolicy(key, 3, limit))
		pods := podsOf(ctx, key, 3)

		By("taking Redis away, under load, and keeping it from coming back")
		quota := forbidMorePods(ctx, namespace, 3)
		during := make(chan harness.Tally, 1)
		go func() {
			during <- kube.Run(ctx, harness.Flood{Pods: pods, Key: "caught", PerSecond: 60, For: 10 * time.Second})
		}()
		Expect(kube.Delete(ctx, redisPod(ctx, namespace), client.GracePeriodSeconds(0))).To(Succeed())
		var caught harness.Tally
		Eventually(ctx, during).Should(Receive(&caught))
		Expect(caught.AllAnswered()).To(Succeed())
		// What Redis had counted is out of reach, so a client can get its burst once
		// more, and each of the pods one more token for a request caught under way:
		// (1+k)(B+N) + rW, with one loss (k) and three pods (N).
		_, most := caught.Bounds(2*(limit.Requests+int64(len(pods))), 1)
		Expect(float64(caught.Admitted)).To(BeNumerically("<=", most))

		By("offering a new client five times the limit: together the pods admit what the limit says")
		awaitStoreState(ctx, key, "fallback")
		tally := kube.Run(ctx, harness.Flood{Pods: pods, Key: "fresh", PerSecond: 60, For: 5 * time.Second})
		Expect(tally.AllAnswered()).To(Succeed())
		_, most = tally.Bounds(limit.Requests, 1)
		AddReportEntry("outage", fmt.Sprintf("Redis lost under load: %d of %d admitted; a fresh client in the outage: %d of %d, bound %.1f",
			caught.Admitted, caught.Offered, tally.Admitted, tally.Offered, most))
		Expect(float64(tally.Admitted)).To(BeNumerically("<=", most))
		Expect(tally.Admitted).To(BeNumerically(">=", limit.Requests), "each pod grants its share of the burst")

		By("reading status: the limit is enforced without Redis, so not Ready")
		awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			expectCondition(g, p, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable)
			expectCondition(g, p, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonFallbackActive)
			expectCondition(g, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable)
		})

		By("letting Redis come back: the pods share again and status says so")
		Expect(kube.Delete(ctx, quota)).To(Succeed())
		awaitReady(ctx, key)
		awaitStoreState(ctx, key, "ok")
		Expect(harness.SamePods(pods, podsOf(ctx, key, 3))).To(BeTrue(), "pods were replaced or restarted")
	}, specDeadline)
})

// forbidMorePods makes a quota that admits no further pod once it holds this
// many: what ends then stays away until the quota goes.
func forbidMorePods(ctx context.Context, namespace string, count int64) *corev1.ResourceQuota {
	GinkgoHelper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pods"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(count, resource.DecimalSI)}},
	}
	Expect(kube.Create(ctx, quota)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(kube.Get(ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		g.Expect(quota.Status.Used.Pods().Value()).To(BeNumerically(">", count))
	}).Should(Succeed())
	return quota
}

func redisPod(ctx context.Context, namespace string) *corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(kube.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingLabels{v1alpha1.LabelComponent: v1alpha1.ComponentRedis})).To(Succeed())
	Expect(list.Items).To(HaveLen(1))
	return &list.Items[0]
}

// awaitStoreState waits until every pod says so of its way to Redis. It keeps
// asking them for decisions: a pod that decides nothing does not notice.
func awaitStoreState(ctx context.Context, key types.NamespacedName, state string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		pods, err := kube.Pods(ctx, key)
		g.Expect(err).NotTo(HaveOccurred())
		for i := range pods {
			_, err := kube.Ask(ctx, &pods[i], "somebody")
			g.Expect(err).NotTo(HaveOccurred())
			answer, err := kube.Configz(ctx, &pods[i])
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(answer.Store.State).To(Equal(state), "pod %s", pods[i].Name)
		}
	}).Should(Succeed())
}
