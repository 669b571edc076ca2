package controllers_test

import (
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

var _ = Describe("The samples", func() {
	It("are all taken by the API server and become ready", func(ctx SpecContext) {
		startOperator()
		files, err := filepath.Glob("../config/samples/*.yaml")
		Expect(err).NotTo(HaveOccurred())
		tried := 0
		for _, file := range files {
			for _, object := range readManifests(file) {
				if object.GetKind() != v1alpha1.Kind {
					continue
				}
				By(filepath.Base(file))
				p := &v1alpha1.RateLimitPolicy{}
				Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, p)).To(Succeed())
				p.Namespace = newNamespace(ctx)
				Expect(suite.admin.Create(ctx, p)).To(Succeed())
				eventuallyReady(ctx, p)
				tried++
			}
		}
		Expect(tried).To(BeNumerically(">=", 6))
	})
})

var _ = Describe("A bad policy", func() {
	DescribeTable("is refused by the API server with the field and the way out",
		func(ctx SpecContext, spoil func(*v1alpha1.RateLimitPolicy), field, remedy string) {
			p := newPolicy(newNamespace(ctx), "checkout")
			spoil(p)
			err := suite.admin.Create(ctx, p)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(And(ContainSubstring(field), ContainSubstring(remedy))))
		},
		Entry("a name that makes no child's name", func(p *v1alpha1.RateLimitPolicy) { p.Name = strings.Repeat("a", 53) }, "metadata.name", "choose a name"),
		Entry("no requests", func(p *v1alpha1.RateLimitPolicy) { p.Spec.Rules[0].Limit.Requests = 0 }, "spec.rules[0].limit.requests", "greater than or equal to 1"),
		Entry("a cost above the burst", func(p *v1alpha1.RateLimitPolicy) { p.Spec.Rules[0].Cost = ptr.To[int64](101) }, "spec.rules[0]", "cost"),
		Entry("a header key without a name", func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Rules[0].Keys = []v1alpha1.Key{{Source: v1alpha1.KeyHeader}}
		}, "spec.rules[0].keys[0]", "name"),
		Entry("Redis settings with store Memory", func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Store.Type, p.Spec.Redis = v1alpha1.StoreMemory, &v1alpha1.Redis{Type: v1alpha1.RedisManaged}
		}, "spec", "remove spec.redis"),
		Entry("an external Redis without addresses", func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Redis = &v1alpha1.Redis{Type: v1alpha1.RedisExternal}
		}, "spec.redis", "add external"),
		Entry("two rules of one name", func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Rules = append(p.Spec.Rules, p.Spec.Rules[0])
		}, "spec.rules[1]", "Duplicate value"),
		Entry("a range of addresses that is none", func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.ClientIP.TrustedProxies = []v1alpha1.CIDR{"10.0.0.0/33"}
		}, "spec.clientIP.trustedProxies[0]", "CIDR notation"),
	)

	It("that no pod of this release could run is Stalled, with the field named", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		p.Spec.Redis = &v1alpha1.Redis{Type: v1alpha1.RedisExternal, External: &v1alpha1.ExternalRedis{
			Mode: v1alpha1.RedisCluster, Addresses: []v1alpha1.RedisAddress{"redis.example.com:6379"},
		}}
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyCondition(ctx, p, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
		Expect(p.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("redis.external.mode"))))
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Redis = nil })
		eventuallyReady(ctx, p)
	})
})

var _ = Describe("kubectl scale", func() {
	It("and autoscalers find the policy's scale subresource", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
		Expect(suite.admin.SubResource("scale").Update(ctx, p, client.WithSubResourceBody(scale))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			g.Expect(p.Status.Replicas).To(Equal(int32(2)))
		}, within, every).Should(Succeed())
		eventuallyReady(ctx, p)
		Expect(suite.admin.SubResource("scale").Get(ctx, p, scale)).To(Succeed())
		Expect(scale.Status.Selector).To(ContainSubstring("policy=checkout"))
	})
})
