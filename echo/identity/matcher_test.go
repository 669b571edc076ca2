package identity

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

func matcher(t testing.TB, rule Rule) *Matcher {
	t.Helper()
	m, err := NewMatcher(rule, addresses(t, 64, "10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// request has the given path and header lines, "name: value" each.
func request(t testing.TB, path string, lines ...string) *Request {
	t.Helper()
	canonical, err := CanonicalPath(path)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, value)
	}
	return &Request{Protocol: HTTP, Method: "GET", Path: canonical, Peer: netip.MustParseAddr("192.0.2.1"), Header: h.Values}
}

// Every part of a match must fit, one match must fit as a whole, and paths fit
// by whole elements of their canonical form.
func TestMatches(t *testing.T) {
	v1 := Rule{Match: []Match{{Path: "/v1", Prefix: true}}}
	for name, c := range map[string]struct {
		rule Rule
		path string
		want bool
	}{
		"no match is every request": {Rule{}, "/x", true},
		"empty match":               {Rule{Match: []Match{{}}}, "/x", true},
		"prefix itself":             {v1, "/v1", true},
		"prefix with slash":         {v1, "/v1/", true},
		"prefix below":              {v1, "/v1/x/y", true},
		"prefix of a name":          {v1, "/v1x", false},
		"prefix elsewhere":          {v1, "/x/v1", false},
		"prefix, other case":        {v1, "/V1", false},
		"prefix of the root":        {Rule{Match: []Match{{Path: "/", Prefix: true}}}, "/x", true},
		"prefix of the bare root":   {Rule{Match: []Match{{Path: "/", Prefix: true}}}, "/", true},
		"prefix ending in a slash":  {Rule{Match: []Match{{Path: "/v1/", Prefix: true}}}, "/v1", true},
		"prefix with an escape":     {Rule{Match: []Match{{Path: "/a%20b", Prefix: true}}}, "/a b/c", true},
		"repeated slashes":          {v1, "//v1//x", true},
		"dot segments":              {v1, "/a/../v1/x", true},
		"encoded dot segments":      {v1, "/a/%2e%2e/v1/x", true},
		"encoded letters":           {v1, "/%761", true},
		"out by dot segments":       {v1, "/v1/../x", false},
		"query":                     {v1, "/v1?a", true},
		"exact":                     {Rule{Match: []Match{{Path: "/v1"}}}, "/v1", true},
		"exact below":               {Rule{Match: []Match{{Path: "/v1"}}}, "/v1/x", false},
		"exact with slash":          {Rule{Match: []Match{{Path: "/v1"}}}, "/v1/", false},
		"method":                    {Rule{Match: []Match{{Methods: []string{"POST", "GET"}}}}, "/", true},
		"HEAD is not GET":           {Rule{Match: []Match{{Methods: []string{"HEAD"}}}}, "/", false},
		"method, other case":        {Rule{Match: []Match{{Methods: []string{"get"}}}}, "/", false},
		"protocol":                  {Rule{Match: []Match{{Protocol: HTTP}}}, "/", true},
		"other protocol":            {Rule{Match: []Match{{Protocol: GRPC}}}, "/", false},
		"all parts but one":         {Rule{Match: []Match{{Protocol: HTTP, Path: "/v1", Methods: []string{"PUT"}}}}, "/v1", false},
		"second match":              {Rule{Match: []Match{{Protocol: GRPC}, {Path: "/v1"}}}, "/v1", true},
		"parts of two matches":      {Rule{Match: []Match{{Protocol: GRPC, Path: "/v1"}, {Path: "/v2"}}}, "/v1", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := matcher(t, c.rule)
			r := request(t, c.path)
			if got := m.Matches(r); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			_, how := m.Identify(r, nil)
			if got := how != limiter.NotMatched; got != c.want {
				t.Errorf("identified as %v, want matched %v", how, c.want)
			}
		})
	}
}

// Spellings of one client's values give one identity.
func TestSpellingsOfOneClient(t *testing.T) {
	key := Rule{Keys: []Key{{Header, "x-api-key"}}}
	for name, c := range map[string]struct {
		want  string
		lines []string
	}{
		"plain":              {"acme", []string{"X-Api-Key:acme"}},
		"case of the name":   {"acme", []string{"x-aPI-kEY:acme"}},
		"white space":        {"acme", []string{"X-Api-Key: \t acme \t"}},
		"sent twice":         {"acme", []string{"X-Api-Key:acme", "X-Api-Key: acme"}},
		"twice in one line":  {"acme", []string{"X-Api-Key:acme, acme"}},
		"trailing comma":     {"acme", []string{"X-Api-Key:acme,"}},
		"empty line besides": {"acme", []string{"X-Api-Key:", "X-Api-Key:acme"}},
		"two values":         {"acme,b", []string{"X-Api-Key:acme", "X-Api-Key:b"}},
		"other order":        {"acme,b", []string{"X-Api-Key:b", "X-Api-Key:acme"}},
		"folded by a proxy":  {"acme,b", []string{"X-Api-Key:b , acme"}},
		"case of the value":  {"ACME", []string{"X-Api-Key:ACME"}},
		"inner white space":  {"a  b", []string{"X-Api-Key:a  b"}},
	} {
		t.Run(name, func(t *testing.T) {
			parts, how := matcher(t, key).Identify(request(t, "/", c.lines...), nil)
			if how != limiter.Identified || !slices.Equal(parts, []string{c.want}) {
				t.Errorf("got %q (%v), want %q", parts, how, c.want)
			}
		})
	}
}

