package e2e

import (
	"context"
	"os/exec"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// newNamespace makes a namespace for one case, with the strictest pod security
// that Kubernetes has. When the case fails, what it holds is shown before it goes.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	Expect(kube.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			show(ctx, namespace.Name)
		}
		Expect(client.IgnoreNotFound(kube.Delete(ctx, namespace))).To(Succeed())
	}, NodeTimeout(time.Minute))
	return namespace.Name
}

// show prints what a namespace holds, for the reader of a failure.
func show(ctx context.Context, namespace string) {
	for _, args := range [][]string{
		{"get", "all,configmaps,events", "-o", "wide"},
		{"get", "ratelimitpolicies", "-o", "yaml"},
		{"logs", "--all-containers", "--prefix", "--tail=30", "-l", v1alpha1.LabelManagedBy + "=" + v1alpha1.ManagedBy},
	} {
		args = append([]string{"-n", namespace}, args...)
		text, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput()
		GinkgoWriter.Printf("kubectl %v (%v)\n%s\n", args, err, text)
	}
}

// named is a policy's key.
func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// patient makes pods wait for Redis rather long. Sharing a bucket is about the
// pods and Redis, not about how fast a busy machine is: a pod that gives up on
// Redis decides from a bucket of its own.
func patient(policy *v1alpha1.RateLimitPolicy) *v1alpha1.RateLimitPolicy {
	policy.Spec.Store.TimeoutMilliseconds = 1000
	return policy
}

// create makes a policy and waits until it is Ready.
func create(ctx context.Context, policy *v1alpha1.RateLimitPolicy) *v1alpha1.RateLimitPolicy {
	GinkgoHelper()
	Expect(kube.Create(ctx, policy)).To(Succeed())
	return awaitReady(ctx, client.ObjectKeyFromObject(policy))
}

// awaitReady waits until a policy is Ready for its newest generation, with all
// pods that it asks for.
func awaitReady(ctx context.Context, key types.NamespacedName) *v1alpha1.RateLimitPolicy {
	GinkgoHelper()
	return awaitStatus(ctx, key, func(g Gomega, p *v1alpha1.RateLimitPolicy) {
		g.Expect(harness.Kstatus(p)).To(Equal(harness.KstatusCurrent))
		expectCondition(g, p, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		g.Expect(p.Status.LoadedReplicas).To(Equal(*p.Spec.Echo.Replicas))
	})
}

// awaitStatus waits until a policy's status passes check for its newest generation.
func awaitStatus(ctx context.Context, key types.NamespacedName, check func(Gomega, *v1alpha1.RateLimitPolicy)) *v1alpha1.RateLimitPolicy {
	GinkgoHelper()
	var policy v1alpha1.RateLimitPolicy
	Eventually(ctx, func(g Gomega) {
		g.Expect(kube.Get(ctx, key, &policy)).To(Succeed())
		g.Expect(policy.Status.ObservedGeneration).To(Equal(policy.Generation))
		check(g, &policy)
	}).Should(Succeed(), func() string { return harness.Describe(&policy) })
	return &policy
}

// expectCondition checks a condition's status and, unless empty, its reason.
func expectCondition(g Gomega, p *v1alpha1.RateLimitPolicy, kind string, status metav1.ConditionStatus, reason string) {
	c := meta.FindStatusCondition(p.Status.Conditions, kind)
	g.Expect(c).NotTo(BeNil(), "no condition %s", kind)
	g.Expect(c.Status).To(Equal(status), "%s: %s (%s)", kind, c.Reason, c.Message)
	if reason != "" {
		g.Expect(c.Reason).To(Equal(reason), "%s: %s", kind, c.Message)
	}
}

func podsOf(ctx context.Context, key types.NamespacedName, count int) []corev1.Pod {
	GinkgoHelper()
	pods, err := kube.Pods(ctx, key)
	Expect(err).NotTo(HaveOccurred())
	Expect(pods).To(HaveLen(count))
	return pods
}

// ask sends a request to a pod, which must answer.
func ask(ctx context.Context, pod *corev1.Pod, key string) harness.Reply {
	GinkgoHelper()
	reply, err := kube.Ask(ctx, pod, key)
	Expect(err).NotTo(HaveOccurred())
	return reply
}

// configz asks a pod for the limits it runs; it must answer.
func configz(ctx context.Context, pod *corev1.Pod) config.Configz {
	GinkgoHelper()
	answer, err := kube.Configz(ctx, pod)
	Expect(err).NotTo(HaveOccurred())
	return answer
}

// change edits a policy's spec and returns it as written.
func change(ctx context.Context, key types.NamespacedName, edit func(*v1alpha1.RateLimitPolicySpec)) *v1alpha1.RateLimitPolicy {
	GinkgoHelper()
	written, _, err := kube.Change(ctx, key, edit)
	Expect(err).NotTo(HaveOccurred())
	return written
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func itoa(n int32) string { return strconv.FormatInt(int64(n), 10) }
