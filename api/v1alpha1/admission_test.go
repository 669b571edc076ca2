package v1alpha1_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/echo-operator/echo-operator/api/crdtest"
)

// limit is a valid limit, for cases that are about something else.
const limit = "limit: {requests: 100, periodSeconds: 60}"

// rule wraps the fields of one rule into a spec.
func rule(fields ...string) string {
	return "rules: [{name: r, " + strings.Join(fields, ", ") + "}]"
}

func override(fields string) string {
	return rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, values: [a], "+fields+"}]")
}

func redis(fields string) string { return rule(limit) + "\nredis: {" + fields + "}" }

func external(fields string) string { return redis("type: External, external: {" + fields + "}") }

func repeat(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(format, "#", strconv.Itoa(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// TestAdmission: every rule of the schema refuses what it is for, says why and
// what to write instead, and lets the right form through.
func TestAdmission(t *testing.T) {
	crd := crdtest.Load(t)
	for _, c := range admissionCases() {
		t.Run(c.name, func(t *testing.T) {
			found := crd.Admit(t, object(t, "checkout", c.spec))
			if c.want == "" && len(found) > 0 {
				t.Errorf("refused: %q", found)
			}
			if c.want != "" && !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("got %q, want one with %q", found, c.want)
			}
		})
	}
}

type admissionCase struct {
	name, spec string
	// want is part of the refusal; empty for what must be accepted.
	want string
}

func admissionCases() []admissionCase {
	var all []admissionCase
	for _, part := range [][]admissionCase{
		ruleCases(), keyCases(), limitCases(), overrideCases(), storeCases(), externalCases(), echoCases(), boundCases(),
	} {
		all = append(all, part...)
	}
	return all
}

func ruleCases() []admissionCase {
	return []admissionCase{
		{"one rule is enough", rule(limit), ""},
		{"no rules", "rules: []", "spec.rules in body should have at least 1 items"},
		{"rules missing", "mode: Enforce", "spec.rules: Required value"},
		{"the same rule twice", "rules: [{name: r, " + limit + "}, {name: r, " + limit + "}]", "spec.rules[1]: Duplicate value"},
		{"unknown field", rule(limit, "burst: 3"), `unknown field "spec.rules[0].burst"`},
		{"mode", rule(limit, "mode: Shadow"), ""},
		{"unknown mode", rule(limit, "mode: Observe"), `supported values: "Enforce", "Shadow"`},
		{"upper-case name", "rules: [{name: R, " + limit + "}]", "spec.rules[0].name in body should match"},
		{"cost above burst", rule("limit: {requests: 100, periodSeconds: 60, burst: 5}", "cost: 6"), "cost must not exceed the limit's burst"},
		{"cost at burst", rule("limit: {requests: 100, periodSeconds: 60, burst: 5}", "cost: 5"), ""},
		{"cost above requests", rule(limit, "cost: 101"), "lower cost or raise limit.burst"},
		{"methods with GRPC", rule(limit, "match: [{protocol: GRPC, methods: [POST]}]"), "methods must be absent with protocol GRPC"},
		{"methods with HTTP", rule(limit, "match: [{protocol: HTTP, methods: [GET, HEAD]}]"), ""},
		{"methods with any protocol", rule(limit, "match: [{methods: [GET]}]"), ""},
		{"a path", rule(limit, "match: [{path: {type: Exact, value: /a/b}}]"), ""},
		{"a relative path", rule(limit, "match: [{path: {value: a}}]"), "path.value in body should match"},
		{"repeated slashes", rule(limit, "match: [{path: {value: /a//b}}]"), "value must be a canonical path"},
		{"dot segments", rule(limit, "match: [{path: {value: /a/../b}}]"), "write /a/b instead of"},
		{"a dot segment at the end", rule(limit, "match: [{path: {value: /a/.}}]"), "value must be a canonical path"},
		{"a hidden file", rule(limit, "match: [{path: {value: /a/.well-known}}]"), ""},
		{"a query", rule(limit, `match: [{path: {value: "/a?b"}}]`), "no query"},
	}
}

func keyCases() []admissionCase {
	named := "name must be set exactly when source is Header or Metadata; write for instance"
	return []admissionCase{
		{"a header", rule(limit, "keys: [{source: Header, name: x-api-key}]"), ""},
		{"metadata", rule(limit, "keys: [{source: Metadata, name: x-api-key}]"), ""},
		{"a header without a name", rule(limit, "keys: [{source: Header}]"), named},
		{"an address with a name", rule(limit, "keys: [{source: ClientIP, name: x}]"), named},
		{"a name that is no header", rule(limit, `keys: [{source: Header, name: "x key"}]`), "name in body should match"},
		{"an unknown source", rule(limit, "keys: [{source: Cookie}]"), `supported values: "ClientIP"`},
		{"five keys", rule(limit, "keys: "+repeat(5, "{source: Header, name: h#}")), "must have at most 4 items"},
	}
}

func limitCases() []admissionCase {
	return []admissionCase{
		{"the largest", rule("limit: {requests: 1000000000, periodSeconds: 4500}"), ""},
		{"too large together", rule("limit: {requests: 1000000000, periodSeconds: 4501}"), "times periodSeconds must not exceed 4500000000000; lower burst"},
		{"burst decides", rule("limit: {requests: 1000000000, burst: 1, periodSeconds: 31536000}"), ""},
		{"no requests", rule("limit: {requests: 0, periodSeconds: 60}"), "should be greater than or equal to 1"},
		{"too many requests", rule("limit: {requests: 1000000001, periodSeconds: 1}"), "should be less than or equal to 1000000000"},
		{"half a second", rule("limit: {requests: 1, periodSeconds: 0.5}"), "must be of type integer"},
		{"a duration", rule("limit: {requests: 1, periodSeconds: 60s}"), "must be of type integer"},
		{"above a year", rule("limit: {requests: 1, periodSeconds: 31536001}"), "should be less than or equal to 31536000"},
		{"no period", rule("limit: {requests: 1}"), "periodSeconds: Required value"},
	}
}

func overrideCases() []admissionCase {
	only := "limit must be set exactly when action is Limit (the default)"
	return []admissionCase{
		{"a limit by default", override(limit), ""},
		{"a limit", override("action: Limit, " + limit), ""},
		{"exempt", override("action: Exempt"), ""},
		{"deny", override("action: Deny"), ""},
		{"a limit is missing", override("action: Limit"), only},
		{"a limit is missing by default", rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, values: [a]}]"), only},
		{"exempt with a limit", override("action: Exempt, " + limit), only},
		{"without keys", rule(limit, "overrides: [{name: o, values: [a], action: Deny}]"), "overrides compare their values with the first of keys, and keys is empty"},
		{"cost above an override's burst", rule(limit, "cost: 10, keys: [{source: ClientIP}], overrides: [{name: o, values: [a], limit: {requests: 9, periodSeconds: 1}}]"),
			"cost must not exceed the burst (or requests, without a burst) of any override's limit"},
		{"the same value twice", rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, values: [a, a], action: Deny}]"), "values[1]: Duplicate value"},
		{"no values", rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, values: [], action: Deny}]"), "should have at least 1 items"},
		{"a control character", rule(limit, `keys: [{source: ClientIP}], overrides: [{name: o, values: ["a\n"], action: Deny}]`), "should match"},
	}
}

