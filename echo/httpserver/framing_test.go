package httpserver

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

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

// While draining, clients are told to go elsewhere, and are still served.
func TestDrainingClosesConnections(t *testing.T) {
	s := start(t, func(o *Options) { o.Draining = func() bool { return true } })
	resp := s.raw(t, "GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%d, close %v; want 200 and a close", resp.StatusCode, resp.Close)
	}
}
