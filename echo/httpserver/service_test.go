package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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
