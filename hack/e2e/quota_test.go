package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = Describe("Quotas", func() {
	It("are told on every answer, and enforced for each client by itself", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		limit := harness.LimitOf(5, 60, 5)
		create(ctx, patient(harness.NewPolicy(key, 3, limit)))
		wantLimit, wantPolicy := harness.ShownLimit(limit)

		By("spending a client's tokens at pods in turn: all pods count the same bucket")
		pods := podsOf(ctx, key, 3)
		for spent := int64(1); spent <= limit.Requests; spent++ {
			reply := ask(ctx, &pods[spent%3], "acme")
			Expect(reply.Status).To(Equal(http.StatusOK))
			Expect(reply.Header.Get("X-RateLimit-Limit")).To(Equal(wantLimit))
			Expect(reply.Header.Get("X-RateLimit-Remaining")).To(Equal(strconv.FormatInt(limit.Requests-spent, 10)))
			Expect(reply.Header.Get("RateLimit-Policy")).To(Equal(wantPolicy))
			Expect(reply.Header.Get("RateLimit")).To(HavePrefix(fmt.Sprintf("%q;r=%d;t=", harness.RuleName, limit.Requests-spent)))
			Expect(reply.Header).NotTo(HaveKey("Retry-After"))
		}

		By("asking once more: 429, with when to come back")
		for i := range pods {
			reply := ask(ctx, &pods[i], "acme")
			Expect(reply.Status).To(Equal(http.StatusTooManyRequests))
			Expect(reply.Header.Get("Content-Type")).To(Equal("application/problem+json"))
			Expect(reply.Header.Get("X-RateLimit-Remaining")).To(Equal("0"))
			wait, err := strconv.Atoi(reply.Header.Get("Retry-After"))
			Expect(err).NotTo(HaveOccurred())
			Expect(wait).To(And(BeNumerically(">=", 1), BeNumerically("<=", 12))) // a token takes 12 s
		}

		By("asking as somebody else, through the Service")
		var reply harness.Reply
		Eventually(ctx, func() (err error) { // nodes learn of a Service's pods a moment after these are ready
			reply, err = kube.AskService(ctx, key, "globex")
			return err
		}).Should(Succeed())
		Expect(reply.Status).To(Equal(http.StatusOK))
		Expect(reply.Header.Get("X-RateLimit-Remaining")).To(Equal("4"))
	}, specDeadline)

	It("are shared exactly by three pods that are offered ten times the limit", func(ctx SpecContext) {
		key := named(newNamespace(ctx), "checkout")
		limit := v1alpha1.Limit{Requests: 100, PeriodSeconds: 1}
		create(ctx, patient(harness.NewPolicy(key, 3, limit)))

		By("warming the pods up, until they decide at that rate without giving up on Redis")
		flood := harness.Flood{Pods: podsOf(ctx, key, 3), Key: "warm", PerSecond: 1000, For: time.Second}
		Eventually(ctx, func(g Gomega) {
			before := ownDecisions(ctx, flood.Pods)
			g.Expect(kube.Run(ctx, flood).AllAnswered()).To(Succeed())
			g.Expect(ownDecisions(ctx, flood.Pods)).To(Equal(before))
		}).Should(Succeed())

		By("offering ten times the limit")
		flood.Key, flood.For = "acme", *floodFor
		before := ownDecisions(ctx, flood.Pods)
		tally := kube.Run(ctx, flood)
		Expect(tally.AllAnswered()).To(Succeed())
		least, most := tally.Bounds(limit.Requests, 100)
		AddReportEntry("three pods, one Redis", fmt.Sprintf(
			"offered %d in %.3f s, admitted %d; burst + rate * time is %.1f to %.1f, admitted/bound %.5f",
			tally.Offered, tally.Longest.Seconds(), tally.Admitted, least, most, float64(tally.Admitted)/most))
		Expect(ownDecisions(ctx, flood.Pods)).To(Equal(before), "pods gave up on Redis under this load, and so did not share")
		Expect(float64(tally.Admitted)).To(BeNumerically("<=", most))
		Expect(float64(tally.Admitted)).To(BeNumerically(">=", 0.999*least))
	}, specDeadline)
})

// ownDecisions counts the decisions that pods took without Redis.
func ownDecisions(ctx context.Context, pods []corev1.Pod) float64 {
	GinkgoHelper()
	var count float64
	for i := range pods {
		metrics, err := kube.PodMetrics(ctx, &pods[i])
		Expect(err).NotTo(HaveOccurred())
		Expect(metrics).To(HaveKey("ratelimit_decisions_total"))
		for _, outcome := range []string{"fallback_allowed", "fallback_denied"} {
			count += metrics.Sum("ratelimit_decisions_total", map[string]string{"outcome": outcome})
		}
	}
	return count
}
