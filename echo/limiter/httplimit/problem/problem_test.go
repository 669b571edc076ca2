package problem

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"
	"time"
)

func TestMembersAndDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		problem Problem
		want    map[string]any
	}{
		"quota": {
			Problem{Type: TypeQuotaExceeded, Title: "Quota exceeded", Status: 429, ViolatedPolicies: []string{"a", `b"`}},
			map[string]any{"type": TypeQuotaExceeded, "title": "Quota exceeded", "status": 429.0, "violated-policies": []any{"a", `b"`}},
		},
		"blank": {
			Problem{Status: 403, Detail: "no"},
			map[string]any{"type": "about:blank", "title": "Forbidden", "status": 403.0, "detail": "no"},
		},
	} {
		rec := httptest.NewRecorder()
		c.problem.Write(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		var got map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		h := rec.Header()
		if rec.Code != c.problem.Status || h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" ||
			h.Get("Content-Length") != strconv.Itoa(rec.Body.Len()) {
			t.Errorf("%s: %d %v", name, rec.Code, h)
		}
	}
}

// A client that promises a body and sends none gets its refusal at once: nobody
// waits for the body, and the connection that it would come on is given up.
func TestBodyIsNotWaitedFor(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Problem{Status: 429}.Write(w, r)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 429 || !resp.Close {
		t.Errorf("status %d, close %v; want 429 and a close", resp.StatusCode, resp.Close)
	}
}
