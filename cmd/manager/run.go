package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
)

// leaderLease is the Lease's name; it is part of the operator's Role.
const leaderLease = "echo-operator.ratelimit.echo-operator.dev"

// Run runs the operator until ctx ends.
func Run(ctx context.Context, c config) error {
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.logLevel})
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	mgr, err := newManager(c)
	if err != nil {
		return err
	}
	asker, err := newAsker(c, mgr)
	if err != nil {
		return err
	}
	settings, err := settingsFrom(c)
	if err != nil {
		return err
	}
	err = controllers.Setup(mgr, controllers.Options{
		Settings: settings, Asker: asker, RedisAdmin: controllers.NetworkRedisAdmin{},
		MaxConcurrentReconciles: c.maxConcurrentReconciles, MaxConcurrentRollouts: c.maxConcurrentRollouts,
	})
	if err != nil {
		return err
	}
	redisstore.LogClient(slog.New(handler))
	slog.New(handler).Info("starting", "version", versionText(), "echoImage", c.echoImage, "redisImage", c.redisImage)
	return mgr.Start(ctx)
}

func newManager(c config) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	kubeconfig, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	// The queue limits what is worked on; a client-side limit would only add
	// latency to an edit that hits many pods.
	kubeconfig.QPS = -1
	metricsOptions := metricsserver.Options{BindAddress: c.metricsAddress, SecureServing: c.metricsSecure}
	if c.metricsSecure {
		metricsOptions.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	namespace := c.leaderElectNamespace
	if namespace == "" {
		namespace = c.operatorNamespace
	}
	mgr, err := ctrl.NewManager(kubeconfig, ctrl.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(), Metrics: metricsOptions,
		HealthProbeBindAddress: c.probeAddress,
		LeaderElection:         c.leaderElect, LeaderElectionID: leaderLease, LeaderElectionNamespace: namespace,
		// The process ends right after the manager, so the next one need not wait.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}

func newAsker(c config, mgr manager.Manager) (controllers.Asker, error) {
	if c.podAccess == podAccessDirect {
		return controllers.NewDirectAsker(desired.AdminPort), nil
	}
	client, err := corev1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client for pods/proxy: %w", err)
	}
	return controllers.NewProxyAsker(client.RESTClient(), desired.AdminPort), nil
}

func settingsFrom(c config) (desired.Settings, error) {
	settings := desired.Settings{
		EchoImage: c.echoImage, RedisImage: c.redisImage, NetworkPolicies: c.networkPolicies,
		OperatorNamespace: c.operatorNamespace,
	}
	if c.metricsNamespaceSelector == "" {
		return settings, nil
	}
	selector, err := metav1.ParseToLabelSelector(c.metricsNamespaceSelector)
	settings.MetricsNamespaces = selector
	return settings, err
}
