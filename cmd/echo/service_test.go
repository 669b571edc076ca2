package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

const patience = 20 * time.Second

// running is a service on sockets of its own, with the client that talks to it.
type running struct {
	t           *testing.T
	service     *service
	echo, admin string
	client      *http.Client
	log         *lockedBuffer
	// end asks for a drain; done gets what Run returned.
	end  context.CancelFunc
	done chan error
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// launch starts the service as main would, and ends it with the test.
func launch(t *testing.T, args ...string) *running {
	t.Helper()
	c, err := ParseConfig(append([]string{"--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--drain-delay=0s", "--max-clients=1024"}, args...), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, log: new(lockedBuffer), done: make(chan error, 1)}
	if r.service, err = newService(t.Context(), c, slog.New(slog.NewJSONHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	r.echo = "http://" + r.service.http.listener.Addr().String()
	r.admin = "http://" + r.service.admin.listener.Addr().String()
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: patience}
	var ctx context.Context
	ctx, r.end = context.WithCancel(context.Background())
	go func() { r.done <- r.service.run(ctx) }()
	t.Cleanup(func() {
		r.end()
		r.client.CloseIdleConnections()
		if err := r.ended(); err != nil {
			t.Errorf("the service ended with %v\n%s", err, r.log)
		}
	})
	return r
}

// ended waits for the end once; later calls find it again.
func (r *running) ended() error {
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		return errors.New("it did not end in time")
	}
}

func (r *running) get(url string) (int, http.Header, string) {
	r.t.Helper()
	code, header, body, err := fetch(r.client, url)
	if err != nil {
		r.t.Fatal(err)
	}
	return code, header, body
}

func fetch(client *http.Client, url string) (int, http.Header, string, error) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(body), err
}

func (r *running) configz() config.Configz {
	r.t.Helper()
	_, _, body := r.get(r.admin + "/configz")
	var z config.Configz
	if err := json.Unmarshal([]byte(body), &z); err != nil {
		r.t.Fatalf("%v in %s", err, body)
	}
	return z
}

// source is which buckets decided the next request.
func (r *running) source() string {
	r.t.Helper()
	_, _, body := r.get(r.echo + "/")
	var answer struct {
		RateLimit struct{ Source string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		r.t.Fatalf("%v in %s", err, body)
	}
	return answer.RateLimit.Source
}

// untilDenied counts the requests that pass before the first 429.
func (r *running) untilDenied(most int) int {
	r.t.Helper()
	for n := range most {
		switch code, _, body := r.get(r.echo + "/"); code {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			return n
		default:
			r.t.Fatalf("%d %s", code, body)
		}
	}
	r.t.Fatalf("%d requests passed and none was denied", most)
	return 0
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %v in vain until %s", patience, what)
		case <-tick.C:
		}
	}
}

// limits is a limits file with one bucket for all, which refills too slowly to matter.
func limits(store string, burst int, extra string) string {
	return fmt.Sprintf(`version: 1
rules:
- name: all
  limit: {requests: 1, periodSeconds: 86400, burst: %d}
store: {type: %s}
%s`, burst, store, extra)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func limitsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "limits.yaml")
	writeFile(t, path, content)
	return path
}

// The main job: limits from a file, 429 when they are used up, an edit that holds
// without a restart, and a bad edit that changes nothing but is told.
func TestLimitsFromAFileAndItsEdits(t *testing.T) {
	path := limitsFile(t, limits("Memory", 3, "policy: {name: p, namespace: n, uid: u-1, generation: 1}"))
	r := launch(t, "--limits", path, "--pod-name=pod-1", "--pod-namespace=ns", "--pod-uid=uid-1")
	if n := r.untilDenied(10); n != 3 {
		t.Errorf("%d requests passed, want 3", n)
	}
	before := r.configz()
	if before.Pod != (config.PodRef{Name: "pod-1", Namespace: "ns", UID: "uid-1"}) || before.Generation != 1 || before.LastError != nil ||
		before.Store != (config.ConfigzStore{Type: "memory", State: "ok"}) || before.LoadedAt.IsZero() {
		t.Errorf("/configz: %+v", before)
	}

	// A bucket of 3 that is empty stays empty when its burst becomes 5 ...
	edited := limits("Memory", 5, "headers: [XRateLimit]\npolicy: {name: p, namespace: n, uid: u-1, generation: 2}")
	writeFile(t, path, edited)
	eventually(t, "generation 2 is in force", func() bool { return r.configz().Generation == 2 })
	after := r.configz()
	if after.Hash != config.Hash([]byte(edited)) || after.LimitsHash == before.LimitsHash {
		t.Errorf("/configz: %+v, before %+v", after, before)
	}
	code, header, _ := r.get(r.echo + "/")
	if code != 429 || header.Get("X-RateLimit-Limit") != "5" || header.Get("RateLimit") != "" {
		t.Errorf("after the edit: %d %v", code, header)
	}
	// ... and a new rule starts with a full one.
	writeFile(t, path, strings.Replace(edited, "name: all", "name: other", 1))
	eventually(t, "the renamed rule holds", func() bool { code, _, _ := r.get(r.echo + "/"); return code == 200 })

	bad := "version: 1\nrules: 7\n"
	writeFile(t, path, bad)
	eventually(t, "the bad file is told", func() bool { return r.configz().LastError != nil })
	z := r.configz()
	if z.LastError.Hash != config.Hash([]byte(bad)) || !strings.Contains(z.LastError.Message, "line 2") || z.Generation != 2 {
		t.Errorf("/configz: %+v %+v", z, z.LastError)
	}
	if n := r.untilDenied(10); n > 4 {
		t.Errorf("%d more requests passed under a bad file, want at most 4", n)
	}
}

