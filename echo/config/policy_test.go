package config

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
)

const full = `
version: 1
policy: {name: checkout, namespace: shop, uid: 3f1c, generation: 7}
replicas: 3
rules:
- name: per-client
  keys: [{source: ClientIP}]
  limit: {requests: 10, periodSeconds: 60, burst: 5}
  overrides:
  - {name: office, values: ['2001:db8:0:1::beef', '::ffff:192.0.2.7'], action: Exempt}
- name: per-key
  mode: Shadow
  match: [{protocol: HTTP, path: {value: /v1}, methods: [GET]}]
  keys: [{source: Header, name: X-Api-Key}, {source: Path}]
  onMissingKey: Deny
  limit: {requests: 100, periodSeconds: 1}
  cost: 2
  overrides:
  - {name: gold, values: ['b, a'], limit: {requests: 1000, periodSeconds: 60, burst: 9}}
  - {name: evil, values: [mallory], action: Deny}
clientIP: {trustedProxies: [10.0.0.0/8]}
store: {type: Memory, onOutage: Full, timeoutMilliseconds: 40}
`

// Every field of the file reaches the limiter's policy, with values spelt as
// requests' values are.
func TestCompile(t *testing.T) {
	policy, err := parse(t, full).LimiterPolicy()
	if err != nil {
		t.Fatal(err)
	}
	for i := range policy.Rules {
		if policy.Rules[i].Identify == nil {
			t.Errorf("rule %d identifies nobody", i)
		}
		policy.Rules[i].Identify = nil
	}
	want := limiter.Policy{
		ID: "3f1c", Replicas: 3, OnOutage: limiter.OutageFull, StoreTimeout: 40 * time.Millisecond,
		Rules: []limiter.Rule{{
			Name: "per-client", Cost: 1,
			Limit:     limiter.Limit{Requests: 10, Burst: 5, Period: time.Minute},
			Overrides: []limiter.Override{{Name: "office", Values: []string{"2001:db8:0:1::/64", "192.0.2.7"}, Action: limiter.ActionExempt}},
		}, {
			Name: "per-key", Mode: limiter.Shadow, Cost: 2,
			Limit: limiter.Limit{Requests: 100, Burst: 100, Period: time.Second},
			Overrides: []limiter.Override{
				{Name: "gold", Values: []string{"a,b"}, Limit: limiter.Limit{Requests: 1000, Burst: 9, Period: time.Minute}},
				{Name: "evil", Values: []string{"mallory"}, Action: limiter.ActionDeny},
			},
		}},
	}
	if !reflect.DeepEqual(policy, want) {
		t.Errorf("got  %+v\nwant %+v", policy, want)
	}
	for outage, want := range map[string]limiter.OutageBehaviour{
		OutageShare: limiter.OutageShare, OutageFull: limiter.OutageFull, OutageAllow: limiter.OutageAllow, OutageDeny: limiter.OutageDeny,
	} {
		f := parse(t, minimal)
		f.Store.OnOutage = outage
		if p, err := f.LimiterPolicy(); err != nil || p.OnOutage != want || p.ID != "" {
			t.Errorf("%s became %v of policy %q (%v), want %v of none", outage, p.OnOutage, p.ID, err, want)
		}
	}
}

