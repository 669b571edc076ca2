package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

func redisSecret(ctx context.Context, namespace string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(suite.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: desired.RedisName}, secret)).To(Succeed())
	return secret
}

func owners(ctx context.Context, namespace string) []types.UID {
	GinkgoHelper()
	var uids []types.UID
	for _, object := range redisObjects(namespace) {
		Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		for _, owner := range object.GetOwnerReferences() {
			uids = append(uids, owner.UID)
		}
	}
	return uids
}

var _ = Describe("The namespace's Redis", func() {
	It("belongs to all policies that use it and to no other", func(ctx SpecContext) {
		startOperator()
		namespace := newNamespace(ctx)
		one, two := newPolicy(namespace, "one"), newPolicy(namespace, "two")
		alone := newPolicy(namespace, "alone")
		alone.Spec.Store.Type = v1alpha1.StoreMemory
		for _, p := range []*v1alpha1.RateLimitPolicy{one, two, alone} {
			Expect(suite.admin.Create(ctx, p)).To(Succeed())
			eventuallyReady(ctx, p)
		}
		eventuallyCondition(ctx, alone, v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonNotUsed)
		password := redisSecret(ctx, namespace).Data[desired.PasswordKey]
		Expect(len(password)).To(BeNumerically(">=", 20))
		Eventually(func() []types.UID { return owners(ctx, namespace) }, within, every).
			Should(ConsistOf(one.UID, one.UID, one.UID, one.UID, one.UID, two.UID, two.UID, two.UID, two.UID, two.UID))

		By("one leaves: it loses an owner and keeps its password")
		edit(ctx, one, func(s *v1alpha1.RateLimitPolicySpec) { s.Store.Type, s.Redis = v1alpha1.StoreMemory, nil })
		Eventually(func() []types.UID { return owners(ctx, namespace) }, within, every).
			Should(ConsistOf(two.UID, two.UID, two.UID, two.UID, two.UID))
		Expect(redisSecret(ctx, namespace).Data[desired.PasswordKey]).To(Equal(password))

		By("the last leaves without being deleted: the instance goes")
		edit(ctx, two, func(s *v1alpha1.RateLimitPolicySpec) { s.Store.Type, s.Redis = v1alpha1.StoreMemory, nil })
		for _, object := range redisObjects(namespace) {
			Eventually(func() bool {
				return apierrors.IsNotFound(suite.admin.Get(ctx, client.ObjectKeyFromObject(object), object))
			}, within, every).Should(BeTrue(), "%T", object)
		}
	})

	It("that someone else made under its name is left alone", func(ctx SpecContext) {
		startOperator()
		namespace := newNamespace(ctx)
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: desired.RedisName}}
		Expect(suite.admin.Create(ctx, foreign)).To(Succeed())
		p := newPolicy(namespace, "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyCondition(ctx, p, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonForeignObject)
		Expect(redisSecret(ctx, namespace).ResourceVersion).To(Equal(foreign.ResourceVersion))
	})

	DescribeTable("when it is out, the status says what still holds",
		func(ctx SpecContext, onOutage v1alpha1.OutageBehaviour, enforced metav1.ConditionStatus) {
			startOperator()
			p := newPolicy(newNamespace(ctx), "checkout")
			p.Spec.Store.OnOutage = onOutage
			Expect(suite.admin.Create(ctx, p)).To(Succeed())
			eventuallyReady(ctx, p)
			suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.redisDown, b.storeState = true, config.StoreStateFallback })
			eventuallyCondition(ctx, p, v1alpha1.ConditionEnforced, enforced, v1alpha1.ReasonFallbackActive)
			eventuallyCondition(ctx, p, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable)
			eventuallyCondition(ctx, p, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable)
			Expect(p.Status.Conditions).NotTo(ContainElement(HaveField("Type", v1alpha1.ConditionReconciling)))

			suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.redisDown, b.storeState = false, "" })
			eventuallyReady(ctx, p)
		},
		Entry("each pod a share", v1alpha1.OutageShare, metav1.ConditionTrue),
		Entry("each pod the whole limit", v1alpha1.OutageFull, metav1.ConditionTrue),
		Entry("nothing passes", v1alpha1.OutageDeny, metav1.ConditionTrue),
		Entry("nothing is limited", v1alpha1.OutageAllow, metav1.ConditionFalse),
	)
})