// Header and Metadata are two names for the same values, on both protocols, so
// that a client has one bucket over both.
func TestHeaderAndMetadataReadTheSame(t *testing.T) {
	r := request(t, "/", "X-Api-Key: acme")
	for _, protocol := range []Protocol{HTTP, GRPC} {
		r.Protocol = protocol
		for _, source := range []Source{Header, Metadata} {
			parts, _ := matcher(t, Rule{Keys: []Key{{source, "x-api-key"}}}).Identify(r, nil)
			if !slices.Equal(parts, []string{"acme"}) {
				t.Errorf("%s on %s gives %q", source, protocol, parts)
			}
		}
	}
}

// The parts of a composite key come in the rule's order, after what the caller
// had, and stay apart.
func TestCompositeKey(t *testing.T) {
	m := matcher(t, Rule{Keys: []Key{{Source: Method}, {Header, "b"}, {Source: Path}, {Source: ClientIP}}})
	parts, how := m.Identify(request(t, "/v1//x", "b: 1"), []string{"before"})
	if how != limiter.Identified || !slices.Equal(parts, []string{"before", "GET", "1", "/v1/x", "192.0.2.1"}) {
		t.Errorf("got %q (%v)", parts, how)
	}
	if parts, how := matcher(t, Rule{}).Identify(request(t, "/"), nil); how != limiter.Identified || len(parts) != 0 {
		t.Errorf("a rule without keys gives %q (%v)", parts, how)
	}
}

// What stands in for a missing key is a part that no value of the key can name,
// in place of that part only.
func TestMissingKeys(t *testing.T) {
	keys := []Key{{Source: Method}, {Header, "x-api-key"}}
	empty := request(t, "/", "X-Api-Key: ,")
	for name, c := range map[string]struct {
		r       *Request
		missing OnMissing
		want    []string
		how     limiter.Identification
	}{
		"shared":               {empty, MissingShared, []string{"GET", "\x00missing"}, limiter.Identified},
		"address":              {empty, MissingClientIP, []string{"GET", "\x00ip:192.0.2.1"}, limiter.Identified},
		"refused":              {empty, MissingDeny, []string{"GET", "Header x-api-key"}, limiter.KeyMissing},
		"no headers at all":    {&Request{Method: "GET"}, MissingShared, []string{"GET", "\x00missing"}, limiter.Identified},
		"no address either":    {&Request{Method: "GET"}, MissingClientIP, []string{"GET", "\x00missing"}, limiter.Identified},
		"present all the same": {request(t, "/", "x-api-key: a"), MissingDeny, []string{"GET", "a"}, limiter.Identified},
	} {
		t.Run(name, func(t *testing.T) {
			parts, how := matcher(t, Rule{Keys: keys, OnMissing: c.missing}).Identify(c.r, nil)
			if how != c.how || !slices.Equal(parts, c.want) {
				t.Errorf("got %q (%v), want %q (%v)", parts, how, c.want, c.how)
			}
		})
	}
	parts, how := matcher(t, Rule{Keys: []Key{{Source: ClientIP}}, OnMissing: MissingDeny}).Identify(&Request{}, nil)
	if how != limiter.KeyMissing || !slices.Equal(parts, []string{"ClientIP"}) {
		t.Errorf("an unknown address gives %q (%v)", parts, how)
	}
}

// No value of a key is taken for a stand-in, nor for another value's digest.
func TestValuesCannotForgeStandIns(t *testing.T) {
	m := matcher(t, Rule{Keys: []Key{{Header, "k"}}, OnMissing: MissingClientIP})
	shared := matcher(t, Rule{Keys: []Key{{Header, "k"}}, OnMissing: MissingShared})
	part := func(m *Matcher, values ...string) string {
		parts, how := m.Identify(&Request{Peer: netip.MustParseAddr("192.0.2.1"), Header: func(string) []string { return values }}, nil)
		if how != limiter.Identified || len(parts) != 1 {
			t.Fatalf("%q gives %q (%v)", values, parts, how)
		}
		return parts[0]
	}
	standIns := []string{part(shared), part(m), part(m, strings.Repeat("x", 257))}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.SampledFrom(append(standIns, "192.0.2.1", "missing", "Shared"))).
			Filter(func(s string) bool { return combined([]string{s}) != "" }).Draw(t, "value")
		if got := part(m, value); slices.Contains(standIns, got) {
			t.Fatalf("the value %q gives %q", value, got)
		}
	})
}

