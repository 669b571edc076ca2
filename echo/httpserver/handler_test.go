package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decide is a Decider made of a function.
type decide func(limiter.Request) limiter.Decision

func (d decide) Decide(_ context.Context, r limiter.Request) limiter.Decision { return d(r) }

func allow(limiter.Request) limiter.Decision {
	return limiter.Decision{
		Source: limiter.SourceMemory,
		Rules: []limiter.RuleDecision{{
			Rule:      "per-key",
			Limit:     limiter.Limit{Requests: 60, Burst: 20, Period: time.Minute},
			Cost:      1,
			Remaining: 19, ResetAfter: time.Second,
		}},
	}
}

func deny(limiter.Request) limiter.Decision {
	d := allow(limiter.Request{})
	d.Outcome, d.RetryAfter = limiter.Denied, time.Second
	d.Rules[0].Denied, d.Rules[0].RetryAfter, d.Rules[0].Remaining = true, time.Second, 0
	return d
}

// counts collects what would be metrics.
type counts struct {
	mu   sync.Mutex
	list []string
}

func (c *counts) Observe(method string, code int, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprint(method, " ", code))
}

func (c *counts) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == 0 {
		return ""
	}
	return c.list[len(c.list)-1]
}

type service struct {
	*httptest.Server
	metrics *counts
	log     *bytes.Buffer
	handler *handler
}

type option func(*Options)

func deciding(d decide) option {
	return func(o *Options) { o.Gate = httplimit.New(d) }
}

func with(change func(*Settings)) option {
	return func(o *Options) { change(&o.Settings) }
}

// start serves on a real socket with the settings that the process would use.
func start(t *testing.T, opts ...option) *service {
	t.Helper()
	s := &service{metrics: new(counts), log: new(bytes.Buffer)}
	o := Options{
		Settings: DefaultSettings(),
		Gate:     httplimit.New(decide(allow)),
		Metrics:  s.metrics,
		Limits: func() *Limits {
			return &Limits{Generation: 7, Hash: "sha256:ab", Client: func(string, *identity.Request) []identity.Part {
				return []identity.Part{
					{Key: identity.Key{Source: identity.Header, Name: "x-api-key"}, Value: "s3cret"},
					{Key: identity.Key{Source: identity.Method}, Value: "GET"},
				}
			}}
		},
		Draining: func() bool { return false },
		Place:    Place{Namespace: "shop", Pod: "pod-1"},
		Log:      slog.New(slog.NewJSONHandler(&synced{w: s.log}, nil)),
	}
	for _, opt := range opts {
		opt(&o)
	}
	h, err := NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = h.(*handler)
	s.Server = httptest.NewUnstartedServer(nil)
	s.Config = NewServer(h, o.Settings, o.Log)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

type synced struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return m
}

