package desired_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/echo-operator/echo-operator/api/crdtest"
	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

var update = flag.Bool("update", false, "write testdata/*.yaml anew")

func settings() desired.Settings {
	return desired.Settings{
		EchoImage:         "registry.example.com/echo:v1",
		RedisImage:        "registry.example.com/redis:v1",
		NetworkPolicies:   true,
		OperatorNamespace: "echo-operator-system",
	}
}

func inputs() desired.Inputs {
	return desired.Inputs{Settings: settings(), FileReplicas: 3, DeploymentReplicas: 2}
}

// policy reads a policy from testdata/policies, with its defaults.
func policy(t *testing.T, name string) *v1alpha1.RateLimitPolicy {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "policies", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return crdtest.Load(t).Policy(t, data)
}

// TestChildrenGolden shows every object of some policies as it is applied: a
// change of any of them is a change that a reviewer sees.
func TestChildrenGolden(t *testing.T) {
	restricted := inputs()
	restricted.NetworkPolicies = false
	restricted.ImagePullPolicy = "Never"
	scraped := inputs()
	scraped.MetricsNamespaces = &metav1.LabelSelector{
		MatchLabels:      map[string]string{"metrics": "enabled"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"ops"}}},
	}
	outside := inputs()
	outside.OperatorNamespace = ""
	for _, c := range []struct {
		name, policy string
		in           desired.Inputs
	}{
		{"minimal", "minimal", inputs()},
		{"minimal-no-networkpolicy", "minimal", restricted},
		{"minimal-scraped", "minimal", scraped},
		{"minimal-operator-outside", "minimal", outside},
		{"full", "full", inputs()},
		{"memory", "memory", inputs()},
		{"external-standalone", "external-standalone", inputs()},
		{"external-sentinel", "external-sentinel", inputs()},
	} {
		t.Run(c.name, func(t *testing.T) {
			children, err := desired.For(policy(t, c.policy), c.in)
			if err != nil {
				t.Fatal(err)
			}
			objects := []any{children.ConfigMap, children.Service, children.Deployment, children.PodDisruptionBudget}
			if children.NetworkPolicy != nil {
				objects = append(objects, children.NetworkPolicy)
			}
			golden(t, "children-"+c.name, objects)
		})
	}
}

// TestRedisGolden shows the managed Redis of one policy and of several.
func TestRedisGolden(t *testing.T) {
	small := policy(t, "minimal")
	large := policy(t, "full")
	large.UID = "00000000-7d6e-4b0a-9a52-0c6e7d3f1c9a"
	bare := settings()
	bare.NetworkPolicies = false
	bare.ImagePullPolicy = "Never"
	for _, c := range []struct {
		name     string
		settings desired.Settings
		policies []*v1alpha1.RateLimitPolicy
	}{
		{"one", settings(), []*v1alpha1.RateLimitPolicy{small}},
		{"shared", settings(), []*v1alpha1.RateLimitPolicy{small, large}},
		{"no-networkpolicy", bare, []*v1alpha1.RateLimitPolicy{small}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := desired.RedisInputs{Settings: c.settings, Namespace: "shop", Policies: c.policies}
			r := desired.Redis(in)
			objects := []any{r.ConfigMap, r.Service, r.StatefulSet}
			if r.NetworkPolicy != nil {
				objects = append(objects, r.NetworkPolicy)
			}
			secret := desired.RedisSecret(in, desired.RedisPasswords{Operator: "operator-secret", Echo: "echo-secret"})
			// The type's creation time would only be noise here.
			secret.APIVersion, secret.Kind = "v1", "Secret"
			golden(t, "redis-"+c.name, append(objects, secret))
		})
	}
}

// golden compares the objects with testdata/NAME.yaml, or writes it with -update.
func golden(t *testing.T, name string, objects []any) {
	t.Helper()
	var got bytes.Buffer
	for _, object := range objects {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(data)
	}
	path := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./controllers/desired -update", err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; if that is meant: go test ./controllers/desired -update. Got:\n%s", path, got.String())
	}
}
