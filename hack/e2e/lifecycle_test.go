package e2e

import (
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = Describe("A policy's life", func() {
	It("makes pods that run its limits, says so, and leaves nothing behind", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		key := named(namespace, "checkout")

		By("creating a policy: Ready with all three pods confirmed")
		policy := create(ctx, harness.NewPolicy(key, 3, harness.LimitOf(100, 60, 100)))
		expectCondition(Default, policy, v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable)

		By("asking each pod: it runs what status says")
		for _, pod := range podsOf(ctx, key, 3) {
			answer := configz(ctx, &pod)
			Expect(answer.LimitsHash).To(Equal(policy.Status.ConfigHash))
			Expect(answer.Generation).To(Equal(policy.Generation))
			Expect(answer.Store.Type).To(Equal("redis"))
		}

		By("finding the children under the names that are promised")
		inventory, err := kube.Inventory(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(inventory.Names()).To(ContainElements(
			"configmaps/checkout-echo-limits", "deployments/checkout-echo", "services/checkout-echo",
			"poddisruptionbudgets/checkout-echo", "networkpolicies/checkout-echo",
			"statefulsets/ratelimit-redis", "services/ratelimit-redis", "secrets/ratelimit-redis",
		))

		By("reading kubectl get echorl: READY True, LOADED 3")
		table, err := exec.CommandContext(ctx, "kubectl", "-n", namespace, "get", "echorl").Output()
		Expect(err).NotTo(HaveOccurred())
		lines := strings.Split(strings.TrimSpace(string(table)), "\n")
		Expect(lines).To(HaveLen(2))
		Expect(strings.Fields(lines[0])).To(HaveExactElements("NAME", "READY", "REASON", "LOADED", "REPLICAS", "MODE", "REDIS", "AGE"))
		Expect(strings.Fields(lines[1])[:5]).To(HaveExactElements("checkout", "True", v1alpha1.ReasonEnforced, "3", "3"))

		By("adding a second policy: it shares the namespace's Redis, and leaves it when deleted")
		other := create(ctx, harness.NewPolicy(named(namespace, "search"), 1, harness.LimitOf(100, 60, 100)))
		Expect(kube.Delete(ctx, other)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			left, err := kube.Inventory(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(left.Names()).NotTo(ContainElement(ContainSubstring("/search")))
			g.Expect(left.Names()).To(ContainElement("statefulsets/ratelimit-redis"))
		}).Should(Succeed())
		awaitReady(ctx, key)

		By("deleting the last policy: nothing is left, Redis included")
		Expect(kube.Delete(ctx, policy)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			left, err := kube.Inventory(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(left.Names()).To(BeEmpty())
		}).Should(Succeed())
	}, specDeadline)

	It("replaces a deleted pod by one that runs the same limits", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		policy := create(ctx, harness.NewPolicy(key, 2, harness.LimitOf(100, 60, 100)))
		victim := podsOf(ctx, key, 2)[0]
		Expect(kube.Delete(ctx, &victim)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			pods, err := kube.Pods(ctx, key)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pods).To(HaveLen(2))
			for i := range pods {
				g.Expect(pods[i].UID).NotTo(Equal(victim.UID))
				answer, err := kube.Configz(ctx, &pods[i])
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(answer.LimitsHash).To(Equal(policy.Status.ConfigHash))
			}
		}).Should(Succeed())
		awaitReady(ctx, key)
	}, specDeadline)

	It("scales through /scale, down to none and back", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		create(ctx, harness.NewPolicy(key, 2, harness.LimitOf(100, 60, 100)))
		for _, replicas := range []int32{1, 3} {
			scale(ctx, key, replicas)
			awaitReady(ctx, key)
			Eventually(ctx, func() ([]corev1.Pod, error) { return kube.Pods(ctx, key) }).Should(HaveLen(int(replicas)))
		}

		By("scaling to none: Ready says why, and nothing claims to be enforced")
		scale(ctx, key, 0)
		awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			expectCondition(g, p, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
			expectCondition(g, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonScaledToZero)
			g.Expect(harness.Kstatus(p)).To(Equal(harness.KstatusCurrent))
		})
		Eventually(ctx, func() ([]corev1.Pod, error) { return kube.Pods(ctx, key) }).Should(BeEmpty())

		scale(ctx, key, 1)
		awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			expectCondition(g, p, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonLoadedByAllPods)
		})
	}, specDeadline)

	It("is not harmed by a Service named echo, whose variables Kubernetes gives to pods", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		Expect(kube.Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "echo"},
			Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": "echo"},
				Ports:    []corev1.ServicePort{{Name: "http", Port: 80}, {Name: "admin", Port: 8081}},
			},
		})).To(Succeed())
		key := named(namespace, "checkout")
		create(ctx, harness.NewPolicy(key, 2, harness.LimitOf(100, 60, 100)))
		for _, pod := range podsOf(ctx, key, 2) {
			Expect(ask(ctx, &pod, "a").Status).To(Equal(200))
			Expect(pod.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())))
		}
	}, specDeadline)

	It("shares nothing with a policy of the same name in another namespace", func(ctx SpecContext) {
		one, two := named(newNamespace(ctx), "checkout"), named(newNamespace(ctx), "checkout")
		limit := harness.LimitOf(5, 3600, 5)
		policy := create(ctx, patient(harness.NewPolicy(one, 1, limit)))
		create(ctx, patient(harness.NewPolicy(two, 1, limit)))
		mine, theirs := podsOf(ctx, one, 1)[0], podsOf(ctx, two, 1)[0]

		By("emptying a client's bucket in the one: it is full in the other")
		for range limit.Requests {
			Expect(ask(ctx, &mine, "acme").Status).To(Equal(200))
		}
		Expect(ask(ctx, &mine, "acme").Status).To(Equal(429))
		reply := ask(ctx, &theirs, "acme")
		Expect(reply.Status).To(Equal(200))
		Expect(reply.Header.Get("X-RateLimit-Remaining")).To(Equal("4"))

		By("deleting the one: the other keeps its Redis")
		Expect(kube.Delete(ctx, policy)).To(Succeed())
		Eventually(ctx, func() ([]corev1.Pod, error) { return kube.Pods(ctx, one) }).Should(BeEmpty())
		Expect(ask(ctx, &theirs, "acme").Header.Get("X-RateLimit-Remaining")).To(Equal("3"))
		Expect(configz(ctx, &theirs).Store.State).To(Equal("ok"))
	}, specDeadline)
})

// scale writes spec.echo.replicas as an autoscaler does.
func scale(ctx SpecContext, key client.ObjectKey, replicas int32) {
	GinkgoHelper()
	text, err := exec.CommandContext(ctx, "kubectl", "-n", key.Namespace, "scale", "echorl", key.Name, "--replicas="+itoa(replicas)).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", text)
}
