package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is written is pinned byte for byte: other releases read it, and their
// hashes must agree with this one's.
func TestRenderIsPinned(t *testing.T) {
	f := &File{
		Policy: &PolicyRef{Name: "checkout", Namespace: "shop", UID: "3f1c", Generation: 7},
		Rules: []Rule{{
			Name:  "per-key",
			Match: []Match{{Protocol: ProtocolHTTP, Path: &PathMatch{Value: "/v1"}, Methods: []string{"GET"}}},
			Keys:  []Key{{Source: SourceHeader, Name: "x-api-key"}},
			Limit: Limit{Requests: 100, PeriodSeconds: 60, Burst: 20},
			Overrides: []Override{
				{Name: "gold", Values: []string{"acme", "yes", "007"}, Limit: &Limit{Requests: 1000, PeriodSeconds: 60}},
				{Name: "probes", Values: []string{"kube-probe"}, Action: ActionExempt},
			},
		}},
		Replicas: 3,
	}
	const want = `version: 1
policy:
  name: checkout
  namespace: shop
  uid: 3f1c
  generation: 7
replicas: 3
mode: Enforce
rules:
  - name: per-key
    mode: Enforce
    match:
      - protocol: HTTP
        path:
          type: Prefix
          value: /v1
        methods:
          - GET
    keys:
      - source: Header
        name: x-api-key
    onMissingKey: Shared
    limit:
      requests: 100
      periodSeconds: 60
      burst: 20
    cost: 1
    overrides:
      - name: gold
        values:
          - acme
          - "yes"
          - "007"
        action: Limit
        limit:
          requests: 1000
          periodSeconds: 60
          burst: 1000
      - name: probes
        values:
          - kube-probe
        action: Exempt
clientIP:
  ipv6PrefixLength: 64
store:
  type: Redis
  onOutage: Share
  timeoutMilliseconds: 25
headers:
  - IETF
  - XRateLimit
`
	got, err := Render(f)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	const wantHash = "sha256:26b32b73d9ab7d9b25fd438aa38dc45b97a823d019336bcca10abf043a196343"
	if hash, err := LimitsHash(f); err != nil || hash != wantHash {
		t.Errorf("limits hash %s (%v), want %s", hash, err, wantHash)
	}
	const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if Hash(nil) != empty {
		t.Errorf("hash of nothing is %s", Hash(nil))
	}
}

