package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = Describe("An edit", func() {
	It("is enforced by every pod from the moment that status says so, without a restart", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		create(ctx, harness.NewPolicy(key, 3, harness.LimitOf(1000, 60, 1000)))
		before := podsOf(ctx, key, 3)
		follower, err := kube.Follow(ctx, key)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(follower.Stop)

		for edit := range int64(5) {
			limit := harness.LimitOf(2000+edit, 60, 2000+edit)
			_, err := kube.EditLimit(ctx, follower, limit)
			Expect(err).NotTo(HaveOccurred())
			replies, err := kube.AskAll(ctx, before, "acme")
			Expect(err).NotTo(HaveOccurred())
			for i, reply := range replies {
				Expect(reply.Shows(limit)).To(Succeed(), "pod %s, edit %d", before[i].Name, edit)
			}
		}
		policy := awaitReady(ctx, key)
		for _, pod := range before {
			answer := configz(ctx, &pod)
			Expect(answer.LimitsHash).To(Equal(policy.Status.ConfigHash))
			Expect(answer.Generation).To(Equal(policy.Generation))
		}
		Expect(harness.SamePods(before, podsOf(ctx, key, 3))).To(BeTrue(), "pods were replaced or restarted")
	}, specDeadline)

	It("that makes no sense is refused with what would be right, and changes nothing", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		limit := harness.LimitOf(1000, 60, 1000)
		policy := create(ctx, harness.NewPolicy(key, 1, limit))
		pod := podsOf(ctx, key, 1)[0]
		for _, bad := range []struct{ patch, message string }{
			{`{"spec":{"rules":[{"name":"per-key","limit":{"requests":0,"periodSeconds":60}}]}}`,
				"spec.rules[0].limit.requests"},
			{`{"spec":{"rules":[{"name":"per-key","limit":{"requests":10,"periodSeconds":60},"cost":11}]}}`,
				"cost must not exceed the limit's burst (or requests, without a burst), or no request could ever pass; lower cost or raise limit.burst"},
			{`{"spec":{"rules":[{"name":"a","limit":{"requests":1,"periodSeconds":1}},{"name":"a","limit":{"requests":1,"periodSeconds":1}}]}}`,
				"spec.rules[1]: Duplicate value"},
			{`{"spec":{"store":{"type":"Memory"},"redis":{"type":"Managed"}}}`,
				"redis must be absent with store.type Memory"},
			{`{"spec":{"clientIP":{"trustedProxies":["10.0.0.0/33"]}}}`,
				"must be a range of addresses in CIDR notation"},
		} {
			err := kube.Patch(ctx, policy.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(bad.patch)))
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: got %v", bad.patch, err)
			Expect(err).To(MatchError(ContainSubstring(bad.message)))
		}
		Expect(ask(ctx, &pod, "acme").Shows(limit)).To(Succeed())
		Expect(awaitReady(ctx, key).Generation).To(Equal(policy.Generation))
	}, specDeadline)

	It("that reaches the pods garbled leaves the old limits in force, and status says so", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		limit := harness.LimitOf(1000, 60, 1000)
		create(ctx, harness.NewPolicy(key, 2, limit))
		pods := podsOf(ctx, key, 2)
		running := configz(ctx, &pods[0])

		By("suspending the policy with new limits, and writing a file by hand that nobody can read")
		change(ctx, key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Suspend = true })
		awaitStatus(ctx, key, func(Gomega, *v1alpha1.RateLimitPolicy) {})
		change(ctx, key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Rules[0].Limit = harness.LimitOf(5, 60, 5) })
		writeLimits(ctx, key, "version: 1\nrules:\n- name: per-key\n  limit: {requests: many, periodSeconds: 60}\n")
		for i := range pods {
			refresh(ctx, &pods[i])
		}

		By("asking the pods: they say what is wrong and where, and go by the old limits")
		for i := range pods {
			Eventually(ctx, func(g Gomega) {
				answer, err := kube.Configz(ctx, &pods[i])
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(answer.LastError).NotTo(BeNil())
				g.Expect(answer.LastError.Message).To(And(ContainSubstring("line 4"), ContainSubstring("rules[0].limit.requests")))
				g.Expect(answer.LimitsHash).To(Equal(running.LimitsHash))
			}).Should(Succeed())
			Expect(ask(ctx, &pods[i], "acme").Shows(limit)).To(Succeed())
		}

		By("reading status: not enforced, and why")
		awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			expectCondition(g, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
			expectCondition(g, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
			g.Expect(p.Status.LoadedReplicas).To(BeZero())
			g.Expect(p.Status.Laggards).To(HaveLen(2))
			g.Expect(p.Status.Laggards).To(HaveEach(HaveField("Reason", ContainSubstring("rules[0].limit.requests"))))
		})

		By("resuming: the operator's own file takes its place, and no pod was restarted")
		change(ctx, key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Suspend = false })
		awaitReady(ctx, key)
		for i := range pods {
			Expect(ask(ctx, &pods[i], "acme").Shows(harness.LimitOf(5, 60, 5))).To(Succeed())
			Expect(configz(ctx, &pods[i]).LastError).To(BeNil())
		}
		Expect(harness.SamePods(pods, podsOf(ctx, key, 2))).To(BeTrue(), "pods were replaced or restarted")
	}, specDeadline)
})

func writeLimits(ctx context.Context, key types.NamespacedName, text string) {
	GinkgoHelper()
	limits := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: harness.LimitsName(key.Name)}}
	Expect(kube.Get(ctx, client.ObjectKeyFromObject(limits), limits)).To(Succeed())
	limits.Data = map[string]string{"limits.yaml": text}
	Expect(kube.Update(ctx, limits)).To(Succeed())
}

// refresh makes the kubelet bring a changed ConfigMap into a pod now, rather
// than in a minute.
func refresh(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"e2e":"%d"}}}`, time.Now().UnixNano())
	Expect(kube.Patch(ctx, pod.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}
