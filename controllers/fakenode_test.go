package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	cfgpkg "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/config"
)

// fakeNode is what an API server alone lacks: it makes pods of Deployments,
// refreshes a pod's limits file when its annotations change, as a kubelet does,
// and answers for the pods at /configz. It lets tests show faults that real
// pods cannot be made to show at a given moment; the real ones run in hack/e2e.
type fakeNode struct {
	client client.Client

	mu   sync.Mutex
	pods map[types.UID]*fakePod
	next int
	// behaviour by namespace.
	byNamespace map[string]*behaviour
}

type fakePod struct {
	uid             types.UID
	name, namespace string
	poked           string
	file            []byte
	lastError       *config.ConfigzError
	asked           int
}

// behaviour is how a namespace's pods and Redis act.
type behaviour struct {
	// deaf pods do not refresh their file when annotated.
	deaf bool
	// unreachable pods do not answer.
	unreachable bool
	// unready pods never become ready, and say why.
	unready string
	// storeState is what pods say of their store; ok when empty.
	storeState string
	// credentialsVersion is what pods say of their password.
	credentialsVersion string
	// redisDown keeps the managed Redis from being ready.
	redisDown bool
}

func startFakeNode(cfg *rest.Config) *fakeNode {
	skip := true
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: suite.scheme, Metrics: server.Options{BindAddress: "0"}, Controller: cfgpkg.Controller{SkipNameValidation: &skip},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{
			&corev1.Pod{}, &corev1.ConfigMap{}, &appsv1.ReplicaSet{}, &appsv1.Deployment{}, &appsv1.StatefulSet{},
		}}},
	})
	Expect(err).NotTo(HaveOccurred())
	node := &fakeNode{client: mgr.GetClient(), pods: map[types.UID]*fakePod{}, byNamespace: map[string]*behaviour{}}
	Expect(ctrl.NewControllerManagedBy(mgr).Named("deployments").For(&appsv1.Deployment{}).Owns(&appsv1.ReplicaSet{}).
		Complete(reconcile.Func(node.runDeployment))).To(Succeed())
	Expect(ctrl.NewControllerManagedBy(mgr).Named("kubelet").For(&corev1.Pod{}).
		Complete(reconcile.Func(node.runPod))).To(Succeed())
	Expect(ctrl.NewControllerManagedBy(mgr).Named("statefulsets").For(&appsv1.StatefulSet{}).
		Complete(reconcile.Func(node.runStatefulSet))).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(done, within).Should(Receive())
	})
	return node
}

// set changes how a namespace's pods and Redis act, and makes both notice.
func (n *fakeNode) set(ctx context.Context, namespace string, change func(*behaviour)) {
	GinkgoHelper()
	n.mu.Lock()
	b := n.behaviour(namespace)
	change(b)
	n.mu.Unlock()
	var sets appsv1.StatefulSetList
	Expect(n.client.List(ctx, &sets, client.InNamespace(namespace))).To(Succeed())
	for i := range sets.Items {
		_, err := n.runStatefulSet(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&sets.Items[i])})
		Expect(err).NotTo(HaveOccurred())
	}
}

// behaviour must be called with the lock held.
func (n *fakeNode) behaviour(namespace string) *behaviour {
	b := n.byNamespace[namespace]
	if b == nil {
		b = &behaviour{}
		n.byNamespace[namespace] = b
	}
	return b
}

func (n *fakeNode) behaviourOf(namespace string) behaviour {
	n.mu.Lock()
	defer n.mu.Unlock()
	return *n.behaviour(namespace)
}

func (n *fakeNode) runDeployment(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	d := &appsv1.Deployment{}
	if err := n.client.Get(ctx, request.NamespacedName, d); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !metav1.HasAnnotation(d.ObjectMeta, "test/ignore") && d.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
		return ctrl.Result{}, nil
	}
	set, err := n.replicaSet(ctx, d)
	if err != nil {
		return ctrl.Result{}, err
	}
	ready, err := n.scalePods(ctx, d, set)
	if err != nil {
		return ctrl.Result{}, err
	}
	wanted := ptr.Deref(d.Spec.Replicas, 1)
	d.Status.ObservedGeneration = d.Generation
	d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas = wanted, wanted, ready
	return ctrl.Result{}, n.client.Status().Update(ctx, d)
}

func (n *fakeNode) replicaSet(ctx context.Context, d *appsv1.Deployment) (*appsv1.ReplicaSet, error) {
	hash := config.Hash([]byte(d.Spec.Template.String()))[7:15]
	set := &appsv1.ReplicaSet{}
	key := types.NamespacedName{Namespace: d.Namespace, Name: d.Name + "-" + hash}
	if err := n.client.Get(ctx, key, set); client.IgnoreNotFound(err) != nil || err == nil {
		return set, err
	}
	labels := maps.Clone(d.Spec.Template.Labels)
	labels["pod-template-hash"] = hash
	set = &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels}}
	set.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	set.Spec.Template = *d.Spec.Template.DeepCopy()
	set.Spec.Template.Labels = labels
	if err := ctrl.SetControllerReference(d, set, suite.scheme); err != nil {
		return nil, err
	}
	return set, n.client.Create(ctx, set)
}