// Scaling and editing something else leaves the limits hash alone; nothing else
// that a file says does.
func TestLimitsHashCoversTheLimitsOnly(t *testing.T) {
	base := func() *File {
		f := parse(t, minimal)
		f.Policy = &PolicyRef{Name: "a", Namespace: "b", UID: "c", Generation: 1}
		return f
	}
	hash := func(f *File) string {
		h, err := LimitsHash(f)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	want := hash(base())
	for name, change := range map[string]func(*File){
		"generation": func(f *File) { f.Policy.Generation = 9 },
		"replicas":   func(f *File) { f.Replicas = 9 },
	} {
		f := base()
		if change(f); hash(f) != want {
			t.Errorf("the limits hash changes with %s", name)
		}
		if f.Policy.Generation == 9 == (f.Replicas == 9) {
			t.Errorf("hashing changed the file: %+v", f)
		}
	}
	for name, change := range map[string]func(*File){
		"uid":      func(f *File) { f.Policy.UID = "d" },
		"mode":     func(f *File) { f.Mode = ModeShadow },
		"requests": func(f *File) { f.Rules[0].Limit.Requests++ },
		"headers":  func(f *File) { f.Headers = []string{} },
		"proxies":  func(f *File) { f.ClientIP.TrustedProxies = []string{"10.0.0.0/8"} },
		"timeout":  func(f *File) { f.Store.TimeoutMilliseconds++ },
	} {
		f := base()
		if change(f); hash(f) == want {
			t.Errorf("the limits hash does not change with %s", name)
		}
	}
}

// Filling in defaults never reaches into the caller's File.
func TestRenderLeavesItsFileAlone(t *testing.T) {
	build := func() *File {
		return &File{
			Policy: &PolicyRef{Name: "a", Namespace: "b", UID: "c", Generation: 1},
			Rules: []Rule{{
				Name: "a", Limit: Limit{Requests: 1, PeriodSeconds: 1},
				Match:     []Match{{Path: &PathMatch{Value: "/"}}},
				Keys:      []Key{{Source: SourcePath}},
				Overrides: []Override{{Name: "o", Values: []string{"/x"}, Limit: &Limit{Requests: 1, PeriodSeconds: 1}}},
			}},
		}
	}
	f := build()
	assertRoundTrip(t, f)
	if _, err := f.Compile(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f, build()) {
		t.Errorf("the file became %+v", f)
	}
}

// The same problems are found in a File that was built in Go, without lines, and
// such a file is never rendered, hashed nor compiled.
func TestValidateFilesBuiltInGo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*File)
		want   string
	}{
		"version":   {func(f *File) { f.Version = 2 }, "version: must be 1, got 2"},
		"no rules":  {func(f *File) { f.Rules = nil }, "rules: must have 1 to 64 members, has 0"},
		"no name":   {func(f *File) { f.Rules[0].Name = "" }, "rules[0].name: is missing; write e.g. name: per-client"},
		"no limit":  {func(f *File) { f.Rules[0].Limit = Limit{} }, "rules[0].limit.requests: must be a whole number between 1 and 1000000000, got 0"},
		"no source": {func(f *File) { f.Rules[0].Keys = []Key{{}} }, `rules[0].keys[0].source: must be ClientIP, Header, Metadata, Path or Method, got ""`},
		"cost":      {func(f *File) { f.Rules[0].Cost = 11 }, "rules[0].cost: must be at most the burst"},
		"negative":  {func(f *File) { f.Replicas = -1 }, "replicas: must be a whole number between 1 and 100000, got -1"},
		"not UTF-8": {func(f *File) { f.Rules[0].Match = []Match{{Path: &PathMatch{Value: "/\xff"}}} }, "must be UTF-8 text"},
		"headers":   {func(f *File) { f.Headers = []string{"IETF", "IETF", "IETF"} }, "headers: must have 0 to 2 members, has 3"},
		"prefix":    {func(f *File) { f.ClientIP.IPv6PrefixLength = -1 }, "clientIP.ipv6PrefixLength: must be a whole number between 1 and 128, got -1"},
		"bad values": {func(f *File) {
			f.Rules[0].Overrides = []Override{{Name: "o", Values: []string{""}, Action: ActionDeny}}
		}, "rules[0].overrides[0].values[0]: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, minimal)
			c.change(f)
			err := Validate(f)
			assertProblem(t, err, c.want)
			if strings.HasPrefix(err.Error(), "line") {
				t.Errorf("a file without lines has one in %q", err)
			}
			if _, err := Render(f); err == nil {
				t.Error("it was rendered")
			}
			if _, err := LimitsHash(f); err == nil {
				t.Error("it was hashed")
			}
			if _, err := f.LimiterPolicy(); err == nil {
				t.Error("it was compiled")
			}
		})
	}
	if err := Validate(&File{Rules: []Rule{{Name: "a", Limit: Limit{Requests: 1, PeriodSeconds: 1}}}}); err != nil {
		t.Errorf("zero values do not stand for defaults: %v", err)
	}
}

// Every valid file survives being rendered and parsed, whatever its texts look
// like to YAML.
func TestEveryValidFileRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFile().Draw(t, "file")
		if err := Validate(f); err != nil {
			t.Fatalf("the generator drew an invalid file: %v", err)
		}
		assertRoundTrip(t, f)
		if _, err := f.Compile(); err != nil {
			t.Fatalf("compile: %v", err)
		}
	})
}