func (s *service) do(t *testing.T, method, target string, body io.Reader, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// raw sends bytes as they are and reads one answer, for what a client library refuses to send.
func (s *service) raw(t *testing.T, method, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

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

// A request's framing cannot be read twice: what came with Transfer-Encoding is
// the last of its connection, also when it was refused.
func TestTransferEncodingEndsTheConnection(t *testing.T) {
	s := start(t)
	for _, method := range []string{"POST", "TRACE"} {
		resp := s.raw(t, method, method+" / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		if !resp.Close {
			t.Errorf("%s: the connection stays open", method)
		}
	}
	smuggled := s.raw(t, "POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	if smuggled.StatusCode != 400 && !smuggled.Close {
		t.Errorf("%d and the connection stays open", smuggled.StatusCode)
	}
}

func TestHeadHasTheLengthAndNoBody(t *testing.T) {
	s := start(t)
	for _, target := range []string{"/", "/status/xxx"} {
		a := s.do(t, "HEAD", target, nil)
		if len(a.body) != 0 || a.header.Get("Content-Length") == "" || a.header.Get("Content-Length") == "0" {
			t.Errorf("%s: %d bytes, Content-Length %q", target, len(a.body), a.header.Get("Content-Length"))
		}
	}
}

func TestStatusesWithoutContent(t *testing.T) {
	s := start(t)
	for _, target := range []string{"/status/204", "/status/205", "/status/304"} {
		a := s.do(t, "GET", target, nil)
		if len(a.body) != 0 || a.header.Get("Content-Type") != "" {
			t.Errorf("%s: %q of type %q, want nothing", target, a.body, a.header.Get("Content-Type"))
		}
	}
}

func TestRawMethods(t *testing.T) {
	s := start(t)
	if resp := s.raw(t, "CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"); resp.StatusCode != 405 || resp.Header.Get("Allow") == "" {
		t.Errorf("CONNECT: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := s.raw(t, "OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != 200 || resp.Header.Get("RateLimit") == "" {
		t.Errorf("OPTIONS *: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := s.raw(t, "GET", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"); resp.StatusCode != 200 {
		t.Errorf("an upgrade to h2c: %d, want it ignored", resp.StatusCode)
	}
	if resp := s.raw(t, "GET", "GET / HTTP/1.1\r\nHost: x\r\nX-Big: "+strings.Repeat("a", 32<<10)+"\r\n\r\n"); resp.StatusCode != 431 {
		t.Errorf("32 KiB of headers: %d, want 431", resp.StatusCode)
	}
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	s := start(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/h2", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct{ Proto, Body string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 || got.Proto != "HTTP/2.0" || got.Body != "body" {
		t.Errorf("%s, %+v", resp.Proto, got)
	}
}

// A refused client gets its 429 although its body never comes.
func TestDeniedBodyIsNotRead(t *testing.T) {
	s := start(t, deciding(deny))
	resp := s.raw(t, "POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	if resp.StatusCode != 429 || !resp.Close || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%d, close %v, %v", resp.StatusCode, resp.Close, resp.Header)
	}
	resp = s.raw(t, "POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	if resp.StatusCode != 429 {
		t.Errorf("%d, want 429 and no 100", resp.StatusCode)
	}
}

func TestSlowBodyTimesOut(t *testing.T) {
	s := start(t, with(func(s *Settings) { s.ReadTimeout = 50 * time.Millisecond }))
	resp := s.raw(t, "POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nab")
	if resp.StatusCode != 408 || !resp.Close {
		t.Errorf("%d, close %v; want 408 and a close", resp.StatusCode, resp.Close)
	}
}

func TestSetHeaderReachesTheClient(t *testing.T) {
	a := start(t).do(t, "GET", "/", nil, "X-Echo-Set-Header", "X-A:1, X-A:2", "X-Echo-Set-Header", "Location: /x")
	if got := a.header.Values("X-A"); len(got) != 2 || a.header.Get("Location") != "/x" {
		t.Errorf("got %v", a.header)
	}
}

// While all places are taken, others are turned away at once, undecided; when a
// place is free again they are served.
func TestRequestsInFlightAreBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, with(func(s *Settings) { s.MaxInFlight = 1 }), deciding(func(r limiter.Request) limiter.Decision {
		if r.Value.(*identity.Request).Path == "/slow" {
			entered <- struct{}{}
			<-leave
		}
		return limiter.Decision{}
	}))
	slow := make(chan int, 1)
	go func() {
		resp, err := s.Client().Get(s.URL + "/slow")
		if err != nil {
			slow <- 0
			return
		}
		_ = resp.Body.Close()
		slow <- resp.StatusCode
	}()
	<-entered
	a := s.do(t, "GET", "/", nil)
	if a.code != 503 || !bytes.Contains(a.body, []byte("#temporary-reduced-capacity")) {
		t.Errorf("%d %s, want 503", a.code, a.body)
	}
	close(leave)
	if code := <-slow; code != 200 {
		t.Errorf("the one in flight: %d, want 200", code)
	}
	if a := s.do(t, "GET", "/", nil); a.code != 200 {
		t.Errorf("afterwards: %d, want 200", a.code)
	}
}

func TestBodiesShareABudget(t *testing.T) {
	s := start(t, with(func(s *Settings) { s.MaxBodyBytes, s.BodyBudgetBytes = 1000, 1000 }))
	// What a body in flight holds.
	if !s.handler.bodies.budget.take(500) {
		t.Fatal("no room for the first body")
	}
	for framing, body := range map[string]io.Reader{
		"length":  strings.NewReader(strings.Repeat("x", 501)),
		"chunked": io.MultiReader(strings.NewReader(strings.Repeat("x", 501))),
	} {
		if a := s.do(t, "POST", "/", body); a.code != 503 || !bytes.Contains(a.body, []byte("#temporary-reduced-capacity")) {
			t.Errorf("%s: %d %s, want 503", framing, a.code, a.body)
		}
	}
	if a := s.do(t, "POST", "/", strings.NewReader(strings.Repeat("x", 500))); a.code != 200 {
		t.Errorf("what fits: %d, want 200", a.code)
	}
	s.handler.bodies.budget.give(500)
	if taken := s.handler.bodies.budget.taken.Load(); taken != 0 {
		t.Errorf("%d bytes were not given back", taken)
	}
}

// A delay is served in full, and ends with the client that asked for it.
func TestDelay(t *testing.T) {
	s := start(t)
	begun := time.Now()
	if a := s.do(t, "GET", "/?delay=30ms", nil); a.code != 200 || time.Since(begun) < 30*time.Millisecond {
		t.Errorf("%d after %v, want 200 after 30ms at least", a.code, time.Since(begun))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/?delay=10s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := s.Client().Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("answered before the delay was over")
	}
	waitFor(t, func() bool { return s.metrics.last() == "GET 499" })
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatal("waited 10 s in vain")
		case <-tick.C:
		}
	}
}

// While draining, clients are told to go elsewhere, and are still served.
func TestDrainingClosesConnections(t *testing.T) {
	s := start(t, func(o *Options) { o.Draining = func() bool { return true } })
	resp := s.raw(t, "GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%d, close %v; want 200 and a close", resp.StatusCode, resp.Close)
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
