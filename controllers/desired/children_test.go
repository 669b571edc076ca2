package desired_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/crdtest"
	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

func childrenOf(t *testing.T, p *v1alpha1.RateLimitPolicy, in desired.Inputs) desired.Children {
	t.Helper()
	children, err := desired.For(p, in)
	if err != nil {
		t.Fatal(err)
	}
	return children
}

func text(t *testing.T, object any) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLimitsNeverRestartPods: whatever the limits file holds is not in the pod
// template, and so an edit of it replaces no pod.
func TestLimitsNeverRestartPods(t *testing.T) {
	before := childrenOf(t, policy(t, "full"), inputs())
	one := int64(1)
	for name, edit := range map[string]func(*v1alpha1.RateLimitPolicySpec){
		"limit": func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Limit.Requests = 7 },
		"mode":  func(s *v1alpha1.RateLimitPolicySpec) { s.Mode = v1alpha1.ModeShadow },
		"rule": func(s *v1alpha1.RateLimitPolicySpec) {
			s.Rules = append(s.Rules, v1alpha1.Rule{Name: "n", Limit: v1alpha1.Limit{Requests: 1, PeriodSeconds: 1}})
		},
		"cost":      func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Cost = &one },
		"override":  func(s *v1alpha1.RateLimitPolicySpec) { s.Rules[0].Overrides[1].Values[0] = "other" },
		"proxies":   func(s *v1alpha1.RateLimitPolicySpec) { s.ClientIP.TrustedProxies = nil },
		"outage":    func(s *v1alpha1.RateLimitPolicySpec) { s.Store.OnOutage = v1alpha1.OutageAllow },
		"timeout":   func(s *v1alpha1.RateLimitPolicySpec) { s.Store.TimeoutMilliseconds = 99 },
		"headers":   func(s *v1alpha1.RateLimitPolicySpec) { s.Headers = []v1alpha1.HeaderSet{} },
		"maxMemory": func(s *v1alpha1.RateLimitPolicySpec) { s.Redis = nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(t, "full")
			edit(&p.Spec)
			p.Generation++
			in := inputs()
			in.FileReplicas++
			after := childrenOf(t, p, in)
			if text(t, before.Deployment) != text(t, after.Deployment) {
				t.Error("the Deployment changed")
			}
			if before.Hash == after.Hash {
				t.Error("the limits file did not change")
			}
			if changed := before.LimitsHash != after.LimitsHash; changed == (name == "maxMemory") {
				t.Errorf("the limits' hash changed: %t", changed)
			}
		})
	}
}

// TestRestartsWhereNeeded: what a pod reads at its start only is in the template.
func TestRestartsWhereNeeded(t *testing.T) {
	before := childrenOf(t, policy(t, "minimal"), inputs())
	for name, edit := range map[string]func(*v1alpha1.RateLimitPolicy){
		"store": func(p *v1alpha1.RateLimitPolicy) { p.Spec.Store.Type = v1alpha1.StoreMemory },
		"redis": func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Redis = &v1alpha1.Redis{Type: v1alpha1.RedisExternal, External: &v1alpha1.ExternalRedis{
				Mode: v1alpha1.RedisStandalone, Addresses: []v1alpha1.RedisAddress{"a:1"},
			}}
		},
		"image": func(p *v1alpha1.RateLimitPolicy) { p.Spec.Echo.Image = "other" },
		"memory": func(p *v1alpha1.RateLimitPolicy) {
			p.Spec.Echo.Resources = &v1alpha1.ResourceRequirements{
				Limits: v1alpha1.ResourceList{v1alpha1.ResourceMemory: resource.MustParse("1Gi")},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(t, "minimal")
			edit(p)
			after := childrenOf(t, p, inputs())
			if text(t, before.Deployment.Spec.Template) == text(t, after.Deployment.Spec.Template) {
				t.Error("the pod template did not change")
			}
		})
	}
}

