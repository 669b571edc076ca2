package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

var _ = Describe("The operator", func() {
	It("writes nothing for unchanged policies, also right after it was restarted", func(ctx SpecContext) {
		if !kube.Direct() {
			Skip("the operator's metrics can only be read at its pod's address, which has no route from here")
		}
		namespace := newNamespace(ctx)
		create(ctx, harness.NewPolicy(named(namespace, "checkout"), 2, harness.LimitOf(100, 60, 100)))
		create(ctx, harness.NewPolicy(named(namespace, "search"), 1, harness.LimitOf(100, 60, 100)))
		token := metricsToken(ctx)
		settle(ctx, namespace)
		before, err := kube.Inventory(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())

		By("restarting it, and waiting until it has looked at everything")
		restartOperator(ctx)
		var metrics harness.Metrics
		Eventually(ctx, func(g Gomega) {
			metrics, err = kube.OperatorMetrics(ctx, operatorPod(ctx, g), token)
			g.Expect(err).NotTo(HaveOccurred())
			for _, controller := range []string{"ratelimitpolicy", "redis"} {
				only := map[string]string{"controller": controller}
				g.Expect(metrics.Sum("controller_runtime_reconcile_total", only)).To(BeNumerically(">=", 1), controller)
			}
			g.Expect(metrics.Sum("workqueue_depth", nil)).To(BeZero())
			g.Expect(metrics.Sum("echo_operator_policies", map[string]string{"ready": "true"})).To(BeNumerically(">=", 2))
		}).Should(Succeed())

		By("comparing the namespace's objects: not one was written")
		Consistently(ctx, func(g Gomega) {
			now, err := kube.Inventory(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now).To(Equal(before))
		}).Should(Succeed())

		By("reading its own count of requests: no apply, no patch, no deletion")
		metrics, err = kube.OperatorMetrics(ctx, operatorPod(ctx, Default), token)
		Expect(err).NotTo(HaveOccurred())
		Expect(metrics.Sum("rest_client_requests_total", map[string]string{"method": "GET"})).To(BeNumerically(">", 0))
		for _, method := range []string{"PATCH", "DELETE"} {
			Expect(metrics.Sum("rest_client_requests_total", map[string]string{"method": method})).To(BeZero(), method)
		}
	}, specDeadline)

	It("mends what was changed by hand, and takes up an edit that was made while it was away", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		key := named(namespace, "checkout")
		create(ctx, harness.NewPolicy(key, 2, harness.LimitOf(1000, 60, 1000)))
		pods := podsOf(ctx, key, 2)

		By("stopping it: the pods go on")
		scaleOperator(ctx, 0)
		limit := harness.LimitOf(5000, 60, 5000)
		change(ctx, key, func(spec *v1alpha1.RateLimitPolicySpec) { spec.Rules[0].Limit = limit })
		writeLimits(ctx, key, "neither: limits\n")
		for i := range pods {
			refresh(ctx, &pods[i])
			Eventually(ctx, func(g Gomega) {
				answer, err := kube.Configz(ctx, &pods[i])
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(answer.LastError).NotTo(BeNil())
			}).Should(Succeed())
			Expect(ask(ctx, &pods[i], "acme").Shows(harness.LimitOf(1000, 60, 1000))).To(Succeed())
		}

		By("starting it: the edit is enforced and the file is its own again")
		scaleOperator(ctx, 1)
		awaitReady(ctx, key)
		for i := range pods {
			Expect(ask(ctx, &pods[i], "acme").Shows(limit)).To(Succeed())
			Expect(configz(ctx, &pods[i]).LastError).To(BeNil())
		}
	}, specDeadline)
})

// settle waits until nothing in a namespace has been written for a while, and
// until the namespaces of earlier cases are gone, in which there is work to do.
func settle(ctx context.Context, namespace string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var namespaces corev1.NamespaceList
		g.Expect(kube.List(ctx, &namespaces)).To(Succeed())
		g.Expect(namespaces.Items).To(HaveEach(HaveField("DeletionTimestamp", BeNil())))
	}).Should(Succeed())
	var last harness.Inventory
	since := time.Now()
	Eventually(ctx, func(g Gomega) {
		now, err := kube.Inventory(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		if !equalInventories(now, last) {
			last, since = now, time.Now()
		}
		g.Expect(time.Since(since)).To(BeNumerically(">", 3*time.Second))
	}).Should(Succeed())
}

func equalInventories(a, b harness.Inventory) bool {
	matches, err := Equal(a).Match(b)
	return err == nil && matches
}

// operatorPod is the one pod of the operator that is not ending.
func operatorPod(ctx context.Context, g Gomega) *corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	g.Expect(kube.List(ctx, &list, client.InNamespace(harness.OperatorNamespace))).To(Succeed())
	var running []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			running = append(running, pod)
		}
	}
	g.Expect(running).To(HaveLen(1))
	return &running[0]
}

func restartOperator(ctx context.Context) {
	GinkgoHelper()
	old := operatorPod(ctx, Default)
	Expect(kube.Delete(ctx, old)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		pod := operatorPod(ctx, g)
		g.Expect(pod.UID).NotTo(Equal(old.UID))
		g.Expect(pod.Status.Conditions).To(ContainElement(And(
			HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))))
	}).Should(Succeed())
}

func scaleOperator(ctx context.Context, replicas int32) {
	GinkgoHelper()
	key := named(harness.OperatorNamespace, harness.OperatorDeployment)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":`+itoa(replicas)+`}}`))
	write := func(ctx context.Context) error {
		return kube.Patch(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}, patch)
	}
	Expect(write(ctx)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		var pods corev1.PodList
		g.Expect(kube.List(ctx, &pods, client.InNamespace(key.Namespace))).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(int(replicas)))
	}).Should(Succeed())
	if replicas == 0 {
		// Whatever happens in the case, the next one needs the operator.
		DeferCleanup(func(ctx SpecContext) { scaleOperator(ctx, 1) }, NodeTimeout(time.Minute))
	}
}

// metricsToken is the token of an account that may read the operator's metrics.
func metricsToken(ctx context.Context) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "metrics"}}
	Expect(kube.Create(ctx, account)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-metrics-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "echo-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}
	Expect(kube.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(kube.Delete(ctx, binding)).To(Succeed()) }, NodeTimeout(time.Minute))
	request := &authenticationv1.TokenRequest{}
	Expect(kube.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}
