package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

func noEnvironment(string) string { return "" }

// Proves that a wrong flag is refused with its name and the way out.
func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":         {[]string{"--nonsense"}, "nonsense"},
		"an argument":             {[]string{"start"}, `unexpected argument "start"`},
		"another way to ask pods": {[]string{"--pod-access=Guess"}, `--pod-access must be Direct or APIServer, not "Guess"`},
		"no echo image":           {[]string{"--echo-image="}, "--echo-image must name an image"},
		"no redis image":          {[]string{"--redis-image= "}, "--redis-image must name an image"},
		"no reconciles":           {[]string{"--max-concurrent-reconciles=0"}, "--max-concurrent-reconciles must be at least 1, not 0"},
		"no rollouts":             {[]string{"--max-concurrent-rollouts=-1"}, "--max-concurrent-rollouts must be at least 1, not -1"},
		"a selector that is none": {[]string{"--metrics-namespace-selector=a in"}, "--metrics-namespace-selector must be a label selector"},
		"a level that is none":    {[]string{"--log-level=loud"}, "log-level"},
	} {
		if _, err := parse(test.args, noEnvironment, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
}

// Proves that flags and environment arrive in what the operator is started with.
func TestParse(t *testing.T) {
	environment := func(name string) string { return map[string]string{"POD_NAMESPACE": "operators"}[name] }
	c, err := parse([]string{
		"--echo-image=echo:1", "--redis-image=redis:1", "--network-policies=false", "--log-level=DEBUG",
		"--metrics-namespace-selector=name=monitoring",
	}, environment, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := settingsFrom(c)
	if err != nil {
		t.Fatal(err)
	}
	if settings.EchoImage != "echo:1" || settings.RedisImage != "redis:1" || settings.NetworkPolicies || settings.OperatorNamespace != "operators" {
		t.Errorf("settings %+v", settings)
	}
	if settings.MetricsNamespaces == nil || settings.MetricsNamespaces.MatchLabels["name"] != "monitoring" {
		t.Errorf("metrics namespaces %v, want name=monitoring", settings.MetricsNamespaces)
	}
	if c.logLevel != slog.LevelDebug || !c.leaderElect || c.podAccess != podAccessDirect {
		t.Errorf("config %+v", c)
	}
	none, err := parse(nil, noEnvironment, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if settings, err := settingsFrom(none); err != nil || settings.MetricsNamespaces != nil {
		t.Errorf("without a selector no other namespace may scrape, got %v, %v", settings.MetricsNamespaces, err)
	}
}