// The policy's rules look at requests as the file says, trusted proxies
// included, and Describe tells what they found.
func TestCompiledRulesIdentify(t *testing.T) {
	compiled, err := parse(t, full).Compile()
	if err != nil {
		t.Fatal(err)
	}
	r := &identity.Request{
		Protocol: identity.HTTP, Method: "GET", Path: "/v1/x", Peer: netip.MustParseAddr("10.0.0.1"),
		Header: func(name string) []string {
			return map[string][]string{"x-forwarded-for": {"198.51.100.7"}, "X-Api-Key": {"acme"}}[name]
		},
	}
	for i, want := range [][]string{{"198.51.100.7"}, {"acme", "/v1/x"}} {
		parts, how := compiled.Policy.Rules[i].Identify(r, nil)
		if how != limiter.Identified || !slices.Equal(parts, want) {
			t.Errorf("rule %d found %q (%v), want %q", i, parts, how, want)
		}
	}
	described := compiled.Describe("per-key", r)
	if len(described) != 2 || described[0].Key.String() != "Header X-Api-Key" || described[0].Value != "acme" || described[1].Value != "/v1/x" {
		t.Errorf("described as %+v", described)
	}
	if got := compiled.Describe("other", r); got != nil {
		t.Errorf("an unknown rule is described as %+v", got)
	}

	r.Header, r.Method = nil, "HEAD"
	if _, how := compiled.Policy.Rules[1].Identify(r, nil); how != limiter.NotMatched {
		t.Errorf("HEAD counts as GET: %v", how)
	}
	r.Method = "GET"
	if parts, how := compiled.Policy.Rules[1].Identify(r, nil); how != limiter.KeyMissing || !slices.Equal(parts, []string{"Header X-Api-Key"}) {
		t.Errorf("a missing key gives %q (%v)", parts, how)
	}
}

// The settings give one rule, each with its default.
func TestSingleRule(t *testing.T) {
	for name, c := range map[string]struct {
		requests, period, burst, key string
		limit                        Limit
		keys                         []Key
	}{
		"defaults":    {"", "", "", "", Limit{100, 60, 100}, []Key{{Source: SourceClientIP}}},
		"requests":    {"7", "", "", "ip", Limit{7, 60, 7}, []Key{{Source: SourceClientIP}}},
		"all":         {"7", "1h", "3", "header:X-Api-Key", Limit{7, 3600, 3}, []Key{{Source: SourceHeader, Name: "X-Api-Key"}}},
		"one for all": {"7", "1m30s", "70", "none", Limit{7, 90, 70}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := SingleRule(c.requests, c.period, c.burst, c.key)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Rules) != 1 || f.Rules[0].Limit != c.limit || !reflect.DeepEqual(f.Rules[0].Keys, c.keys) {
				t.Errorf("got %+v, want %+v by %+v", f.Rules, c.limit, c.keys)
			}
			assertRoundTrip(t, f)
		})
	}
}

// A bad setting is refused by the name of its variable.
func TestSingleRuleRefusals(t *testing.T) {
	for want, c := range map[string][4]string{
		`ECHO_LIMIT_REQUESTS: must be a whole number between 1 and 1000000000, got "ten"; set e.g. ECHO_LIMIT_REQUESTS=100`:         {"ten", "", "", ""},
		`ECHO_LIMIT_BURST: must be a whole number between 1 and 1000000000, got "0"; set e.g. ECHO_LIMIT_BURST=20`:                  {"", "", "0", ""},
		`ECHO_LIMIT_PERIOD: must be a duration of whole seconds between 1s and 31536000s, got "60"; set e.g. ECHO_LIMIT_PERIOD=60s`: {"", "60", "", ""},
		`ECHO_LIMIT_PERIOD: must be a duration of whole seconds between 1s and 31536000s, got "1.5s"`:                               {"", "1.5s", "", ""},
		`ECHO_LIMIT_PERIOD: must be a duration of whole seconds between 1s and 31536000s, got "9000h"`:                              {"", "9000h", "", ""},
		`ECHO_LIMIT_KEY: must be ip, none or header:NAME, got "header:"; set e.g. ECHO_LIMIT_KEY=header:x-api-key`:                  {"", "", "", "header:"},
		`ECHO_LIMIT_KEY: must be ip, none or header:NAME, got "x-api-key"`:                                                          {"", "", "", "x-api-key"},
		`ECHO_LIMIT_BURST: times the seconds of ECHO_LIMIT_PERIOD must be at most 4500000000000; set a smaller burst`:               {"1000000000", "2h", "", ""},
	} {
		_, err := SingleRule(c[0], c[1], c[2], c[3])
		assertProblem(t, err, want)
	}
	_, err := SingleRule("ten", "", "", "")
	if err.Error() != `ECHO_LIMIT_REQUESTS: must be a whole number between 1 and 1000000000, got "ten"; set e.g. ECHO_LIMIT_REQUESTS=100` {
		t.Errorf("one wrong setting is told as %q", err)
	}
}