// A value is kept up to 256 bytes, so that no header makes buckets' names or
// answers long; longer values stay apart all the same.
func TestLongValuesAreDigested(t *testing.T) {
	m := matcher(t, Rule{Keys: []Key{{Header, "k"}}})
	part := func(value string) string {
		parts, _ := m.Identify(request(t, "/", "k: "+value), nil)
		return parts[0]
	}
	if kept := strings.Repeat("x", 256); part(kept) != kept {
		t.Errorf("256 bytes became %q", part(kept))
	}
	long, other := part(strings.Repeat("x", 257)), part(strings.Repeat("x", 258))
	if len(long) > 80 || long == other || !strings.HasPrefix(long, "\x00sha256:") {
		t.Errorf("257 and 258 bytes became %q and %q", long, other)
	}
	if got := m.Describe(request(t, "/", "k: "+strings.Repeat("x", 257)))[0].Value; "\x00"+got != long {
		t.Errorf("described as %q, not as %q", got, long)
	}
}

// What is told about a client says where each part came from and what it stands
// in for.
func TestDescribe(t *testing.T) {
	key := Key{Header, "x-api-key"}
	for name, c := range map[string]struct {
		missing OnMissing
		lines   []string
		want    []Part
	}{
		"value":   {MissingShared, []string{"x-api-key: acme"}, []Part{{Key: key, Value: "acme"}, {Key: Key{Source: Path}, Value: "/p"}}},
		"shared":  {MissingShared, nil, []Part{{Key: Key{Source: Shared}, InsteadOf: key}, {Key: Key{Source: Path}, Value: "/p"}}},
		"address": {MissingClientIP, nil, []Part{{Key: Key{Source: ClientIP}, Value: "192.0.2.1", InsteadOf: key}, {Key: Key{Source: Path}, Value: "/p"}}},
		"refused": {MissingDeny, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := matcher(t, Rule{Keys: []Key{key, {Source: Path}}, OnMissing: c.missing})
			if got := m.Describe(request(t, "/p", c.lines...)); !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Values that are written down by hand equal the ones that requests carry.
func TestCanonicalValues(t *testing.T) {
	a := addresses(t, 64)
	for _, c := range []struct {
		source      Source
		value, want string
	}{
		{ClientIP, "192.0.2.7", "192.0.2.7"},
		{ClientIP, "::ffff:192.0.2.7", "192.0.2.7"},
		{ClientIP, "64:ff9b::c000:207", "192.0.2.7"},
		{ClientIP, "2001:DB8::1", "2001:db8::/64"},
		{ClientIP, "2001:db8::/64", "2001:db8::/64"},
		{ClientIP, "192.0.2.7/32", ""},
		{ClientIP, "2001:db8::/32", ""},
		{ClientIP, "2001:db8::/65", ""},
		{ClientIP, "192.0.2.0/24", ""},
		{ClientIP, "acme", ""},
		{Path, "//a/../b", "/b"},
		{Path, "b", ""},
		{Header, "b, a", "a,b"},
		{Metadata, " acme ", "acme"},
		{Header, " , ", ""},
		{Method, "GET", "GET"},
	} {
		got, err := a.Canonical(c.source, c.value)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q became %q (%v), want %q", c.source, c.value, got, err, c.want)
		}
	}
}

// A mistake in the wiring refuses requests rather than letting all through.
func TestIdentifyRefusesOtherValues(t *testing.T) {
	m := matcher(t, Rule{})
	for _, value := range []any{nil, "x", Request{}, (*Request)(nil)} {
		if _, how := m.Identify(value, nil); how != limiter.KeyMissing {
			t.Errorf("%#v is identified as %v", value, how)
		}
	}
}

// A rule that cannot be understood is refused when it is built.
func TestNewMatcherRefusals(t *testing.T) {
	for _, rule := range []Rule{
		{Match: []Match{{Path: "v1"}}},
		{Match: []Match{{Path: "/%2F"}}},
		{Keys: []Key{{Source: "Cookie"}}},
		{Keys: []Key{{Source: Shared}}},
	} {
		if _, err := NewMatcher(rule, addresses(t, 64)); err == nil {
			t.Errorf("%+v is accepted", rule)
		}
	}
}

// The fast path of a decision allocates nothing for a header, a path and a method.
func TestIdentifyAllocatesNothingForPlainValues(t *testing.T) {
	m := matcher(t, Rule{Match: []Match{{Path: "/v1", Prefix: true}}, Keys: []Key{{Header, "X-Api-Key"}, {Source: Path}, {Source: Method}}})
	r := request(t, "/v1/x", "X-Api-Key: acme")
	parts := make([]string, 0, 4)
	if n := testing.AllocsPerRun(100, func() { m.Identify(r, parts) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
