package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "policies-"}}
	Expect(suite.admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// newPolicy is a minimal policy: one rule, 100 requests a minute for each client address.
func newPolicy(namespace, name string) *v1alpha1.RateLimitPolicy {
	return &v1alpha1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.RateLimitPolicySpec{
			Rules: []v1alpha1.Rule{{
				Name:  "per-client",
				Keys:  []v1alpha1.Key{{Source: v1alpha1.KeyClientIP}},
				Limit: v1alpha1.Limit{Requests: 100, PeriodSeconds: 60},
			}},
			Echo: v1alpha1.Echo{Replicas: ptr.To[int32](3)},
		},
	}
}

// edit changes a policy's spec as `kubectl edit` does.
func edit(ctx context.Context, p *v1alpha1.RateLimitPolicy, change func(*v1alpha1.RateLimitPolicySpec)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := suite.admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		change(&p.Spec)
		return suite.admin.Update(ctx, p)
	}, within, every).Should(Succeed())
}

// eventuallyCondition waits for a condition of the policy's present generation.
func eventuallyCondition(ctx context.Context, p *v1alpha1.RateLimitPolicy, kind string, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
		c := meta.FindStatusCondition(p.Status.Conditions, kind)
		g.Expect(c).NotTo(BeNil(), "%s is there; status: %+v", kind, p.Status)
		g.Expect([]any{c.Status, c.Reason}).To(Equal([]any{status, reason}), "%s; status: %+v", kind, p.Status)
		g.Expect(p.Status.ObservedGeneration).To(Equal(p.Generation))
	}, within, every).Should(Succeed())
}

func eventuallyReady(ctx context.Context, p *v1alpha1.RateLimitPolicy) {
	GinkgoHelper()
	eventuallyCondition(ctx, p, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
}

// policyObjects are the kinds and names that a policy owns.
func policyObjects(p *v1alpha1.RateLimitPolicy) []client.Object {
	named := func(object client.Object, name string) client.Object {
		object.SetNamespace(p.Namespace)
		object.SetName(name)
		return object
	}
	echo := desired.EchoName(p.Name)
	return []client.Object{
		named(&corev1.ConfigMap{}, desired.LimitsName(p.Name)), named(&appsv1.Deployment{}, echo), named(&corev1.Service{}, echo),
		named(&policyv1.PodDisruptionBudget{}, echo), named(&networkingv1.NetworkPolicy{}, echo),
	}
}

func redisObjects(namespace string) []client.Object {
	var objects []client.Object
	for _, object := range []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Service{}, &networkingv1.NetworkPolicy{}, &appsv1.StatefulSet{}} {
		object.SetNamespace(namespace)
		object.SetName(desired.RedisName)
		objects = append(objects, object)
	}
	return objects
}

// ruleWithOverrides is a rule with overrides of the greatest size that the schema lets in.
func ruleWithOverrides(name string, overrides int) v1alpha1.Rule {
	rule := v1alpha1.Rule{
		Name: name, Keys: []v1alpha1.Key{{Source: v1alpha1.KeyHeader, Name: "x-api-key"}},
		Limit: v1alpha1.Limit{Requests: 1, PeriodSeconds: 1},
	}
	for i := range overrides {
		o := v1alpha1.Override{Name: fmt.Sprintf("override-%d", i), Action: v1alpha1.OverrideExempt}
		for j := range 16 {
			o.Values = append(o.Values, v1alpha1.OverrideValue(fmt.Sprintf("%0128d", i*16+j)))
		}
		rule.Overrides = append(rule.Overrides, o)
	}
	return rule
}

func resourceVersions(ctx context.Context, objects []client.Object) []string {
	GinkgoHelper()
	var versions []string
	for _, object := range objects {
		Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		versions = append(versions, object.GetName()+"@"+object.GetResourceVersion())
	}
	return versions
}