// TestScalingKeepsTheLimitsHash: status must not waver because pods come and go.
func TestScalingKeepsTheLimitsHash(t *testing.T) {
	p, in := policy(t, "minimal"), inputs()
	before := childrenOf(t, p, in)
	in.FileReplicas, in.DeploymentReplicas = 30, 30
	after := childrenOf(t, p, in)
	if before.LimitsHash != after.LimitsHash {
		t.Error("scaling changed the limits' hash")
	}
	if before.Hash == after.Hash {
		t.Error("the pods are not told how many they are")
	}
}

// TestResources: defaults give way to what the policy says.
func TestResources(t *testing.T) {
	for _, c := range []struct{ name, asked, want string }{
		{"nothing", `{}`, `{"limits":{"memory":"256Mi"},"requests":{"cpu":"50m","memory":"64Mi"}} GOMEMLIMIT 241591860`},
		{"a small limit", `{"limits":{"memory":"32Mi","cpu":"20m"}}`, `{"limits":{"cpu":"20m","memory":"32Mi"},"requests":{"cpu":"20m","memory":"32Mi"}} GOMEMLIMIT 30198960`},
		{"a large request", `{"requests":{"memory":"1Gi"}}`, `{"limits":{"memory":"1Gi"},"requests":{"cpu":"50m","memory":"1Gi"}} GOMEMLIMIT 966367620`},
		{"other resources", `{"limits":{"ephemeral-storage":"1Gi"}}`, `{"limits":{"ephemeral-storage":"1Gi","memory":"256Mi"},"requests":{"cpu":"50m","memory":"64Mi"}} GOMEMLIMIT 241591860`},
		{"a request above its limit", `{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}`, "InvalidSpec: spec.echo.resources.requests.cpu: 2 is above limits.cpu, 1; lower the request or raise the limit"},
		{"no memory at all", `{"limits":{"memory":"0"}}`, "InvalidSpec: spec.echo.resources.limits.memory: must be above zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy(t, "minimal")
			p.Spec.Echo.Resources = &v1alpha1.ResourceRequirements{}
			if err := json.Unmarshal([]byte(c.asked), p.Spec.Echo.Resources); err != nil {
				t.Fatal(err)
			}
			children, err := desired.For(p, inputs())
			if err != nil {
				if !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("got %q, want %q", err, c.want)
				}
				return
			}
			container := children.Deployment.Spec.Template.Spec.Containers[0]
			at := slices.IndexFunc(container.Env, func(e corev1ac.EnvVarApplyConfiguration) bool { return *e.Name == "GOMEMLIMIT" })
			if at < 0 {
				t.Fatal("GOMEMLIMIT is not set")
			}
			got := text(t, container.Resources) + " GOMEMLIMIT " + *container.Env[at].Value
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestInvalid: what only reading the file reveals is a typed error that names
// the field and gives no value away.
func TestInvalid(t *testing.T) {
	p := policy(t, "full")
	p.Spec.Rules[0].Overrides[1].Values[0] = "acme"
	_, err := desired.For(p, inputs())
	var invalid *desired.InvalidError
	if !errors.As(err, &invalid) || invalid.Reason != v1alpha1.ReasonInvalidSpec {
		t.Fatalf("got %v, want an InvalidError with InvalidSpec", err)
	}
	if !strings.Contains(invalid.Message, "spec: rules[0].overrides[1].values[0]") {
		t.Errorf("the message does not name the field: %s", invalid.Message)
	}
	if strings.Contains(invalid.Message, "acme") {
		t.Errorf("the message gives a client's key away: %s", invalid.Message)
	}
}

// TestClusterIsRefused: pods that cannot start are worse than a clear word.
func TestClusterIsRefused(t *testing.T) {
	_, err := desired.For(policy(t, "external-cluster"), inputs())
	want := "InvalidSpec: spec.redis.external.mode: Cluster is not supported by this release; use Standalone or Sentinel"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestTooLarge: a file above what a ConfigMap holds is refused before the API
// server has to.
func TestTooLarge(t *testing.T) {
	p := policy(t, "minimal")
	p.Spec.Rules = nil
	for r := range 64 {
		rule := v1alpha1.Rule{
			Name:  fmt.Sprintf("r%d", r),
			Keys:  []v1alpha1.Key{{Source: v1alpha1.KeyHeader, Name: "x"}},
			Limit: v1alpha1.Limit{Requests: 1, PeriodSeconds: 1},
		}
		for o := range 64 {
			override := v1alpha1.Override{Name: fmt.Sprintf("o%d", o), Action: v1alpha1.OverrideDeny}
			for v := range 4 {
				value := fmt.Sprintf("%d-%d-%s", o, v, strings.Repeat("x", 100))
				override.Values = append(override.Values, v1alpha1.OverrideValue(value))
			}
			rule.Overrides = append(rule.Overrides, override)
		}
		p.Spec.Rules = append(p.Spec.Rules, rule)
	}
	_, err := desired.For(p, inputs())
	var invalid *desired.InvalidError
	if !errors.As(err, &invalid) || invalid.Reason != v1alpha1.ReasonConfigTooLarge {
		t.Fatalf("got %.200v, want an InvalidError with ConfigTooLarge", err)
	}
	if !strings.Contains(invalid.Message, "1048576") || !strings.Contains(invalid.Message, "fewer") {
		t.Errorf("the message names neither the bound nor the way out: %s", invalid.Message)
	}
}

// TestPodLabelsKeepOurs: a user's label never takes a pod out of its selector,
// even where a cluster holds what the schema would refuse.
func TestPodLabelsKeepOurs(t *testing.T) {
	p := policy(t, "minimal")
	p.Spec.Echo.Pod = &v1alpha1.PodSettings{Labels: map[string]v1alpha1.LabelValue{v1alpha1.LabelPolicy: "other", "team": "x"}}
	labels := childrenOf(t, p, inputs()).Deployment.Spec.Template.Labels
	for key, want := range desired.EchoSelector("minimal") {
		if labels[key] != want {
			t.Errorf("%s is %q, want %q", key, labels[key], want)
		}
	}
	if labels["team"] != "x" {
		t.Error("the user's label is missing")
	}
	if p.Spec.Echo.Pod.Labels[v1alpha1.LabelPolicy] != "other" {
		t.Error("the policy was changed; it belongs to a cache")
	}
}

// TestOwnersAreSorted: the order in which a cache lists policies changes nothing.
func TestOwnersAreSorted(t *testing.T) {
	a, b := policy(t, "minimal"), policy(t, "full")
	b.UID = "00000000-7d6e-4b0a-9a52-0c6e7d3f1c9a"
	one := desired.Redis(desired.RedisInputs{Namespace: "shop", Policies: []*v1alpha1.RateLimitPolicy{a, b}})
	two := desired.Redis(desired.RedisInputs{Namespace: "shop", Policies: []*v1alpha1.RateLimitPolicy{b, a}})
	if text(t, one) != text(t, two) {
		t.Error("the order of the policies shows in the objects")
	}
	if owners := desired.RedisOwners([]*v1alpha1.RateLimitPolicy{a, b}); len(owners) != 2 || owners[0].Controller != nil {
		t.Errorf("want two owners, none the controller, got %v", owners)
	}
}

// TestSamplesMakeChildren: what users copy is more than admitted.
func TestSamplesMakeChildren(t *testing.T) {
	samples, err := filepath.Glob(crdtest.Path("config", "samples", "*.yaml"))
	if err != nil || len(samples) < 6 {
		t.Fatalf("found %d samples: %v", len(samples), err)
	}
	crd := crdtest.Load(t)
	for _, sample := range samples {
		if name := filepath.Base(sample); name == "kustomization.yaml" || name == "limits.yaml" {
			continue
		}
		data, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := desired.For(crd.Policy(t, data), inputs()); err != nil {
			t.Errorf("%s: %v", sample, err)
		}
	}
}