func storeCases() []admissionCase {
	return []admissionCase{
		{"memory", rule(limit) + "\nstore: {type: Memory}", ""},
		{"memory with a Redis", redis("type: Managed") + "\nstore: {type: Memory}", "redis must be absent with store.type Memory"},
		{"managed", redis("type: Managed, managed: {maxMemory: 1Gi}"), ""},
		{"bytes as a number", redis("managed: {maxMemory: 67108864}"), ""},
		{"too little memory", redis("managed: {maxMemory: 1Mi}"), "maxMemory must be between 8Mi and 64Gi; write for instance"},
		{"too much memory", redis("managed: {maxMemory: 65Gi}"), "maxMemory must be between 8Mi and 64Gi"},
		{"no quantity", redis("managed: {maxMemory: lots}"), "should match"},
		{"external without where", redis("type: External"), "external must be set exactly when type is External"},
		{"managed with an external", redis("external: {addresses: ['a:1']}"), "external must be set exactly when type is External"},
		{"external with a managed", redis("type: External, managed: {}, external: {addresses: ['a:1']}"), "managed must be absent with type External"},
		{"a timeout", rule(limit) + "\nstore: {timeoutMilliseconds: 0}", "should be greater than or equal to 1"},
		{"too long a timeout", rule(limit) + "\nstore: {timeoutMilliseconds: 1001}", "should be less than or equal to 1000"},
		{"no headers", rule(limit) + "\nheaders: []", ""},
		{"headers twice", rule(limit) + "\nheaders: [IETF, IETF]", "Duplicate value"},
		{"proxies", rule(limit) + "\nclientIP: {trustedProxies: [10.0.0.0/8, '2001:db8::/32']}", ""},
		{"a proxy's address", rule(limit) + "\nclientIP: {trustedProxies: [10.0.0.1]}", "write for instance 10.0.0.0/8, or 192.0.2.7/32"},
		{"a proxy's name", rule(limit) + "\nclientIP: {trustedProxies: [proxy]}", "must be a range of addresses in CIDR notation"},
		{"everybody a proxy", rule(limit) + "\nclientIP: {trustedProxies: [0.0.0.0/0]}", "must not cover every address"},
		{"every IPv6 address a proxy", rule(limit) + "\nclientIP: {trustedProxies: ['::/0']}", "list the ranges of your proxies"},
		{"an address within its range", rule(limit) + "\nclientIP: {trustedProxies: [10.1.2.3/8]}", "must have no bits set beyond its prefix length"},
		{"an IPv6 range", rule(limit) + "\nclientIP: {trustedProxies: ['2001:db8::/32', '2001:db8:1::1/128']}", ""},
		{"a prefix of 0", rule(limit) + "\nclientIP: {ipv6PrefixLength: 0}", "should be greater than or equal to 1"},
	}
}