// Metrics of all the parts are on the admin port under the names that dashboards use.
func TestMetricsOfAllParts(t *testing.T) {
	r := launch(t, "--limits", limitsFile(t, limits("Memory", 1, "")))
	r.untilDenied(5)
	_, _, body := r.get(r.admin + "/metrics")
	for _, want := range []string{
		`echo_http_requests_total{code="200",method="GET"} 1`,
		`echo_http_requests_total{code="429",method="GET"} 1`,
		`echo_request_duration_seconds_count{protocol="http"} 2`,
		`ratelimit_decisions_total{outcome="allowed",rule="all"} 1`,
		`ratelimit_decisions_total{outcome="denied",rule="all"} 1`,
		`ratelimit_decision_duration_seconds_count{store="memory"} 2`,
		`ratelimit_fallback_active 0`,
		`ratelimit_tracked_clients 1`,
		`ratelimit_evictions_total{lossy="true"} 0`,
		`ratelimit_config_reloads_total{result="success"} 1`,
		`ratelimit_config_info{generation="0",hash="sha256:`,
		`echo_build_info{`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestOneRuleFromSettings(t *testing.T) {
	r := launch(t, "--limit-requests=2", "--limit-period=24h", "--limit-key=header:x-user")
	if n := r.untilDenied(5); n != 2 {
		t.Errorf("%d passed, want 2", n)
	}
	z := r.configz()
	if z.Hash == "" || z.LimitsHash == "" || z.Store.Type != "memory" {
		t.Errorf("/configz: %+v", z)
	}
}

// Store Redis without a Redis: memory, said once in the log and shown at /configz.
func TestRedisTypeWithoutRedisIsMemory(t *testing.T) {
	path := limitsFile(t, limits("Redis", 2, ""))
	r := launch(t, "--limits", path)
	if s := r.source(); s != "memory" {
		t.Errorf("source %q, want memory", s)
	}
	if z := r.configz(); z.Store != (config.ConfigzStore{Type: "memory", State: "ok"}) {
		t.Errorf("/configz: %+v", z)
	}
	writeFile(t, path, limits("Redis", 3, ""))
	eventually(t, "the edit is in force", func() bool { return strings.Count(r.log.String(), `"limits loaded"`) == 2 })
	if n := strings.Count(r.log.String(), "ECHO_REDIS_URL is not set"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}

// Two processes with one Redis have one bucket; when Redis dies each goes on with
// its share and says so, stays ready, and comes back by itself.
func TestRedisSharedAndLost(t *testing.T) {
	redis := redistest.Start(t)
	// The store's timeout is long, so that a busy machine does not look like an outage.
	content := strings.Replace(limits("Redis", 8, "replicas: 2"), "{type: Redis}", "{type: Redis, timeoutMilliseconds: 1000}", 1)
	path := limitsFile(t, content)
	a := launch(t, "--limits", path, "--redis-url", redis.URL())
	b := launch(t, "--limits", path, "--redis-url", redis.URL())

	eventually(t, "both reach Redis", func() bool { return a.source() == "redis" && b.source() == "redis" })
	if z := a.configz(); z.Store.Type != "redis" || z.Store.State != "ok" {
		t.Errorf("/configz: %+v", z)
	}
	a.untilDenied(20)
	if n := b.untilDenied(20); n != 0 {
		t.Errorf("%d requests passed at the other process, want 0 since the bucket is shared", n)
	}

	redis.Kill()
	eventually(t, "the outage is noticed", func() bool { a.get(a.echo + "/"); return a.configz().Store.State == "fallback" })
	if code, _, body := a.get(a.admin + "/readyz"); code != 200 {
		t.Errorf("/readyz without Redis: %d %s", code, body)
	}
	passed := 0
	for range 20 {
		code, header, body := a.get(a.echo + "/")
		if code != 200 && code != 429 || header.Get("RateLimit") == "" {
			t.Fatalf("without Redis: %d %v %s", code, header, body)
		}
		if code == 200 {
			passed++
		}
	}
	if passed > 4 {
		t.Errorf("%d requests passed without Redis, want at most this process's share of 4", passed)
	}

	redis.Restart()
	eventually(t, "Redis is used again", func() bool { return a.configz().Store.State == "ok" })
	eventually(t, "Redis decides again", func() bool { return a.source() == "redis" })
}

// A signal to end under load: whoever asks is told, and every request that was
// sent before the answer "not ready" or was under way is answered in full.
func TestDrainLosesNothing(t *testing.T) {
	r := launch(t, "--limit-requests=1000000000", "--drain-delay=300ms")
	eventually(t, "it is ready", func() bool { code, _, _ := r.get(r.admin + "/readyz"); return code == 200 })

	var load sync.WaitGroup
	failures := make(chan error, 1000)
	var served sync.Map
	send := func(worker int, url string) bool {
		code, _, body, err := fetch(r.client, url)
		if err == nil && (code != 200 || !json.Valid([]byte(body))) {
			err = fmt.Errorf("%d %q", code, body)
		}
		if err != nil {
			failures <- err
			return false
		}
		served.Store(strconv.Itoa(worker), true)
		return true
	}
	for worker := range 8 {
		// Longer than the drain delay: these are under way when the listener closes.
		load.Go(func() { send(worker, r.echo+"/?delay=900ms") })
	}
	eventually(t, "all slow requests are under way", func() bool {
		_, _, body := r.get(r.admin + "/metrics")
		return strings.Contains(body, `ratelimit_decisions_total{outcome="allowed",rule="default"} 8`)
	})
	for worker := range 8 {
		load.Go(func() {
			// As a load balancer does: stop sending once the pod is not ready.
			for {
				code, _, _, err := fetch(r.client, r.admin+"/readyz")
				if err != nil || code != 200 || !send(8+worker, r.echo+"/") {
					return
				}
			}
		})
	}
	count := func() (n int) {
		served.Range(func(any, any) bool { n++; return true })
		return n
	}
	eventually(t, "all other clients were served", func() bool { return count() >= 8 })
	r.end()
	load.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("lost: %v", err)
	}
	if n := count(); n != 16 {
		t.Errorf("%d of 16 clients were served", n)
	}
	if err := r.ended(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if _, _, _, err := fetch(r.client, r.echo+"/"); err == nil {
		t.Error("still answering after its end")
	}
}

// A request that takes longer than the drain timeout is cut off, and that is told.
func TestDrainHasADeadline(t *testing.T) {
	r := launch(t, "--drain-timeout=50ms")
	cut := make(chan error, 1)
	go func() {
		_, _, _, err := fetch(r.client, r.echo+"/?delay=10s")
		cut <- err
	}()
	eventually(t, "the request is under way", func() bool { return r.service.limiter.Stats().TrackedClients > 0 })
	r.end()
	err := r.ended()
	if err == nil || !strings.Contains(err.Error(), "HTTP: requests were cut off after 50ms") {
		t.Errorf("ended with %v", err)
	}
	// Told already; for the test's end it is no failure.
	if again := <-r.done; again == nil {
		t.Error("the failure was not kept")
	}
	r.done <- nil
	if err := <-cut; err == nil {
		t.Error("the request was answered")
	}
}

// Nothing stays open when the start fails half-way.
func TestFailedStartLeavesNothing(t *testing.T) {
	first := launch(t)
	c, err := ParseConfig([]string{"--http-addr=127.0.0.1:0", "--admin-addr", first.service.admin.listener.Addr().String(), "--redis-url=redis://127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newService(t.Context(), c, slog.New(slog.DiscardHandler))
	var unusable *StartError
	if err == nil || errors.As(err, &unusable) || !strings.Contains(err.Error(), "admin address") {
		t.Errorf("got %v, want a failure to listen", err)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(runAsEcho) != "" {
		main()
		return
	}
	redisstore.LogClient(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
