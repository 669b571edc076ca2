package httpserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// The whole answer, key by key: these names are a contract with clients.
func TestEchoContract(t *testing.T) {
	s := start(t)
	a := s.do(t, "POST", "/a/b?x=1&x=2&y=", strings.NewReader("hällo\n"),
		"X-One", "1", "X-One", "2", "Authorization", "Bearer t0ken", "Cookie", "a=b", "X-Api-Key", "s3cret",
		"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	got := a.json(t)
	headers := got["headers"].(map[string]any)
	if fmt.Sprint(headers["X-One"]) != "[1 2]" {
		t.Errorf("X-One: %v", headers["X-One"])
	}
	delete(got, "headers")
	want := map[string]any{
		"path": "/a/b?x=1&x=2&y=", "host": s.Listener.Addr().String(), "method": "POST", "proto": "HTTP/1.1",
		"namespace": "shop", "ingress": "", "service": "", "pod": "pod-1",
		"query": map[string]any{"x": []any{"1", "2"}, "y": []any{""}},
		"body":  "hällo\n", "bodyEncoding": "text", "bodyBytes": 7.0, "bodyTruncated": false,
		"client":    map[string]any{"identity": digest("s3cret") + ", GET", "source": "Header x-api-key, Method"},
		"rateLimit": map[string]any{"rule": "per-key", "limit": 20.0, "remaining": 19.0, "resetSeconds": 1.0, "source": "memory", "outcome": "allowed"},
		"config":    map[string]any{"generation": 7.0, "hash": "sha256:ab"},
		"traceId":   "4bf92f3577b34da6a3ce929d0e0e4736",
	}
	if g, w := marshal(t, got), marshal(t, want); g != w {
		t.Errorf("\ngot  %s\nwant %s", g, w)
	}
	for _, secret := range []string{"t0ken", "a=b", "s3cret"} {
		if bytes.Contains(a.body, []byte(secret)) {
			t.Errorf("the answer shows %q", secret)
		}
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept",
		"RateLimit": `"per-key";r=19;t=19`, "X-RateLimit-Remaining": "19",
	} {
		if a.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, a.header.Get(name), value)
		}
	}
	if s.metrics.last() != "POST 200" {
		t.Errorf("counted %q", s.metrics.last())
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRedactionIsASetting(t *testing.T) {
	s := start(t, with(func(s *Settings) { s.RedactedHeaders = []string{"x-mine"} }))
	headers := s.do(t, "GET", "/", nil, "X-Mine", "hidden", "Authorization", "shown").json(t)["headers"].(map[string]any)
	if fmt.Sprint(headers["X-Mine"]) != "[[redacted]]" || fmt.Sprint(headers["Authorization"]) != "[shown]" {
		t.Errorf("got %v", headers)
	}
}

// A request that no rule concerns has no client and no quota in its answer.
func TestNoRuleConcerned(t *testing.T) {
	s := start(t, deciding(func(limiter.Request) limiter.Decision { return limiter.Decision{} }))
	a := s.do(t, "GET", "/", nil)
	got := a.json(t)
	if got["rateLimit"] != nil || got["client"] != nil || a.header.Get("RateLimit") != "" {
		t.Errorf("got %s %v", a.body, a.header)
	}
}

func TestBodyEncodings(t *testing.T) {
	s := start(t, with(func(s *Settings) { s.MaxEchoedBodyBytes = 8 }))
	for name, c := range map[string]struct {
		body, want, encoding string
		truncated            bool
	}{
		"empty":                  {"", "", "text", false},
		"text":                   {"a\"\\\t", "a\"\\\t", "text", false},
		"not UTF-8":              {"\xff\xfe", base64.StdEncoding.EncodeToString([]byte("\xff\xfe")), "base64", false},
		"control characters":     {"a\x00b", base64.StdEncoding.EncodeToString([]byte("a\x00b")), "base64", false},
		"as long as is shown":    {"12345678", "12345678", "text", false},
		"longer":                 {"123456789", "12345678", "text", true},
		"much longer":            {strings.Repeat("x", 100_000), "xxxxxxxx", "text", true},
		"cut within a character": {"1234567ä", "1234567", "text", true},
		"cut binary":             {"\xff2345678é", base64.StdEncoding.EncodeToString([]byte("\xff2345678")), "base64", true},
	} {
		for framing, body := range map[string]io.Reader{
			"length":  strings.NewReader(c.body),
			"chunked": io.MultiReader(strings.NewReader(c.body)),
		} {
			got := s.do(t, "POST", "/", body).json(t)
			if got["body"] != c.want || got["bodyEncoding"] != c.encoding || got["bodyBytes"] != float64(len(c.body)) || got["bodyTruncated"] != c.truncated {
				t.Errorf("%s, %s: got %v %v %v %v", name, framing, got["body"], got["bodyEncoding"], got["bodyBytes"], got["bodyTruncated"])
			}
		}
	}
	if taken := s.handler.bodies.budget.taken.Load(); taken != 0 {
		t.Errorf("%d bytes of the budget were not given back", taken)
	}
}

// A table of what asks for which status, whatever the method and framing.
func TestStatuses(t *testing.T) {
	s := start(t, with(func(s *Settings) { s.MaxBodyBytes = 10 }))
	long := func() io.Reader { return strings.NewReader("12345678901") }
	for _, c := range []struct {
		method, target string
		body           io.Reader
		headers        []string
		code           int
		problem        bool
	}{
		{"GET", "/", nil, nil, 200, false},
		{"PROPFIND", "/", nil, nil, 200, false},
		{"OPTIONS", "/", nil, nil, 200, false},
		{"HEAD", "/", nil, nil, 200, false},
		{"GET", "/status/429", nil, nil, 429, false},
		{"GET", "/status/204", nil, nil, 204, false},
		{"GET", "/status/205", nil, nil, 205, false},
		{"GET", "/status/304", nil, nil, 304, false},
		{"GET", "/status/599", nil, nil, 599, false},
		{"GET", "/", nil, []string{"X-Echo-Status", "418"}, 418, false},
		{"GET", "/status/99", nil, nil, 400, true},
		{"GET", "/", nil, []string{"X-Echo-Status", "x"}, 400, true},
		{"GET", "/?delay=11s", nil, nil, 400, true},
		{"GET", "/", nil, []string{"X-Echo-Set-Header", "Set-Cookie:a=b"}, 400, true},
		{"GET", "/a%2fb", nil, nil, 400, true},
		{"TRACE", "/", nil, nil, 405, true},
		{"POST", "/", strings.NewReader("1234567890"), nil, 200, false},
		{"POST", "/", long(), nil, 413, true},
		{"POST", "/", io.MultiReader(long()), nil, 413, true},
		{"POST", "/", io.MultiReader(strings.NewReader("1234567890")), nil, 200, false},
	} {
		a := s.do(t, c.method, c.target, c.body, c.headers...)
		if a.code != c.code {
			t.Errorf("%s %s %v: %d, want %d: %s", c.method, c.target, c.headers, a.code, c.code, a.body)
		}
		if isProblem := a.header.Get("Content-Type") == "application/problem+json"; isProblem != c.problem {
			t.Errorf("%s %s: Content-Type %q", c.method, c.target, a.header.Get("Content-Type"))
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Vary") != "Accept" {
			t.Errorf("%s %s: headers %v", c.method, c.target, a.header)
		}
		if want := fmt.Sprint(c.method, " ", c.code); s.metrics.last() != want {
			t.Errorf("counted %q, want %q", s.metrics.last(), want)
		}
	}
	if n := s.handler.requests.taken.Load(); n != 0 {
		t.Errorf("%d requests are still counted as in flight", n)
	}
}

func TestSetHeaderReachesTheClient(t *testing.T) {
	a := start(t).do(t, "GET", "/", nil, "X-Echo-Set-Header", "X-A:1, X-A:2", "X-Echo-Set-Header", "Location: /x")
	if got := a.header.Values("X-A"); len(got) != 2 || a.header.Get("Location") != "/x" {
		t.Errorf("got %v", a.header)
	}
}

// A flood of denials is one line, without the query, headers or the client.
func TestDenialsAreLoggedSampled(t *testing.T) {
	s := start(t, deciding(deny))
	for range 5 {
		s.do(t, "GET", "/p?token=hidden", nil, "X-Api-Key", "s3cret")
	}
	s.Close()
	log := s.log.String()
	if n := strings.Count(log, `"msg":"denied"`); n != 1 || !strings.Contains(log, `"rule":"per-key"`) || !strings.Contains(log, `"path":"/p"`) {
		t.Errorf("%d lines: %s", n, log)
	}
	if strings.Contains(log, "hidden") || strings.Contains(log, "s3cret") {
		t.Errorf("the log shows a secret: %s", log)
	}
}

func TestSettingsThatCannotHold(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"MaxBodyBytes":      func(s *Settings) { s.MaxBodyBytes = 0 },
		"MaxHeaderBytes":    func(s *Settings) { s.MaxHeaderBytes = 10 },
		"ReadTimeout":       func(s *Settings) { s.ReadTimeout = 0 },
		"WriteTimeout":      func(s *Settings) { s.WriteTimeout = s.MaxDelay },
		"MaxDelay":          func(s *Settings) { s.MaxDelay = -1 },
		"BodyBudgetBytes":   func(s *Settings) { s.BodyBudgetBytes = s.MaxBodyBytes - 1 },
		"MaxInFlight":       func(s *Settings) { s.MaxInFlight = 0 },
		"MaxStreams":        func(s *Settings) { s.MaxStreams = 0 },
		"ReadHeaderTimeout": func(s *Settings) { s.ReadHeaderTimeout = -1 },
	} {
		s := DefaultSettings()
		change(&s)
		if _, err := NewHandler(Options{Settings: s}); err == nil || !strings.Contains(err.Error(), name+" must ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := DefaultSettings()
	if err := s.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
