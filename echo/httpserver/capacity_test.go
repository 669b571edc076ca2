package httpserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
)

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
