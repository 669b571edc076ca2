package harness

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

const (
	// requestDeadline bounds one request to a pod or a Service.
	requestDeadline = 10 * time.Second
	// maxConnections bounds what is kept open to one pod.
	maxConnections = 256
)

// Kube talks to the cluster from inside its network. It may be used by many
// goroutines at once.
type Kube struct {
	client.WithWatch
	// Config is the administrator's.
	Config *rest.Config

	access string
	pods   *http.Client
	// proxied is the API server's URL and a client that it knows, for AccessAPIServer.
	proxied *http.Client
}

// Connect reads $KUBECONFIG.
func Connect() (*Kube, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, errors.New("KUBECONFIG is not set: run this with `go run ./hack/cluster exec -- COMMAND`")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	config.QPS = -1                           // what is measured must not wait for a limit of this client's own
	config.WarningHandler = rest.NoWarnings{} // every kind is listed, deprecated ones too
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	direct, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	proxied, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &Kube{WithWatch: direct, Config: config, access: os.Getenv(AccessVariable), pods: podClient(), proxied: proxied}, nil
}

// Direct reports whether pod addresses can be dialled from here.
func (k *Kube) Direct() bool { return k.access != AccessAPIServer }

func podClient() *http.Client {
	return &http.Client{
		Timeout: requestDeadline,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: requestDeadline}).DialContext,
			MaxConnsPerHost:     maxConnections,
			MaxIdleConnsPerHost: maxConnections,
			IdleConnTimeout:     time.Minute,
		},
	}
}

// podURL is where a pod's port is reached from here.
func (k *Kube) podURL(pod *corev1.Pod, port int) (*http.Client, string) {
	if k.Direct() {
		return k.pods, "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port))
	}
	return k.proxied, fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s:%d/proxy", k.Config.Host, pod.Namespace, pod.Name, port)
}

// serviceURL is where a Service's first port is reached from here.
func (k *Kube) serviceURL(service *corev1.Service) (*http.Client, string) {
	port := service.Spec.Ports[0].Port
	if k.Direct() {
		return k.pods, "http://" + net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(port)))
	}
	return k.proxied, fmt.Sprintf("%s/api/v1/namespaces/%s/services/%s:%d/proxy", k.Config.Host, service.Namespace, service.Name, port)
}
