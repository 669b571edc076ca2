package controllers_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

const (
	operatorNamespace = "echo-operator-system"
	operatorAccount   = "echo-operator-manager"

	within = 20 * time.Second
	every  = 20 * time.Millisecond
)

// env is the API server that all specs share; each spec has a namespace of its own.
type env struct {
	server *envtest.Environment
	admin  client.Client
	scheme *runtime.Scheme
	// pods stands in for the Deployment controller, the kubelet and the echo pods.
	pods *fakeNode
	// statuses recorded of all policies, for the invariants.
	recorder *statusRecorder
}

var suite env

func TestControllers(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run these tests by `make test`, or set it to a folder with etcd and " +
			"kube-apiserver, such as the one that `go run ./hack/cluster binaries --only envtest` prints")
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func(ctx context.Context) {
	log.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	suite.scheme = runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(suite.scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(suite.scheme)).To(Succeed())
	suite.server = &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	cfg, err := suite.server.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(suite.server.Stop()).To(Succeed()) })
	suite.admin, err = client.New(cfg, client.Options{Scheme: suite.scheme})
	Expect(err).NotTo(HaveOccurred())
	grantOperatorRights(ctx)
	suite.pods = startFakeNode(cfg)
	suite.recorder = startStatusRecorder(cfg)
})

var _ = AfterSuite(func() {
	if suite.recorder != nil {
		Expect(suite.recorder.violations()).To(BeEmpty(), "statuses that break an invariant")
	}
})

// grantOperatorRights applies the manifests of config/rbac, the very ones that
// users install, so that a missing right fails a test.
func grantOperatorRights(ctx context.Context) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	Expect(suite.admin.Create(ctx, namespace)).To(Succeed())
	files, err := filepath.Glob("../config/rbac/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		for _, object := range readManifests(file) {
			if object.GetNamespace() == "" {
				object.SetNamespace(operatorNamespace)
			}
			Expect(suite.admin.Create(ctx, object)).To(Succeed(), file)
		}
	}
}

func readManifests(file string) []*unstructured.Unstructured {
	data, err := os.Open(file)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = data.Close() }()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(data, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); err != nil {
			return objects
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// operator is one run of the operator with its own ServiceAccount's rights.
type operator struct {
	stop   context.CancelFunc
	done   chan error
	writes *writeLog
}

type operatorOptions struct {
	settings desired.Settings
	rollouts int
	admin    controllers.RedisAdmin
}

func defaultSettings() desired.Settings {
	return desired.Settings{
		EchoImage: "echo:test", RedisImage: "redis:test", NetworkPolicies: true, OperatorNamespace: operatorNamespace,
	}
}

func startOperator(change ...func(*operatorOptions)) *operator {
	GinkgoHelper()
	o := operatorOptions{settings: defaultSettings(), rollouts: 10, admin: controllers.NetworkRedisAdmin{}}
	for _, f := range change {
		f(&o)
	}
	op := &operator{done: make(chan error, 1), writes: &writeLog{}}
	cfg := rest.CopyConfig(suite.server.Config)
	cfg.QPS = -1
	cfg.Impersonate.UserName = "system:serviceaccount:" + operatorNamespace + ":" + operatorAccount
	cfg.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace, "system:authenticated"}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return countWrites{next: next, writes: op.writes} })
	skip := true
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: suite.scheme, Cache: controllers.CacheOptions(), Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &skip},
	})
	Expect(err).NotTo(HaveOccurred())
	registry := prometheus.NewRegistry()
	Expect(controllers.Setup(mgr, controllers.Options{
		Settings: o.settings, Asker: suite.pods, RedisAdmin: o.admin, Registry: registry,
		MaxConcurrentReconciles: 4, MaxConcurrentRollouts: o.rollouts,
	})).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	op.stop = cancel
	go func() { op.done <- mgr.Start(ctx) }()
	DeferCleanup(op.end)
	return op
}

// end stops the operator and waits until it is gone; calling it again does nothing.
func (o *operator) end() {
	GinkgoHelper()
	if o.stop == nil {
		return
	}
	o.stop()
	o.stop = nil
	Eventually(o.done, within).Should(Receive(BeNil()), "the operator ends without an error")
}

// writeLog lists the requests that could change something, events left out.
type writeLog struct {
	mu       sync.Mutex
	requests []string
}

func (l *writeLog) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

type countWrites struct {
	next   http.RoundTripper
	writes *writeLog
}

func (c countWrites) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/events") {
		c.writes.mu.Lock()
		c.writes.requests = append(c.writes.requests, request.Method+" "+request.URL.Path)
		c.writes.mu.Unlock()
	}
	return c.next.RoundTrip(request)
}