func externalCases() []admissionCase {
	return []admissionCase{
		{"standalone", external("addresses: ['redis.example.com:6379']"), ""},
		{"IPv6", external("addresses: ['[2001:db8::1]:6379']"), ""},
		{"no port", external("addresses: [redis]"), "should match"},
		{"a URL", external("addresses: ['redis://:secret@redis:6379']"), "should match"},
		{"two for standalone", external("addresses: ['a:1', 'b:1']"), "addresses must hold exactly one address with mode Standalone"},
		{"cluster", external("mode: Cluster, addresses: ['a:1', 'b:1']"), ""},
		{"sentinel", external("mode: Sentinel, masterName: m, addresses: ['a:1', 'b:1'], sentinelCredentialsSecretRef: {name: s}"), ""},
		{"sentinel without a name", external("mode: Sentinel, addresses: ['a:1']"), "masterName must be set exactly when mode is Sentinel"},
		{"a name without sentinel", external("masterName: m, addresses: ['a:1']"), "masterName must be set exactly when mode is Sentinel"},
		{"sentinels' password without sentinel", external("addresses: ['a:1'], sentinelCredentialsSecretRef: {name: s}"), "sentinelCredentialsSecretRef must be absent unless mode is Sentinel"},
		{"everything", external("addresses: ['a:1'], credentialsSecretRef: {name: c}, tls: {caSecretRef: {name: a}, certificateSecretRef: {name: b}}"), ""},
	}
}

func echoCases() []admissionCase {
	echo := func(fields string) string { return rule(limit) + "\necho: {" + fields + "}" }
	return []admissionCase{
		{"zero replicas", echo("replicas: 0"), ""},
		{"fewer than none", echo("replicas: -1"), "should be greater than or equal to 0"},
		{"resources", echo("resources: {requests: {cpu: 10m}, limits: {memory: 1Gi}}"), ""},
		{"our label", echo("pod: {labels: {ratelimit.echo-operator.dev/policy: x}}"), "labels must not start with app.kubernetes.io/"},
		{"our annotation", echo("pod: {annotations: {ratelimit.echo-operator.dev/config-hash: x}}"), "choose another prefix"},
		{"our annotation on the Service", echo("service: {annotations: {ratelimit.echo-operator.dev/x: x}}"), "annotations must not lie under echo-operator.dev/"},
		{"their label", echo("pod: {labels: {team: x}, annotations: {example.com/a: b}}"), ""},
		{"a toleration", echo("pod: {tolerations: [{key: a, value: b, effect: NoExecute, tolerationSeconds: 5}]}"), ""},
		{"all taints", echo("pod: {tolerations: [{operator: Exists}]}"), ""},
		{"no key", echo("pod: {tolerations: [{value: b}]}"), "operator must be Exists when key is absent"},
		{"Exists with a value", echo("pod: {tolerations: [{key: a, operator: Exists, value: b}]}"), "value must be absent with operator Exists"},
		{"seconds without eviction", echo("pod: {tolerations: [{key: a, effect: NoSchedule, tolerationSeconds: 5}]}"), "tolerationSeconds needs effect NoExecute"},
		{"an image with a space", echo("image: 'a b'"), "should match"},
	}
}

