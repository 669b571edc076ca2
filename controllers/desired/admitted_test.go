package desired_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/api/crdtest"
	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/config"
)

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
		if again, err := desired.RenderLimits(p.DeepCopy(), 3); err != nil || !bytes.Equal(again.Data, limits.Data) {
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