var _ = Describe("A rotation of the pods' password", func() {
	It("lets no pod hold a password that Redis refuses", func(ctx SpecContext) {
		server := redistest.Start(GinkgoTB())
		admin := controllers.NetworkRedisAdmin{Address: func(string) string { return server.Addr() }}
		startOperator(func(o *operatorOptions) { o.admin = admin })
		p := newPolicy(newNamespace(ctx), "checkout")
		Expect(suite.admin.Create(ctx, p)).To(Succeed())
		eventuallyReady(ctx, p)
		secret := redisSecret(ctx, p.Namespace)
		old := string(secret.Data[desired.PasswordKey])
		loadUsers(ctx, server, string(secret.Data["users.acl"]))
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.credentialsVersion = desired.CredentialsVersion(old) })
		Expect(loginAs(ctx, server, old)).To(Succeed())

		By("a token in the Secret's annotation starts it")
		before := client.MergeFrom(secret.DeepCopy())
		secret.Annotations = map[string]string{v1alpha1.AnnotationRotate: "monday"}
		Expect(suite.admin.Patch(ctx, secret, before)).To(Succeed())
		var next string
		Eventually(func(g Gomega) {
			next = string(redisSecret(ctx, p.Namespace).Data[desired.PasswordKey])
			g.Expect(next).NotTo(Equal(old))
		}, within, every).Should(Succeed())

		By("while pods still use the old one, both are accepted, also by a Redis that restarts")
		Consistently(func(g Gomega) {
			g.Expect(loginAs(ctx, server, old)).To(Succeed())
			g.Expect(loginAs(ctx, server, next)).To(Succeed())
		}, 2*time.Second, 100*time.Millisecond).Should(Succeed())
		loadUsers(ctx, server, string(redisSecret(ctx, p.Namespace).Data["users.acl"]))
		Expect(loginAs(ctx, server, old)).To(Succeed())
		Expect(loginAs(ctx, server, next)).To(Succeed())

		By("once all pods use the new one, the old one is refused")
		suite.pods.set(ctx, p.Namespace, func(b *behaviour) { b.credentialsVersion = desired.CredentialsVersion(next) })
		Eventually(func() error { return loginAs(ctx, server, old) }, within, every).Should(MatchError(ContainSubstring("WRONGPASS")))
		Expect(loginAs(ctx, server, next)).To(Succeed())
		Eventually(func(g Gomega) {
			secret := redisSecret(ctx, p.Namespace)
			g.Expect(secret.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRotated, "monday"))
			g.Expect(secret.Data).To(HaveLen(3), "the old password is gone")
		}, within, every).Should(Succeed())
	})
})

// loadUsers gives the server the users of an ACL file, as a start would.
func loadUsers(ctx context.Context, server *redistest.Server, file string) {
	GinkgoHelper()
	c := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = c.Close() }()
	for line := range strings.Lines(file) {
		fields := strings.Fields(line)
		if fields[1] == "default" {
			continue // the test goes on as the default user
		}
		args := []any{"ACL", "SETUSER"}
		for _, field := range fields[1:] {
			args = append(args, field)
		}
		Expect(c.Do(ctx, args...).Err()).To(Succeed(), line)
	}
}

// loginAs tries the password of the pods' user.
func loginAs(ctx context.Context, server *redistest.Server, password string) error {
	c := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: desired.RedisEchoUser, Password: password, MaxRetries: -1})
	defer func() { _ = c.Close() }()
	return c.Ping(ctx).Err()
}

var _ = Describe("An upgrade of the operator", func() {
	It("rolls no more Deployments at once than it may", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		old := startOperator()
		var policies []*v1alpha1.RateLimitPolicy
		for _, name := range []string{"one", "two", "three"} {
			p := newPolicy(namespace, name)
			p.Spec.Echo.Replicas = ptr.To[int32](1)
			Expect(suite.admin.Create(ctx, p)).To(Succeed())
			eventuallyReady(ctx, p)
			policies = append(policies, p)
		}
		old.end()

		By("new pods do not become ready, so the first rollout does not end")
		suite.pods.set(ctx, namespace, func(b *behaviour) { b.unready = "ErrImagePull" })
		startOperator(func(o *operatorOptions) { o.settings.EchoImage, o.rollouts = "echo:next", 1 })
		Eventually(func(g Gomega) {
			var reasons []string
			for _, p := range policies {
				g.Expect(suite.admin.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
				reasons = append(reasons, readyReason(p))
			}
			g.Expect(reasons).To(ConsistOf(v1alpha1.ReasonUpgradePending, v1alpha1.ReasonUpgradePending, v1alpha1.ReasonPodsNotReady))
		}, within, every).Should(Succeed())
	})
})

func readyReason(p *v1alpha1.RateLimitPolicy) string {
	for _, c := range p.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}
