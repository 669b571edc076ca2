package desired_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/api/crdtest"
	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/config"
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
			got := text(t, container.Resources)
			for _, env := range container.Env {
				if *env.Name == "GOMEMLIMIT" {
					got += " GOMEMLIMIT " + *env.Value
				}
			}
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

// TestWhatIsAdmittedCanBeRead: what the API server admits becomes a file that a
// pod reads, and the file says what the policy said. Values of overrides are
// drawn apart, since only reading the file finds two overrides with the same.
func TestWhatIsAdmittedCanBeRead(t *testing.T) {
	crd := crdtest.Load(t)
	admitted := 0
	rapid.Check(t, func(r *rapid.T) {
		spec := drawSpec(r)
		data, err := json.Marshal(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": v1alpha1.Kind,
			"metadata": map[string]any{"name": "p", "namespace": "shop"}, "spec": spec,
		})
		if err != nil {
			r.Fatal(err)
		}
		if found := crd.Admit(t, crdtest.Object(t, data)); len(found) > 0 {
			return
		}
		admitted++
		p := crd.Policy(t, data)
		limits, err := desired.RenderLimits(p, 3)
		if err != nil {
			r.Fatalf("admitted, but: %v\n%s", err, data)
		}
		file, err := config.Parse(limits.Data)
		if err != nil {
			r.Fatal(err)
		}
		if len(file.Rules) != len(p.Spec.Rules) || file.Rules[0].Limit.Requests != p.Spec.Rules[0].Limit.Requests {
			r.Fatalf("the file says something else:\n%s", limits.Data)
		}
		if again, err := desired.RenderLimits(p.DeepCopy(), 3); err != nil || string(again.Data) != string(limits.Data) {
			r.Fatalf("rendered twice, two files: %v", err)
		}
	})
	if admitted < 10 {
		t.Errorf("only %d of the drawn policies were admitted: the draw is too wild", admitted)
	}
}

func drawSpec(r *rapid.T) v1alpha1.RateLimitPolicySpec {
	spec := v1alpha1.RateLimitPolicySpec{
		Mode:  rapid.SampledFrom([]v1alpha1.Mode{"", v1alpha1.ModeEnforce, v1alpha1.ModeShadow}).Draw(r, "mode"),
		Store: v1alpha1.Store{TimeoutMilliseconds: rapid.Int32Range(0, 1200).Draw(r, "timeout")},
		Headers: rapid.SampledFrom([][]v1alpha1.HeaderSet{
			nil, {}, {v1alpha1.HeadersIETF}, {v1alpha1.HeadersXRateLimit, v1alpha1.HeadersIETF},
		}).Draw(r, "headers"),
		ClientIP: v1alpha1.ClientIP{
			TrustedProxies:   rapid.SliceOfNDistinct(rapid.SampledFrom([]v1alpha1.CIDR{"10.0.0.0/8", "::/0", "192.0.2.7/32", "10.1.2.3/8"}), 0, 2, rapid.ID[v1alpha1.CIDR]).Draw(r, "proxies"),
			IPv6PrefixLength: rapid.Int32Range(1, 128).Draw(r, "prefix"),
		},
	}
	for i := range rapid.IntRange(1, 3).Draw(r, "rules") {
		spec.Rules = append(spec.Rules, drawRule(r, i))
	}
	return spec
}

func drawRule(r *rapid.T, i int) v1alpha1.Rule {
	rule := v1alpha1.Rule{Name: fmt.Sprintf("r%d", i), Limit: drawLimit(r)}
	for range rapid.IntRange(0, 2).Draw(r, "matches") {
		rule.Match = append(rule.Match, drawMatch(r))
	}
	if rapid.Bool().Draw(r, "keyed") {
		name := rapid.StringMatching("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}").Draw(r, "header")
		rule.Keys = []v1alpha1.Key{{Source: v1alpha1.KeyHeader, Name: name}, {Source: v1alpha1.KeyPath}}
		rule.OnMissingKey = rapid.SampledFrom([]v1alpha1.MissingKey{"", v1alpha1.MissingKeyShared, v1alpha1.MissingKeyClientIP, v1alpha1.MissingKeyDeny}).Draw(r, "missing")
		rule.Overrides = drawOverrides(r)
	}
	if rapid.Bool().Draw(r, "costly") {
		cost := rapid.Int64Range(1, 100).Draw(r, "cost")
		rule.Cost = &cost
	}
	return rule
}

func drawLimit(r *rapid.T) v1alpha1.Limit {
	limit := v1alpha1.Limit{
		Requests:      rapid.Int64Range(1, 1_000_000_000).Draw(r, "requests"),
		PeriodSeconds: rapid.Int32Range(1, 31_536_000).Draw(r, "period"),
	}
	if rapid.Bool().Draw(r, "bursty") {
		burst := rapid.Int64Range(1, 1_000_000).Draw(r, "burst")
		limit.Burst = &burst
	}
	return limit
}

func drawMatch(r *rapid.T) v1alpha1.Match {
	m := v1alpha1.Match{Protocol: rapid.SampledFrom([]v1alpha1.Protocol{"", v1alpha1.ProtocolHTTP, v1alpha1.ProtocolGRPC}).Draw(r, "protocol")}
	if rapid.Bool().Draw(r, "methods") {
		m.Methods = []v1alpha1.HTTPMethod{"GET", "TRACE"}
	}
	if rapid.Bool().Draw(r, "path") {
		value := "/" + rapid.StringMatching(`[a-zA-Z0-9./:@ ,;=+$&'()*!~_"{}\[\]#?|<>^-]{0,20}`).Draw(r, "value")
		m.Path = &v1alpha1.PathMatch{Type: rapid.SampledFrom([]v1alpha1.PathMatchType{"", v1alpha1.PathExact, v1alpha1.PathPrefix}).Draw(r, "type"), Value: value}
	}
	return m
}

func drawOverrides(r *rapid.T) []v1alpha1.Override {
	var overrides []v1alpha1.Override
	for i := range rapid.IntRange(0, 3).Draw(r, "overrides") {
		o := v1alpha1.Override{
			Name: fmt.Sprintf("o%d", i),
			// YAML's own words and signs must come through as text.
			Values: []v1alpha1.OverrideValue{
				v1alpha1.OverrideValue(fmt.Sprintf("%d%s!", i, rapid.SampledFrom([]string{"yes", "null", ": ", "#", "- ", "é", `"`, "'", "{{", "0x1", "1e3", "~"}).Draw(r, "word"))),
			},
			Action: rapid.SampledFrom([]v1alpha1.OverrideAction{"", v1alpha1.OverrideExempt, v1alpha1.OverrideDeny}).Draw(r, "action"),
		}
		if o.Action == "" {
			limit := drawLimit(r)
			o.Limit = &limit
		}
		overrides = append(overrides, o)
	}
	return overrides
}