func genFile() *rapid.Generator[*File] {
	return rapid.Custom(func(t *rapid.T) *File {
		f := &File{
			Replicas: int32(rapid.IntRange(0, 100).Draw(t, "replicas")),
			Mode:     rapid.SampledFrom([]string{"", ModeEnforce, ModeShadow}).Draw(t, "mode"),
			Headers:  rapid.SampledFrom([][]string{nil, {}, {HeadersIETF}, {HeadersXRateLimit, HeadersIETF}}).Draw(t, "headers"),
			Store: Store{
				Type:                rapid.SampledFrom([]string{"", StoreRedis, StoreMemory}).Draw(t, "store"),
				OnOutage:            rapid.SampledFrom([]string{"", OutageShare, OutageFull, OutageAllow, OutageDeny}).Draw(t, "outage"),
				TimeoutMilliseconds: int32(rapid.IntRange(0, 1000).Draw(t, "timeout")),
			},
			ClientIP: ClientIP{
				TrustedProxies:   rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/8", "fd00::/8", "::ffff:192.0.2.0/120"}), 0, 3).Draw(t, "proxies"),
				IPv6PrefixLength: int32(rapid.IntRange(0, 128).Draw(t, "prefix")),
			},
		}
		if rapid.Bool().Draw(t, "rendered") {
			f.Policy = &PolicyRef{
				Name: rapid.SampledFrom([]string{"checkout", "null", "1e3"}).Draw(t, "policy"), Namespace: "true",
				UID: "0x1f", Generation: rapid.Int64Min(0).Draw(t, "generation"),
			}
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
			f.Rules = append(f.Rules, genRule(t, i))
		}
		return f
	})
}

func genRule(t *rapid.T, i int) Rule {
	limit := func() Limit {
		l := Limit{
			Requests:      rapid.Int64Range(1, 1e9).Draw(t, "requests"),
			PeriodSeconds: int32(rapid.IntRange(1, 4500).Draw(t, "period")),
		}
		if rapid.Bool().Draw(t, "has burst") {
			l.Burst = rapid.Int64Range(1, 1e9).Draw(t, "burst")
		}
		return l
	}
	name := rapid.SampledFrom([]string{"null", "true", "no", "1", "1e3", "0x1", "rule"}).Draw(t, "name")
	r := Rule{
		Name: fmt.Sprintf("%s%d", name, i), Limit: limit(),
		Mode:         rapid.SampledFrom([]string{"", ModeEnforce, ModeShadow}).Draw(t, "rule mode"),
		OnMissingKey: rapid.SampledFrom([]string{"", MissingShared, MissingClientIP, MissingDeny}).Draw(t, "missing"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "matches") {
		m := Match{Protocol: rapid.SampledFrom([]string{"", ProtocolHTTP, ProtocolGRPC}).Draw(t, "protocol")}
		if rapid.Bool().Draw(t, "has path") {
			m.Path = &PathMatch{Type: rapid.SampledFrom([]string{"", PathPrefix, PathExact}).Draw(t, "type"), Value: "/" + genText(t, "path")}
		}
		if m.Protocol != ProtocolGRPC && rapid.Bool().Draw(t, "has methods") {
			m.Methods = []string{"GET", "HEAD"}
		}
		r.Match = append(r.Match, m)
	}
	if rapid.Bool().Draw(t, "has keys") {
		r.Keys = []Key{{Source: SourceHeader, Name: rapid.SampledFrom([]string{"x-api-key", "~", "null", "*a", "&b", "!c", "0"}).Draw(t, "header")}}
		for j := range rapid.IntRange(0, 3).Draw(t, "overrides") {
			o := Override{Name: fmt.Sprintf("o%d", j), Action: rapid.SampledFrom([]string{ActionExempt, ActionDeny}).Draw(t, "action")}
			if rapid.Bool().Draw(t, "limits") {
				l := limit()
				o.Action, o.Limit = "", &l
			}
			// The number keeps values apart from those of the other overrides.
			o.Values = []string{fmt.Sprintf("%s%d", genText(t, "value"), j)}
			r.Overrides = append(r.Overrides, o)
		}
	}
	return r
}

// genText draws text that a path and a header value may hold.
func genText(t *rapid.T, label string) string {
	odd := rapid.SampledFrom([]string{"", "~", "null", "yes", "0x10", "1_000", "2001-01-01", "a: b", "# c", "- d", "'", `"`, "{", "&a", "*a", "<<", "\u2028", "\ufeff", "\ufffe", "\U0001f600", "é"}).Draw(t, label+" odd")
	plain := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool {
		return !strings.ContainsRune("%?/.,", r) && r > 0x20 && (r < 0x7f || r > 0xa0)
	}), 0, 8, -1).Draw(t, label)
	return plain + odd + "x"
}