// scalePods makes the ReplicaSet have the Deployment's number of pods and ends
// all others; it returns how many are ready.
func (n *fakeNode) scalePods(ctx context.Context, d *appsv1.Deployment, set *appsv1.ReplicaSet) (int32, error) {
	var pods corev1.PodList
	if err := n.client.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		return 0, err
	}
	wanted, have := ptr.Deref(d.Spec.Replicas, 1), int32(0)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if metav1.IsControlledBy(pod, set) && have < wanted {
			have++
		} else if err := client.IgnoreNotFound(n.client.Delete(ctx, pod, client.GracePeriodSeconds(0))); err != nil {
			return 0, err
		}
	}
	for ; have < wanted; have++ {
		if err := n.newPod(ctx, set); err != nil {
			return 0, err
		}
	}
	if n.behaviourOf(d.Namespace).unready != "" {
		return 0, nil
	}
	return wanted, nil
}

func (n *fakeNode) newPod(ctx context.Context, set *appsv1.ReplicaSet) error {
	n.mu.Lock()
	n.next++
	number := n.next
	n.mu.Unlock()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: set.Namespace, Name: fmt.Sprintf("%s-%d", set.Name, number), Labels: set.Spec.Template.Labels,
	}}
	pod.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: desired.EchoContainer, Image: set.Spec.Template.Spec.Containers[0].Image}}}
	if err := ctrl.SetControllerReference(set, pod, suite.scheme); err != nil {
		return err
	}
	if err := n.client.Create(ctx, pod); err != nil {
		return err
	}
	file, err := n.mountedFile(ctx, pod)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.pods[pod.UID] = &fakePod{uid: pod.UID, name: pod.Name, namespace: pod.Namespace, file: file}
	n.mu.Unlock()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", number>>16, number>>8&255, number&255)
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	if why := n.behaviourOf(pod.Namespace).unready; why != "" {
		ready.Status = corev1.ConditionFalse
		pod.Status.Phase = corev1.PodPending
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: desired.EchoContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: why, Message: "pod " + pod.Name}},
		}}
	}
	pod.Status.Conditions = []corev1.PodCondition{ready}
	return n.client.Status().Update(ctx, pod)
}

func (n *fakeNode) mountedFile(ctx context.Context, pod *corev1.Pod) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	name := desired.LimitsName(pod.Labels[v1alpha1.LabelPolicy])
	err := n.client.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: name}, configMap)
	return []byte(configMap.Data[desired.LimitsKey]), err
}

// runPod does what a kubelet does when a pod's annotations change.
func (n *fakeNode) runPod(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := n.client.Get(ctx, request.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	poked := pod.Annotations[v1alpha1.AnnotationConfigHash] + pod.Annotations[v1alpha1.AnnotationPoke]
	n.mu.Lock()
	fake, deaf := n.pods[pod.UID], n.behaviour(pod.Namespace).deaf
	stale := fake != nil && fake.poked != poked && !deaf
	n.mu.Unlock()
	if !stale {
		return ctrl.Result{}, nil
	}
	file, err := n.mountedFile(ctx, pod)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	fake.poked = poked
	if _, err := config.Parse(file); err != nil {
		fake.lastError = &config.ConfigzError{Hash: config.Hash(file), Message: err.Error()}
		return ctrl.Result{}, nil
	}
	fake.file, fake.lastError = file, nil
	return ctrl.Result{}, nil
}

func (n *fakeNode) runStatefulSet(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	set := &appsv1.StatefulSet{}
	if err := n.client.Get(ctx, request.NamespacedName, set); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	set.Status.ObservedGeneration = set.Generation
	set.Status.Replicas, set.Status.ReadyReplicas = 1, 1
	if n.behaviourOf(set.Namespace).redisDown {
		set.Status.ReadyReplicas = 0
	}
	return ctrl.Result{}, n.client.Status().Update(ctx, set)
}

// Ask implements controllers.Asker.
func (n *fakeNode) Ask(ctx context.Context, target controllers.Target) (config.Configz, error) {
	b := n.behaviourOf(target.Namespace)
	if b.unreachable {
		<-ctx.Done()
		return config.Configz{}, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	pod := n.pods[target.UID]
	if pod == nil {
		return config.Configz{}, errors.New("no such pod")
	}
	pod.asked++
	file, err := config.Parse(pod.file)
	if err != nil {
		return config.Configz{}, err
	}
	limitsHash, err := config.LimitsHash(file)
	if err != nil {
		return config.Configz{}, err
	}
	state := config.StoreStateOK
	if b.storeState != "" {
		state = b.storeState
	}
	return config.Configz{
		Pod:  config.PodRef{Name: pod.name, Namespace: pod.namespace, UID: string(pod.uid)},
		Hash: config.Hash(pod.file), LimitsHash: limitsHash, Generation: file.Policy.Generation,
		LoadedAt: time.Unix(1, 0), LastError: pod.lastError,
		Store: config.ConfigzStore{Type: config.StoreTypeRedis, State: state, CredentialsVersion: b.credentialsVersion},
	}, nil
}

// loaded returns the limits hash that each pod of a namespace runs.
func (n *fakeNode) loaded(namespace string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var hashes []string
	for _, pod := range n.pods {
		if pod.namespace == namespace {
			file, err := config.Parse(pod.file)
			Expect(err).NotTo(HaveOccurred())
			hash, err := config.LimitsHash(file)
			Expect(err).NotTo(HaveOccurred())
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// asked returns how often each pod of a namespace was asked.
func (n *fakeNode) asked(namespace string) map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	times := map[string]int{}
	for _, pod := range n.pods {
		if pod.namespace == namespace {
			times[pod.name] = pod.asked
		}
	}
	return times
}
