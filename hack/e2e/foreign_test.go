package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = DescribeTable("An object that has a child's name and is somebody else's",
	func(ctx SpecContext, name string, foreign client.Object) {
		namespace := newNamespace(ctx)
		key := named(namespace, "checkout")
		foreign.SetNamespace(namespace)
		foreign.SetName(name)
		Expect(kube.Create(ctx, foreign)).To(Succeed())

		By("creating the policy: it stalls and says why")
		policy := harness.NewPolicy(key, 1, harness.LimitOf(100, 60, 100))
		Expect(kube.Create(ctx, policy)).To(Succeed())
		awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
			expectCondition(g, p, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonForeignObject)
			expectCondition(g, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonForeignObject)
			g.Expect(harness.Kstatus(p)).To(Equal(harness.KstatusFailed))
		})
		Eventually(ctx, func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(kube.List(ctx, &events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(
				HaveField("Type", corev1.EventTypeWarning), HaveField("Reason", v1alpha1.ReasonForeignObject),
				HaveField("Regarding.Name", key.Name), HaveField("Note", ContainSubstring(name)))))
		}).Should(Succeed())

		By("looking at the object: nobody wrote it")
		found, ok := foreign.DeepCopyObject().(client.Object)
		Expect(ok).To(BeTrue())
		Consistently(ctx, func(g Gomega) {
			g.Expect(kube.Get(ctx, client.ObjectKeyFromObject(foreign), found)).To(Succeed())
			g.Expect(found.GetGeneration()).To(Equal(foreign.GetGeneration()))
			g.Expect(found.GetOwnerReferences()).To(BeEmpty())
			g.Expect(found.GetLabels()).To(BeEmpty())
			g.Expect(found.GetManagedFields()).NotTo(ContainElement(HaveField("Manager", "echo-operator")))
		}).Should(Succeed())

		By("taking it away and touching the policy: all is well")
		Expect(kube.Delete(ctx, foreign, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		Eventually(ctx, func() error { return kube.Get(ctx, client.ObjectKeyFromObject(foreign), found) }).ShouldNot(Succeed())
		change(ctx, key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Rules[0].Limit = harness.LimitOf(200, 60, 200) })
		awaitReady(ctx, key)
	},
	Entry("a ConfigMap", specDeadline, "checkout-echo-limits", &corev1.ConfigMap{Data: map[string]string{"limits.yaml": "mine"}}),
	Entry("a Deployment", specDeadline, "checkout-echo", foreignDeployment()),
	Entry("a Service", specDeadline, "checkout-echo", foreignService()),
	Entry("a Service named as the shared Redis", specDeadline, harness.RedisName, foreignService()),
)

func foreignService() *corev1.Service {
	return &corev1.Service{Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "mine"}, Ports: []corev1.ServicePort{{Name: "mine", Port: 1234}},
	}}
}

// foreignDeployment wants no pods: that it exists is enough.
func foreignDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "mine"}
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{
		Replicas: new(int32),
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "mine", Image: "mine"}}},
		},
	}}
}
