package admin

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type answer struct {
	code   int
	header http.Header
	body   string
}

func start(t *testing.T, o Options) func(method, path string, header ...string) answer {
	t.Helper()
	reg, err := telemetry.NewRegistry(telemetry.Build{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	o.Registry, o.Log = reg, slog.New(slog.DiscardHandler)
	if o.Readiness == nil {
		o.Readiness = new(Readiness)
	}
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = NewServer(NewHandler(o), o.Log)
	srv.Start()
	client := srv.Client()
	t.Cleanup(func() { client.CloseIdleConnections(); srv.Close() })
	return func(method, path string, header ...string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{resp.StatusCode, resp.Header, string(body)}
	}
}

// Readiness follows the process's life and nothing else; health is there throughout.
func TestReadinessFollowsTheProcess(t *testing.T) {
	ready := new(Readiness)
	get := start(t, Options{Readiness: ready})
	check := func(code int, text string) {
		t.Helper()
		if a := get("GET", "/readyz"); a.code != code || !strings.Contains(a.body, text) {
			t.Errorf("/readyz: %d %q, want %d with %q", a.code, a.body, code, text)
		}
		if a := get("GET", "/healthz"); a.code != 200 {
			t.Errorf("/healthz: %d, want 200", a.code)
		}
	}
	check(503, "starting")
	ready.Serve()
	check(200, "ok")
	ready.Drain()
	check(503, "draining")
	ready.Serve()
	check(503, "draining")
}

// The operator compares these bytes' fields: names and nulls are a contract.
func TestConfigzIsTheContract(t *testing.T) {
	z := config.Configz{
		Pod:        config.PodRef{Name: "p", Namespace: "n", UID: "u"},
		Hash:       "sha256:aa",
		LimitsHash: "sha256:bb",
		Generation: 7,
		LoadedAt:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Store:      config.ConfigzStore{Type: "redis", State: "fallback", CredentialsVersion: "0123456789ab"},
	}
	get := start(t, Options{Configz: func() config.Configz { return z }})
	a := get("GET", "/configz")
	want := `{"pod":{"name":"p","namespace":"n","uid":"u"},"hash":"sha256:aa","limitsHash":"sha256:bb","generation":7,` +
		`"loadedAt":"2026-01-02T03:04:05Z","lastError":null,"store":{"type":"redis","state":"fallback","credentialsVersion":"0123456789ab"}}`
	if got := strings.TrimSpace(a.body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	z.LastError = &config.ConfigzError{Hash: "sha256:cc", Message: "line 3: \"x\""}
	if a := get("GET", "/configz"); !strings.Contains(a.body, `"lastError":{"hash":"sha256:cc","message":"line 3: \"x\""}`) {
		t.Errorf("got %s", a.body)
	}
}

func TestMetricsInBothFormats(t *testing.T) {
	get := start(t, Options{})
	a := get("GET", "/metrics")
	if a.code != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || !strings.Contains(a.body, "echo_build_info{") {
		t.Errorf("text: %d %s\n%.200s", a.code, a.header.Get("Content-Type"), a.body)
	}
	a = get("GET", "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if a.code != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(a.body, "# EOF\n") {
		t.Errorf("OpenMetrics: %d %s", a.code, a.header.Get("Content-Type"))
	}
}

func TestVersion(t *testing.T) {
	want := telemetry.Build{Version: "v1.2", Revision: "abc", GoVersion: "go1.26"}
	var got telemetry.Build
	a := start(t, Options{Build: want})("GET", "/version")
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got != want {
		t.Errorf("got %s (%v), want %+v", a.body, err, want)
	}
}

func TestPprofIsOffUnlessAskedFor(t *testing.T) {
	if a := start(t, Options{})("GET", "/debug/pprof/cmdline"); a.code != 404 {
		t.Errorf("off: %d, want 404", a.code)
	}
	if a := start(t, Options{Pprof: true})("GET", "/debug/pprof/cmdline"); a.code != 200 {
		t.Errorf("on: %d, want 200", a.code)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	get := start(t, Options{})
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/", 404},
		{"GET", "/configz/x", 404},
		{"POST", "/configz", 405},
		{"DELETE", "/readyz", 405},
		{"HEAD", "/healthz", 200},
	} {
		a := get(c.method, c.path)
		if a.code != c.code {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, a.code, c.code)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", c.method, c.path, a.header)
		}
	}
}
