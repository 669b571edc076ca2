package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How the manager asks pods which limits they run.
const (
	podAccessDirect    = "Direct"
	podAccessAPIServer = "APIServer"
)

// config is what flags and environment decide.
type config struct {
	echoImage                string
	redisImage               string
	podAccess                string
	networkPolicies          bool
	metricsNamespaceSelector string
	operatorNamespace        string
	metricsAddress           string
	metricsSecure            bool
	probeAddress             string
	leaderElect              bool
	leaderElectNamespace     string
	maxConcurrentReconciles  int
	maxConcurrentRollouts    int
	logLevel                 slog.Level
	showVersion              bool
}

// parse reads the flags; getenv gives POD_NAMESPACE. Errors name the flag.
func parse(args []string, getenv func(string) string, usage io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.StringVar(&c.echoImage, "echo-image", "echo-operator/echo:latest", "image of the echo pods, unless a policy names one")
	fs.StringVar(&c.redisImage, "redis-image", "valkey/valkey:9.1.4-alpine", "image of the managed Redis: Valkey, or Redis 7 or 8")
	fs.StringVar(&c.podAccess, "pod-access", podAccessDirect, "how pods are asked which limits they run: Direct, at their addresses, or APIServer, for a manager outside the cluster (needs the right to get pods/proxy)")
	fs.BoolVar(&c.networkPolicies, "network-policies", true, "make a NetworkPolicy for each component")
	fs.StringVar(&c.metricsNamespaceSelector, "metrics-namespace-selector", "", "label selector of the namespaces whose pods may scrape the echo pods' metrics, as name=monitoring; only the operator's when empty")
	fs.StringVar(&c.operatorNamespace, "operator-namespace", getenv("POD_NAMESPACE"), "namespace that the operator runs in; POD_NAMESPACE by default")
	fs.StringVar(&c.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics endpoint; 0 turns it off")
	fs.BoolVar(&c.metricsSecure, "metrics-secure", true, "serve metrics by HTTPS, and only to those whom the API server lets get /metrics")
	fs.StringVar(&c.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns them off")
	fs.BoolVar(&c.leaderElect, "leader-elect", true, "let only one of several managers work at a time")
	fs.StringVar(&c.leaderElectNamespace, "leader-election-namespace", "", "namespace of the Lease; the operator's by default")
	fs.IntVar(&c.maxConcurrentReconciles, "max-concurrent-reconciles", 8, "policies reconciled at the same time")
	fs.IntVar(&c.maxConcurrentRollouts, "max-concurrent-rollouts", 10, "Deployments that may roll at the same time because the operator itself changed")
	fs.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	fs.BoolVar(&c.showVersion, "version", false, "print the version and exit")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q; all settings are flags, see --help", fs.Arg(0))
	}
	return c, c.validate()
}

func (c config) validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !slices.Contains([]string{podAccessDirect, podAccessAPIServer}, c.podAccess) {
		bad("--pod-access must be Direct or APIServer, not %q", c.podAccess)
	}
	if strings.TrimSpace(c.echoImage) == "" {
		bad("--echo-image must name an image")
	}
	if strings.TrimSpace(c.redisImage) == "" {
		bad("--redis-image must name an image")
	}
	if c.maxConcurrentReconciles < 1 {
		bad("--max-concurrent-reconciles must be at least 1, not %d", c.maxConcurrentReconciles)
	}
	if c.maxConcurrentRollouts < 1 {
		bad("--max-concurrent-rollouts must be at least 1, not %d", c.maxConcurrentRollouts)
	}
	if _, err := metav1.ParseToLabelSelector(c.metricsNamespaceSelector); err != nil {
		bad("--metrics-namespace-selector must be a label selector, as name=monitoring: %w", err)
	}
	return errors.Join(problems...)
}