func boundCases() []admissionCase {
	return []admissionCase{
		{"64 rules", "rules: " + repeat(64, "{name: r#, "+limit+"}"), ""},
		{"65 rules", "rules: " + repeat(65, "{name: r#, "+limit+"}"), "must have at most 64 items"},
		{"65 overrides", rule(limit, "keys: [{source: ClientIP}], overrides: "+repeat(65, "{name: o#, values: [v#], action: Deny}")), "must have at most 64 items"},
		{"17 values", rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, action: Deny, values: "+repeat(17, "v#")+"}]"), "must have at most 16 items"},
		{"a long value", rule(limit, "keys: [{source: ClientIP}], overrides: [{name: o, action: Deny, values: ["+strings.Repeat("v", 129)+"]}]"), "may not be more than 128"},
		{"17 matches", rule(limit, "match: "+repeat(17, "{path: {value: /#}}")), "must have at most 16 items"},
		{"a long path", rule(limit, "match: [{path: {value: /"+strings.Repeat("a", 1024)+"}}]"), "may not be more than 1024"},
		{"65 proxies", rule(limit) + "\nclientIP: {trustedProxies: " + repeat(65, "10.0.#.0/24") + "}", "must have at most 64 items"},
		{"17 addresses", external("mode: Cluster, addresses: " + repeat(17, "'a:1#'")), "must have at most 16 items"},
	}
}

// TestNames: the name becomes part of the children's names, a Service's among them.
func TestNames(t *testing.T) {
	crd := crdtest.Load(t)
	for name, ok := range map[string]bool{
		"a": true, "checkout-v1": true, strings.Repeat("a", 52): true,
		strings.Repeat("a", 53): false, "1a": false, "a.b": false, "a-": false,
	} {
		found := crd.Admit(t, object(t, name, rule(limit)))
		if ok != (len(found) == 0) {
			t.Errorf("%q: got %q, want accepted %t", name, found, ok)
		}
		if !ok && !strings.Contains(strings.Join(found, ""), "metadata.name must be a DNS label of at most 52 characters") {
			t.Errorf("%q: the refusal names neither field nor rule: %q", name, found)
		}
	}
}

// TestDefaults: what a user leaves out is filled in where lists do not forbid it.
func TestDefaults(t *testing.T) {
	p := crdtest.Load(t).Policy(t, manifest("checkout", rule(limit)))
	got, err := yaml.Marshal(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	want := `clientIP:
  ipv6PrefixLength: 64
echo:
  replicas: 2
headers:
- IETF
- XRateLimit
mode: Enforce
rules:
- limit:
    periodSeconds: 60
    requests: 100
  name: r
store:
  onOutage: Share
  timeoutMilliseconds: 25
  type: Redis
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNoHeadersStayNone: an empty list is a choice, and survives the Go types.
func TestNoHeadersStayNone(t *testing.T) {
	p := crdtest.Load(t).Policy(t, manifest("checkout", rule(limit)+"\nheaders: []"))
	data, err := yaml.Marshal(p.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if p.Spec.Headers == nil || !strings.Contains(string(data), "headers: []") {
		t.Errorf("the empty list got lost: %#v in\n%s", p.Spec.Headers, data)
	}
}

// TestSamplesAreAdmitted: what users copy works.
func TestSamplesAreAdmitted(t *testing.T) {
	crd := crdtest.Load(t)
	for _, name := range []string{"minimal", "tiers", "shadow", "composite-key", "header-key", "external-redis"} {
		data, err := os.ReadFile(crdtest.Path("config", "samples", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if p := crd.Policy(t, data); p.Name != name {
			t.Errorf("%s.yaml holds the policy %q", name, p.Name)
		}
	}
}

func manifest(name, spec string) []byte {
	indented := "  " + strings.ReplaceAll(spec, "\n", "\n  ")
	return []byte("apiVersion: ratelimit.echo-operator.dev/v1alpha1\nkind: RateLimitPolicy\nmetadata: {name: " + name + "}\nspec:\n" + indented + "\n")
}

func object(t *testing.T, name, spec string) map[string]any {
	t.Helper()
	return crdtest.Object(t, manifest(name, spec))
}
