package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// file returns a limits file whose first rule has the given lines and whose
// first line of it is line 3.
func file(rule string) string {
	return "version: 1\nrules:\n- " + strings.ReplaceAll(strings.TrimSpace(rule), "\n", "\n  ") + "\n"
}

// Each refusal names the line, the field, what is wrong and the way out.
func TestRefusals(t *testing.T) {
	const limit = "limit: {requests: 10, periodSeconds: 60}\n"
	keyed := "name: a\nkeys: [{source: Header, name: x-api-key}]\n" + limit
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "line 1: the limits file is empty; begin it with version: 1"},
		"comment only":        {"# nothing\n", "line 1: the limits file is empty; begin it with version: 1"},
		"not UTF-8":           {"version: 1 # \xff\n", "the limits file is not UTF-8 text; save it as UTF-8"},
		"scalar":              {"hello\n", "line 1: must be a mapping of field names to values, got text"},
		"broken YAML":         {"version: 1\nrules: [\n", "line 2: not valid YAML: did not find expected node content; check the indentation and the quotes there and above"},
		"two documents":       {minimal + "---\nversion: 1\n", "line 5: the limits file holds more than one YAML document; remove what follows the second ---"},
		"broken second":       {minimal + "---\n[", "line 6: not valid YAML: did not find expected node content; check"},
		"no version":          {"rules:\n- name: a\n  " + limit, "line 1: version: is missing; write e.g. version: 1"},
		"later version":       {strings.Replace(minimal, "version: 1", "version: 2", 1), "line 1: version: must be 1, got 2; write e.g. version: 1"},
		"no rules":            {"version: 1\n", "line 1: rules: is missing"},
		"empty rules":         {"version: 1\nrules: []\n", "line 2: rules: must have 1 to 64 members, has 0"},
		"rules as a mapping":  {"version: 1\nrules: {a: 1}\n", "line 2: rules: must be a list, got a mapping; write each member on a line that begins with a hyphen"},
		"null":                {minimal + "store:\n", "line 5: store: has no value; write one or remove the line"},
		"misspelt":            {minimal + "stor: {}\n", "line 5: stor: is not a known field; did you mean store?"},
		"other spelling":      {file("name: a\nlimit: {requests: 1, period_seconds: 60}"), "line 4: rules[0].limit.period_seconds: is not a known field; did you mean periodSeconds?"},
		"unknown":             {file("name: a\nlimit: {requests: 1, periodSeconds: 60, colour: red}"), "line 4: rules[0].limit.colour: is not a known field; the fields here are requests, periodSeconds, burst"},
		"odd name":            {minimal + "\"a b\": 1\n", "line 5: \"a b\": is not a known field; the fields here are version, policy, replicas, mode, rules, clientIP, store, headers"},
		"twice":               {minimal + "version: 1\n", "line 5: version: is written twice, first in line 1; remove one of them"},
		"anchor":              {"version: &one 1\n", "line 1: version: must not use a YAML anchor (&); remove it and write the value out where it is needed"},
		"alias":               {"version: &one 1\nreplicas: *one\n", "line 2: replicas: must not use a YAML alias (*); write the value out"},
		"merge":               {minimal + "<<: {mode: Enforce}\n", "line 5: must not use a YAML merge key (<<); write the fields out"},
		"tag":                 {minimal + "mode: !!str Enforce\n", "line 5: mode: must not use a YAML tag (!); remove it"},
		"tagged name":         {minimal + "!!str mode: Enforce\n", "line 5: has a field name that must not use a YAML tag (!); remove it"},
		"list as a name":      {minimal + "? [a]\n: b\n", "line 5: has a field name that is a list"},
		"text for a number":   {file("name: a\nlimit:\n  requests: ten\n  periodSeconds: 60"), `line 5: rules[0].limit.requests: must be a whole number between 1 and 1000000000, got "ten"; write e.g. requests: 100`},
		"quoted number":       {file("name: a\nlimit: {requests: \"10\", periodSeconds: 60}"), `line 4: rules[0].limit.requests: must be a whole number between 1 and 1000000000, got "10"; write e.g. requests: 100`},
		"fraction":            {file("name: a\nlimit: {requests: 1.5, periodSeconds: 60}"), "got 1.5; write e.g. requests: 100"},
		"octal":               {file("name: a\nlimit: {requests: 010, periodSeconds: 60}"), "got 010; write e.g. requests: 100"},
		"hexadecimal":         {file("name: a\nlimit: {requests: 0x10, periodSeconds: 60}"), "got 0x10; write e.g. requests: 100"},
		"exponent":            {file("name: a\nlimit: {requests: 1e3, periodSeconds: 60}"), "got 1e3; write e.g. requests: 100"},
		"grouped":             {file("name: a\nlimit: {requests: 1_000, periodSeconds: 60}"), "got 1_000; write e.g. requests: 100"},
		"zero":                {file("name: a\nlimit: {requests: 0, periodSeconds: 60}"), "must be a whole number between 1 and 1000000000, got 0"},
		"explicit zero burst": {file("name: a\nlimit: {requests: 1, periodSeconds: 60, burst: 0}"), "line 4: rules[0].limit.burst: must be a whole number between 1 and 1000000000, got 0; write e.g. burst: 20"},
		"negative":            {file("name: a\nlimit: {requests: -1, periodSeconds: 60}"), "got -1"},
		"too many":            {file("name: a\nlimit: {requests: 1000000001, periodSeconds: 60}"), "got 1000000001"},
		"beyond 32 bits":      {file("name: a\nlimit: {requests: 1, periodSeconds: 4294967297}"), "rules[0].limit.periodSeconds: must be a whole number between 1 and 31536000, got 4294967297; write e.g. periodSeconds: 60"},
		"beyond 64 bits":      {file("name: a\nlimit: {requests: 99999999999999999999, periodSeconds: 60}"), "got 99999999999999999999"},
		"list for a number":   {file("name: a\nlimit: {requests: [1], periodSeconds: 60}"), "got a list; write e.g. requests: 100"},
		"no limit":            {file("name: a"), "line 3: rules[0].limit: is missing"},
		"no requests":         {file("name: a\nlimit: {periodSeconds: 60}"), "line 4: rules[0].limit.requests: is missing; write e.g. requests: 100"},
		"overflow":            {file("name: a\nlimit: {requests: 1000000, periodSeconds: 31536000}"), "line 4: rules[0].limit.burst: times periodSeconds must be at most 4500000000000, got 1000000 x 31536000; write a smaller burst"},
		"override overflow":   {file(keyed + "overrides: [{name: o, values: [v], limit: {requests: 1000000, periodSeconds: 31536000}}]"), "line 6: rules[0].overrides[0].limit.burst: times periodSeconds must be at most"},
		"no name":             {file(limit), "line 3: rules[0].name: is missing; write e.g. name: per-client"},
		"number as a name":    {file("name: 7\n" + limit), "line 3: rules[0].name: must be text, got 7; put it in quotes"},
		"name":                {file("name: Per_Client\n" + limit), `line 3: rules[0].name: must be lower-case letters, digits and inner hyphens, got "Per_Client"; write e.g. name: per-client`},
		"long name":           {file("name: " + strings.Repeat("a", 64) + "\n" + limit), "line 3: rules[0].name: must have 1 to 63 characters, has 64; write e.g. name: per-client"},
		"same names":          {file("name: a\n"+limit) + "- name: a\n  " + limit, `line 5: rules[1].name: "a" is also the name of rules[0]; give each a name of its own`},
		"mode":                {minimal + "mode: shadow\n", `line 5: mode: must be Enforce or Shadow, got "shadow"; write e.g. mode: Shadow`},
		"empty mode":          {minimal + "mode: \"\"\n", `line 5: mode: must be Enforce or Shadow, got ""; write e.g. mode: Enforce`},
		"rule mode":           {file("name: a\nmode: Off\n" + limit), `line 4: rules[0].mode: must be Enforce or Shadow, got "Off"`},
		"replicas":            {minimal + "replicas: 0\n", "line 5: replicas: must be a whole number between 1 and 100000, got 0; write e.g. replicas: 3"},
		"match not a list":    {file("name: a\nmatch: {protocol: HTTP}\n" + limit), "line 4: rules[0].match: must be a list, got a mapping"},
		"17 matches":          {file("name: a\nmatch: [" + strings.Repeat("{},", 17) + "]\n" + limit), "line 4: rules[0].match: must have 0 to 16 members, has 17"},
		"protocol":            {file("name: a\nmatch: [{protocol: http}]\n" + limit), `rules[0].match[0].protocol: must be HTTP or GRPC, got "http"; write e.g. protocol: HTTP`},
		"gRPC methods":        {file("name: a\nmatch: [{protocol: GRPC, methods: [POST]}]\n" + limit), "line 4: rules[0].match[0].methods: must be absent with protocol GRPC, whose calls are all POST; remove it and match the gRPC method by path: /package.Service/Method"},
		"method":              {file("name: a\nmatch: [{methods: [get]}]\n" + limit), `rules[0].match[0].methods[0]: must be GET, HEAD, POST, PUT, PATCH, DELETE, CONNECT, OPTIONS or TRACE, got "get"; write e.g. GET`},
		"method twice":        {file("name: a\nmatch: [{methods: [GET, GET]}]\n" + limit), `rules[0].match[0].methods[1]: "GET" is listed already at rules[0].match[0].methods[0]; remove it`},
		"path type":           {file("name: a\nmatch: [{path: {type: Regex, value: /}}]\n" + limit), `rules[0].match[0].path.type: must be Prefix or Exact, got "Regex"; write e.g. type: Prefix`},
		"path missing":        {file("name: a\nmatch: [{path: {}}]\n" + limit), "rules[0].match[0].path.value: is missing; write e.g. value: /v1"},
		"path relative":       {file("name: a\nmatch: [{path: {value: v1}}]\n" + limit), `rules[0].match[0].path.value: must begin with a slash, got "v1"; write e.g. value: /v1`},
		"path with query":     {file("name: a\nmatch: [{path: {value: '/v1?a'}}]\n" + limit), "rules[0].match[0].path.value: must not hold a query"},
		"path with slash":     {file("name: a\nmatch: [{path: {value: /a%2Fb}}]\n" + limit), "rules[0].match[0].path.value: is no path that a request can have: the path holds an encoded slash"},
		"path with escape":    {file("name: a\nmatch: [{path: {value: /100%}}]\n" + limit), "write e.g. value: /v1, and a percent sign as %25"},
		"path with dots":      {file("name: a\nmatch: [{path: {value: /a/../b//c}}]\n" + limit), `must be a path without repeated slashes and dot segments, got "/a/../b//c"; write value: /b/c`},
		"long path":           {file("name: a\nmatch: [{path: {value: /" + strings.Repeat("a", 1024) + "}}]\n" + limit), "must have 1 to 1024 characters, has 1025"},
		"five keys":           {file("name: a\nkeys: [" + strings.Repeat("{source: Path},", 5) + "]\n" + limit), "line 4: rules[0].keys: must have 0 to 4 members, has 5"},
		"source":              {file("name: a\nkeys: [{source: Cookie, name: id}]\n" + limit), `rules[0].keys[0].source: must be ClientIP, Header, Metadata, Path or Method, got "Cookie"; write e.g. source: ClientIP`},
		"no source":           {file("name: a\nkeys: [{name: id}]\n" + limit), "rules[0].keys[0].source: is missing; write e.g. source: ClientIP"},
		"header without name": {file("name: a\nkeys: [{source: Header}]\n" + limit), "line 4: rules[0].keys[0].name: is missing, and source Header needs it; write e.g. name: x-api-key"},
		"name without header": {file("name: a\nkeys: [{source: Path, name: x}]\n" + limit), "rules[0].keys[0].name: must be absent with source Path; remove it, or use source Header or Metadata"},
		"header name":         {file("name: a\nkeys: [{source: Header, name: 'x y'}]\n" + limit), "rules[0].keys[0].name: must be a header or metadata name"},
		"missing key":         {file("name: a\nonMissingKey: Allow\n" + limit), `rules[0].onMissingKey: must be Shared, ClientIP or Deny, got "Allow"; write e.g. onMissingKey: Shared`},
		"cost zero":           {file("name: a\ncost: 0\n" + limit), "line 4: rules[0].cost: must be a whole number between 1 and 1000000000, got 0; write e.g. cost: 1"},
		"cost":                {file("name: a\ncost: 11\n" + limit), "line 4: rules[0].cost: must be at most the burst of the rule's limit, 10, got 11; write a smaller cost or a larger burst"},
		"override's cost":     {file(keyed + "cost: 3\noverrides: [{name: o, values: [v], limit: {requests: 2, periodSeconds: 1}}]"), "line 6: rules[0].cost: must be at most the burst of overrides[0], 2, got 3"},
		"no override values":  {file(keyed + "overrides: [{name: o, values: [], action: Deny}]"), "rules[0].overrides[0].values: must have 1 to 16 members, has 0"},
		"same override names": {file(keyed + "overrides: [{name: o, values: [v], action: Deny}, {name: o, values: [w], action: Deny}]"), `rules[0].overrides[1].name: "o" is also the name of rules[0].overrides[0]`},
		"override limit":      {file(keyed + "overrides: [{name: o, values: [v]}]"), "rules[0].overrides[0].limit: is missing, and action Limit needs it; write e.g. limit: {requests: 1000, periodSeconds: 60}, or action: Exempt or Deny"},
		"exempt with limit":   {file(keyed + "overrides: [{name: o, values: [v], action: Exempt, limit: {requests: 2, periodSeconds: 1}}]"), "rules[0].overrides[0].limit: must be absent with action Exempt; remove it, or write action: Limit"},
		"action":              {file(keyed + "overrides: [{name: o, values: [v], action: Block}]"), `rules[0].overrides[0].action: must be Limit, Exempt or Deny, got "Block"; write e.g. action: Limit`},
		"override no key":     {file("name: a\n" + limit + "overrides: [{name: o, values: [v], action: Deny}]"), "rules[0].overrides[0]: can never apply, since the rule has no keys to compare its values with; give the rule a key or remove the override"},
		"same value":          {file(keyed + "overrides: [{name: o, values: [hunter2], action: Deny}, {name: p, values: [hunter2], action: Exempt}]"), "rules[0].overrides[1].values[0]: is the same value as rules[0].overrides[0].values[0]; remove one of them: the first override would always win"},
		"same address":        {file("name: a\nkeys: [{source: ClientIP}]\n" + limit + "overrides: [{name: o, values: ['::ffff:10.0.0.1', '10.0.0.1'], action: Deny}]"), "rules[0].overrides[0].values[1]: is the same value as"},
		"range value":         {file("name: a\nkeys: [{source: ClientIP}]\n" + limit + "overrides: [{name: o, values: [10.0.0.0/8], action: Deny}]"), "rules[0].overrides[0].values[0]: must be one client's address, as 192.0.2.7 or 2001:db8::1; its rule's first key is ClientIP"},
		"padded value":        {file(keyed + "overrides: [{name: o, values: [' hunter2'], action: Deny}]"), "must not begin or end with a space, since requests' values are compared without; remove the space"},
		"long value":          {file(keyed + "overrides: [{name: o, values: [" + strings.Repeat("v", 129) + "], action: Deny}]"), "rules[0].overrides[0].values[0]: must have 1 to 128 characters, has 129"},
		"number as a value":   {file(keyed + "overrides: [{name: o, values: [12345], action: Deny}]"), "rules[0].overrides[0].values[0]: must be text, got a number; put it in quotes"},
		"control character":   {file(keyed + "overrides: [{name: o, values: [\"a\\0b\"], action: Deny}]"), "rules[0].overrides[0].values[0]: must be UTF-8 text without control characters; write e.g. acme"},
		"proxy without bits":  {minimal + "clientIP: {trustedProxies: [10.0.0.7]}\n", `line 5: clientIP.trustedProxies[0]: must have a prefix length, got "10.0.0.7"; write 10.0.0.7/32`},
		"proxy host bits":     {minimal + "clientIP: {trustedProxies: [10.1.2.3/8]}\n", `must not have bits set beyond its prefix length, got "10.1.2.3/8"; write 10.0.0.0/8`},
		"proxy everything":    {minimal + "clientIP: {trustedProxies: ['::/0']}\n", "must not trust every address, or each client could choose its own"},
		"proxy name":          {minimal + "clientIP: {trustedProxies: [proxy]}\n", `must be an address range in CIDR notation, got "proxy"; write e.g. 10.0.0.0/8`},
		"prefix length":       {minimal + "clientIP: {ipv6PrefixLength: 129}\n", "line 5: clientIP.ipv6PrefixLength: must be a whole number between 1 and 128, got 129; write e.g. ipv6PrefixLength: 64"},
		"store":               {minimal + "store: {type: redis}\n", `line 5: store.type: must be Redis or Memory, got "redis"; write e.g. type: Redis`},
		"outage":              {minimal + "store: {onOutage: Alow}\n", `store.onOutage: must be Share, Full, Allow or Deny, got "Alow"; write e.g. onOutage: Allow`},
		"timeout":             {minimal + "store: {timeoutMilliseconds: 1001}\n", "store.timeoutMilliseconds: must be a whole number between 1 and 1000, got 1001"},
		"headers":             {minimal + "headers: [Legacy]\n", `line 5: headers[0]: must be IETF or XRateLimit, got "Legacy"; write e.g. IETF`},
		"headers twice":       {minimal + "headers: [IETF, IETF]\n", `line 5: headers[1]: "IETF" is listed already at headers[0]; remove it`},
		"policy":              {minimal + "policy: {name: a, namespace: b, generation: 1}\n", "line 5: policy.uid: is missing; write e.g. uid: 3f1c"},
		"generation":          {minimal + "policy: {name: a, namespace: b, uid: c, generation: -1}\n", "line 5: policy.generation: must be a whole number between 0 and 9223372036854775807, got -1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			assertProblem(t, err, c.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows an override's value: %v", err)
			}
		})
	}
}

