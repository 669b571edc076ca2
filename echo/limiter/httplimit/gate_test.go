package httplimit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decide is a Decider made of a function, for decisions that are hard to bring about.
type decide func(limiter.Request) limiter.Decision

func (d decide) Decide(_ context.Context, r limiter.Request) limiter.Decision { return d(r) }

func serve(t *testing.T, g *Gate) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if FromContext(r.Context()) == nil {
			t.Error("the handler found no decision")
		}
		_, _ = io.WriteString(w, "through")
	})))
	t.Cleanup(srv.Close)
	return srv
}

func get(t *testing.T, srv *httptest.Server, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// With a real limiter: as many requests as the burst pass and count down, the
// next is refused with everything a client needs to know when to come back.
func TestBurstThenQuotaExceeded(t *testing.T) {
	now := time.Duration(0)
	l, err := limiter.New(limiter.Policy{Rules: []limiter.Rule{{
		Name: "per-client", Limit: limiter.Limit{Requests: 2, Burst: 2, Period: time.Minute},
	}}}, nil, limiter.WithClock(func() time.Duration { return now }), limiter.WithMaxClients(64))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	srv := serve(t, New(l, WithKey(func(r *http.Request) string { return r.URL.Path })))

	for _, remaining := range []string{"1", "0"} {
		resp, body := get(t, srv, "/a")
		if resp.StatusCode != 200 || body != "through" || resp.Header.Get("X-RateLimit-Remaining") != remaining || resp.Header.Get("Retry-After") != "" {
			t.Errorf("got %d %q %v, want 200 with %s remaining", resp.StatusCode, body, resp.Header, remaining)
		}
	}
	resp, body := get(t, srv, "/a")
	want := map[string]any{
		"type":              "https://iana.org/assignments/http-problem-types#quota-exceeded",
		"title":             "Quota exceeded",
		"status":            429.0,
		"violated-policies": []any{"per-client"},
	}
	var problem map[string]any
	if err := json.Unmarshal([]byte(body), &problem); err != nil || !reflect.DeepEqual(problem, want) {
		t.Errorf("got %s (%v), want %v", body, err, want)
	}
	for name, value := range map[string]string{
		"Retry-After":           "30",
		"RateLimit":             `"per-client";r=0;t=30`,
		"RateLimit-Policy":      `"per-client";q=2;w=60`,
		"X-RateLimit-Limit":     "2",
		"X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset":     "60",
		"Content-Type":          "application/problem+json",
	} {
		if got := resp.Header.Get(name); resp.StatusCode != 429 || got != value {
			t.Errorf("%d %s: %q, want 429 and %q", resp.StatusCode, name, got, value)
		}
	}
	if resp, _ := get(t, srv, "/b"); resp.StatusCode != 200 {
		t.Errorf("another client: %d, want 200", resp.StatusCode)
	}
	now = 30 * time.Second
	if resp, _ := get(t, srv, "/a"); resp.StatusCode != 200 {
		t.Errorf("after Retry-After: %d, want 200", resp.StatusCode)
	}
}

func TestRefusalsThatWaitingDoesNotHelp(t *testing.T) {
	for name, c := range map[string]struct {
		decision limiter.Decision
		code     int
		detail   string
	}{
		"forbidden": {
			limiter.Decision{Outcome: limiter.Forbidden, Rule: "per-key"}, 403,
			`The rule "per-key" does not admit this client; waiting does not help.`,
		},
		"unidentified": {
			limiter.Decision{Outcome: limiter.Unidentified, Rule: "per-key", MissingKey: "Header x-api-key"}, 400,
			`The rule "per-key" needs a key that this request lacks: Header x-api-key.`,
		},
	} {
		resp, body := get(t, serve(t, New(decide(func(limiter.Request) limiter.Decision { return c.decision }))), "/")
		var problem struct{ Detail string }
		if err := json.Unmarshal([]byte(body), &problem); err != nil || resp.StatusCode != c.code || problem.Detail != c.detail {
			t.Errorf("%s: %d %s (%v), want %d and %s", name, resp.StatusCode, body, err, c.code, c.detail)
		}
		for _, header := range []string{"Retry-After", "RateLimit", "X-RateLimit-Limit"} {
			if v := resp.Header.Get(header); v != "" {
				t.Errorf("%s: %s is %q, want none", name, header, v)
			}
		}
	}
}

// Only the rules that refused are named as violated.
func TestViolatedPoliciesAreTheRefusingOnes(t *testing.T) {
	p, refused := refusalOf(&limiter.Decision{
		Outcome: limiter.Denied,
		Rules:   []limiter.RuleDecision{refusing("a", time.Second), refusing("b", time.Second), perMinute("c", 1)},
	})
	if !refused || !slices.Equal(p.ViolatedPolicies, []string{"a", "b"}) {
		t.Errorf("got %v", p.ViolatedPolicies)
	}
}

// A path that could be read in two ways is refused before any bucket is asked.
func TestAmbiguousPathIsRefusedUndecided(t *testing.T) {
	g := New(decide(func(limiter.Request) limiter.Decision {
		t.Error("decided")
		return limiter.Decision{}
	}))
	for _, path := range []string{"/a%2Fb", "/a%00"} {
		resp, body := get(t, serve(t, g), path)
		if resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, "The path cannot be used: ") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

// The rules see the canonical path, the peer, and every header, Host included.
func TestWhatRulesLookAt(t *testing.T) {
	var seen identity.Request
	g := New(decide(func(r limiter.Request) limiter.Decision {
		seen = *r.Value.(*identity.Request)
		return limiter.Decision{}
	}))
	r := httptest.NewRequest(http.MethodPut, "http://echo.test/a/../b//c%20d?x=1", nil)
	r.Header["X-Api-Key"] = []string{"one", "two"}
	r.RemoteAddr = "[2001:db8::1]:4711"
	if p := g.Check(httptest.NewRecorder(), r); p.Refused != 0 {
		t.Fatalf("refused with %d", p.Refused)
	}
	if seen.Protocol != identity.HTTP || seen.Method != "PUT" || seen.Path != "/b/c d" || seen.Peer != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("got %+v", seen)
	}
	if got := seen.Header("x-API-key"); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("x-api-key: %v", got)
	}
	if got := seen.Header("host"); !slices.Equal(got, []string{"echo.test"}) {
		t.Errorf("host: %v", got)
	}
	if got := seen.Header("absent"); got != nil {
		t.Errorf("absent: %v", got)
	}
}

// A reload changes the families for the next request.
func TestHeaderFamiliesCanChange(t *testing.T) {
	g := New(decide(func(limiter.Request) limiter.Decision {
		return limiter.Decision{Rules: []limiter.RuleDecision{perMinute("a", 1)}}
	}), WithHeaders(XRateLimit))
	srv := serve(t, g)
	resp, _ := get(t, srv, "/")
	if resp.Header.Get("RateLimit") != "" || resp.Header.Get("X-RateLimit-Limit") == "" {
		t.Errorf("got %v", resp.Header)
	}
	g.SetHeaders(IETF)
	resp, _ = get(t, srv, "/")
	if resp.Header.Get("RateLimit") == "" || resp.Header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("got %v", resp.Header)
	}
}