var _ = Describe("A policy", func() {
	It("becomes limits, pods and a Redis, and is Ready when every pod confirmed", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)

		Expect(p.Status.LoadedReplicas).To(Equal(int32(3)))
		Expect(p.Status.Replicas).To(Equal(int32(3)))
		Expect(p.Status.ConfigHash).To(HavePrefix("sha256:"))
		Expect(p.Status.LastLoadedTime).NotTo(BeNil())
		Expect(suite.pods.loaded(p.Namespace)).To(HaveEach(p.Status.ConfigHash))
		for _, object := range policyObjects(p) {
			Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			Expect(metav1.IsControlledBy(object, p)).To(BeTrue(), "%T", object)
		}
		for _, object := range redisObjects(p.Namespace) {
			Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			Expect(object.GetOwnerReferences()).To(ConsistOf(HaveField("UID", p.UID)), "%T", object)
			Expect(metav1.GetControllerOf(object)).To(BeNil(), "%T has no controller", object)
		}
	})

	It("takes an edit into the running pods and says so only then", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		before := p.Status.ConfigHash
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.deaf = true })

		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Limit.Requests = 7 })
		eventuallyCondition(ctx, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonPodsLagging)
		Expect(meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReconciling)).To(BeTrue())
		Expect(p.Status.Laggards).To(HaveLen(3))
		Expect(p.Status.Laggards[0].Hash).To(Equal(before))

		By("pods that refresh late: the operator pokes until they do")
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.deaf = false })
		eventuallyReady(ctx, p)
		Expect(p.Status.ConfigHash).NotTo(Equal(before))
		Expect(suite.pods.loaded(p.Namespace)).To(HaveEach(p.Status.ConfigHash))
	})

	It("tells pods that cannot be asked from pods that lag", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.unreachable = true })
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Limit.Requests = 7 })
		eventuallyCondition(ctx, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonPodUnreachable)
		Expect(p.Status.Laggards[0].Reason).To(ContainSubstring("no answer within 500ms"))
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.unreachable = false })
		eventuallyReady(ctx, p)
	})

	It("sends nothing while nothing changes, nor after a restart", func(ctx SpecContext) {
		first := startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)

		By("a change of what the operator does not own makes it look, not write")
		before := first.writes.list()
		deployment := &appsv1.Deployment{}
		Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(policyObjects(p)[1]), deployment)).To(Succeed())
		deployment.Annotations = map[string]string{"team.example.com/note": "ours"}
		Expect(suite.admin.Update(ctx, deployment)).To(Succeed())
		Consistently(first.writes.list, time.Second, every).Should(Equal(before))

		By("a new operator asks every pod and writes nothing")
		first.end()
		asked := suite.pods.asked(p.Namespace)
		Expect(asked).To(HaveLen(3))
		second := startOperator()
		Eventually(func(g Gomega) {
			for name, times := range suite.pods.asked(p.Namespace) {
				g.Expect(times).To(BeNumerically(">", asked[name]), name)
			}
		}, within, every).Should(Succeed())
		Consistently(second.writes.list, time.Second, every).Should(BeEmpty())

		By("it is at work: an edit makes it write")
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Limit.Requests = 7 })
		eventuallyReady(ctx, p)
		Expect(second.writes.list()).NotTo(BeEmpty())
	})

	It("restores what it owns and leaves what others added", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		deployment := &appsv1.Deployment{}
		key := client.ObjectKeyFromObject(policyObjects(p)[1])
		Expect(suite.admin.Get(ctx, key, deployment)).To(Succeed())
		deployment.Annotations = map[string]string{"team.example.com/note": "ours"}
		deployment.Spec.Replicas = ptr.To[int32](9)
		deployment.Spec.Template.Spec.Containers[0].Image = "intruder:1"
		Expect(suite.admin.Update(ctx, deployment)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(suite.admin.Get(ctx, key, deployment)).To(Succeed())
			g.Expect(*deployment.Spec.Replicas).To(Equal(int32(3)))
			g.Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(Equal("echo:test"))
		}, within, every).Should(Succeed())
		Expect(deployment.Annotations).To(HaveKey("team.example.com/note"))
	})

	It("never touches an object that is not its own, and says which", func(ctx SpecContext) {
		startOperator()
		namespace := newNamespace(ctx)
		foreign := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "checkout-echo"}}
		foreign.Spec.Ports = []corev1.ServicePort{{Port: 1}}
		Expect(suite.admin.Create(ctx, foreign)).To(Succeed())
		p := newPolicy(namespace, "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyCondition(ctx, p, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonForeignObject)
		eventuallyCondition(ctx, p, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonForeignObject)
		Expect(meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionStalled).Message).To(ContainSubstring("Service " + namespace + "/checkout-echo"))
		after := &corev1.Service{}
		Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(foreign), after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(foreign.ResourceVersion))

		By("it goes on once the object is gone and the policy is looked at again")
		Expect(suite.admin.Delete(ctx, foreign)).To(Succeed())
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Limit.Requests++ })
		eventuallyReady(ctx, p)
	})

	It("is Stalled when its limits are more than a ConfigMap holds", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		p.Spec.Rules = nil
		for i := range 64 {
			p.Spec.Rules = append(p.Spec.Rules, ruleWithOverrides(fmt.Sprintf("rule-%d", i), 8))
		}
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyCondition(ctx, p, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConfigTooLarge)
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Rules = s.Rules[:1] })
		eventuallyReady(ctx, p)
	})

	It("leaves everything as it is while suspended", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		before := resourceVersions(ctx, policyObjects(p))
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Suspend, s.Rules[0].Limit.Requests = true, 7 })
		eventuallyCondition(ctx, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
		Expect(resourceVersions(ctx, policyObjects(p))).To(Equal(before))
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Suspend = false })
		eventuallyReady(ctx, p)
	})

	It("scales by its scale subresource, to zero and back", func(ctx SpecContext) {
		startOperator()
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		hash := p.Status.ConfigHash
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Echo.Replicas = ptr.To[int32](0) })
		eventuallyCondition(ctx, p, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
		eventuallyCondition(ctx, p, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonScaledToZero)
		edit(ctx, p, func(s *v1alpha1.RateLimitPolicySpec) { s.Echo.Replicas = ptr.To[int32](2) })
		eventuallyReady(ctx, p)
		Expect(p.Status.LoadedReplicas).To(Equal(int32(2)))
		Expect(p.Status.ConfigHash).To(Equal(hash), "scaling is no change of the limits")
	})

	It("carries the pods' own complaint", func(ctx SpecContext) {
		startOperator()
		namespace := newNamespace(ctx)
		suite.pods.set(ctx, namespace, func(b *behaviour) { b.unready = "ErrImagePull" })
		p := newPolicy(namespace, "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyCondition(ctx, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
		Eventually(func(g Gomega) {
			g.Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			g.Expect(meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("ErrImagePull"))
		}, within, every).Should(Succeed())
	})
})