// Several problems are told at once, in the file's order and up to a bound, and
// what is wrong in itself is not also called inconsistent.
func TestSeveralProblemsAreToldTogether(t *testing.T) {
	_, err := Parse([]byte(minimal + "store: {type: redis}\nmode: x\nreplicas: y\n"))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	for i, want := range []string{"store.type", "mode", "replicas"} {
		if p := invalid.Problems[i]; p.Field != want || p.Line != 5+i || p.Column == 0 || p.Remedy == "" {
			t.Errorf("problem %d is %+v, want field %s on line %d with a column and a remedy", i, p, want, 5+i)
		}
	}

	// What takes several fields to see is found later and told in its place.
	_, err = Parse([]byte(minimal + "  cost: 11\nheaders: [x]\n"))
	if !errors.As(err, &invalid) || len(invalid.Problems) != 2 || invalid.Problems[0].Field != "rules[0].cost" {
		t.Errorf("got %v, want the cost before the headers", err)
	}

	text := bytes.NewBufferString("version: 1\nrules:\n")
	for i := range 30 {
		fmt.Fprintf(text, "- {name: r%d, limit: {requests: 0, periodSeconds: 60}, cost: 5}\n", i)
	}
	_, err = Parse(text.Bytes())
	if !errors.As(err, &invalid) || len(invalid.Problems) != maxProblems || invalid.More != 10 {
		t.Fatalf("got %v, want %d problems and 10 more", err, maxProblems)
	}
	assertProblem(t, err, "and 10 more")
	var one *Problem
	if !errors.As(err, &one) || one.Field != "rules[0].limit.requests" {
		t.Errorf("errors.As found %+v, want the first problem", one)
	}
}

// Long and odd content does not swell an error or cut a character in two.
func TestErrorsQuoteABoundedPart(t *testing.T) {
	_, err := Parse([]byte(minimal + "mode: " + strings.Repeat("ä", 10_000) + "\n"))
	assertProblem(t, err, `ä"...`)
	if len(err.Error()) > 300 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
