package reload

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/echo-operator/echo-operator/echo/config"
)

// applied records what was put into force.
type applied struct {
	requests []int64
	fail     error
	failed   int
}

func (a *applied) apply(l *Loaded) error {
	if a.fail != nil {
		a.failed++
		return a.fail
	}
	a.requests = append(a.requests, l.File.Rules[0].Limit.Requests)
	return nil
}

// The first load puts the file into force and says what it is.
func TestFirstLoad(t *testing.T) {
	m, a := newMount(t, limits(10)), &applied{}
	w := New(m.path, a.apply)
	if s := w.Status(); s != (Status{}) {
		t.Errorf("before the first load the status is %+v", s)
	}
	if err := w.Load(); err != nil {
		t.Fatal(err)
	}
	s := w.Status()
	if len(a.requests) != 1 || a.requests[0] != 10 {
		t.Errorf("applied %v", a.requests)
	}
	file, err := config.Parse([]byte(limits(10)))
	if err != nil {
		t.Fatal(err)
	}
	limitsHash, err := config.LimitsHash(file)
	if err != nil {
		t.Fatal(err)
	}
	if s.Hash != config.Hash([]byte(limits(10))) || s.LimitsHash != limitsHash || s.Generation != 10 || s.LoadedAt.IsZero() || s.LastError != nil {
		t.Errorf("status %+v", s)
	}
}

// What cannot be loaded at first is an error that says what to mend, and reading
// never hangs on something that is not a file.
func TestFirstLoadRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing": {filepath.Join(dir, "missing.yaml"), "no such file"},
		"folder":  {dir, "is not a regular file"},
		"pipe":    {pipe, "is not a regular file"},
		"broken":  {write("broken.yaml", broken), "broken.yaml: line 4: rules[0].limit.requests: must be a whole number"},
		"large":   {write("large.yaml", strings.Repeat("#", config.MaxBytes+1)), "more than the 1048576 bytes allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := New(c.path, (&applied{}).apply)
			if err := w.Load(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Run returned %v, want %q", err, c.want)
			}
			if w.Status().Hash != "" {
				t.Errorf("something is in force: %+v", w.Status())
			}
		})
	}
	w := New(filepath.Join(dir, "missing.yaml"), (&applied{}).apply)
	if err := w.Load(); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "missing.yaml") != 1 {
		t.Errorf("got %v", err)
	}
	var invalid *config.InvalidError
	if err := New(filepath.Join(dir, "broken.yaml"), (&applied{}).apply).Load(); !errors.As(err, &invalid) {
		t.Errorf("got %T, want an *InvalidError inside", err)
	}
}

// A bad file, or one that apply refuses, leaves the last good one in force and is
// told once; the good bytes' return ends the complaint without another apply.
func TestBadFilesLeaveTheLastGoodOne(t *testing.T) {
	m, a, e := newMount(t, limits(10)), &applied{}, make(ends, 16)
	w := New(m.path, a.apply, WithObserver(e))
	w.look()
	e.wantLoaded(t, limits(10))

	m.publish(broken)
	for range 3 {
		if err := w.Load(); err == nil || !strings.Contains(err.Error(), "line 4") {
			t.Errorf("got %v", err)
		}
	}
	e.wantRefused(t)
	e.wantNothing(t)
	wantLastError(t, w, broken, "line 4: rules[0].limit.requests")
	if s := w.Status(); s.Generation != 10 || s.Hash != config.Hash([]byte(limits(10))) {
		t.Errorf("status %+v", s)
	}

	m.publish(limits(10))
	w.look()
	if s := w.Status(); s.LastError != nil {
		t.Errorf("the complaint stays: %+v", s.LastError)
	}
	e.wantNothing(t)

	a.fail = errors.New("no room")
	m.publish(limits(11))
	w.look()
	w.look()
	e.wantRefused(t)
	e.wantNothing(t)
	wantLastError(t, w, limits(11), "no room")
	if a.failed != 1 {
		t.Errorf("refused bytes were applied %d times", a.failed)
	}

	m.must(os.Remove(m.path))
	w.look()
	w.look()
	e.wantRefused(t)
	e.wantNothing(t)
	wantLastError(t, w, "", "no such file")
	m.must(os.Symlink(filepath.Join(dataLink, "limits.yaml"), m.path))

	a.fail = nil
	m.publish(limits(12))
	w.look()
	e.wantLoaded(t, limits(12))
	if len(a.requests) != 2 || a.requests[1] != 12 {
		t.Errorf("applied %v", a.requests)
	}
}

// The same bytes in a new file are no change.
func TestSameBytesAreNotLoadedAgain(t *testing.T) {
	m, a, e := newMount(t, limits(10)), &applied{}, make(ends, 16)
	w := New(m.path, a.apply, WithObserver(e))
	w.look()
	e.wantLoaded(t, limits(10))
	loadedAt := w.Status().LoadedAt
	m.publish(limits(10))
	w.look()
	e.wantNothing(t)
	if w.Status().LoadedAt != loadedAt || len(a.requests) != 1 {
		t.Errorf("loaded again: %+v, applied %v", w.Status(), a.requests)
	}
}

// A status is a copy, and a refusal's reason has a bound and whole characters.
func TestStatusIsBoundedAndACopy(t *testing.T) {
	m := newMount(t, limits(10))
	w := New(m.path, func(*Loaded) error { return errors.New(strings.Repeat("ä", 4096)) })
	w.look()
	s := w.Status()
	if n := len(s.LastError.Message); n > maxMessageBytes+3 || n < maxMessageBytes-3 || !strings.HasSuffix(s.LastError.Message, "ä...") {
		t.Errorf("the message has %d bytes", n)
	}
	s.LastError.Message = "changed"
	if w.Status().LastError.Message == "changed" {
		t.Error("a status shares its error with the watcher")
	}
}

// run starts the watcher and returns its observer after the first load.
func run(t *testing.T, path string, options ...Option) (*Watcher, ends) {
	t.Helper()
	e := make(ends, 64)
	w := New(path, (&applied{}).apply, append(options, WithObserver(e))...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	if got := e.next(t); got.hash == "" {
		t.Fatal("the first load failed")
	}
	return w, e
}

// A swapped ConfigMap is taken over each time because the operating system told
// of it: no poll comes to help.
func TestRunFollowsSwaps(t *testing.T) {
	m := newMount(t, limits(10))
	w, e := run(t, m.path, WithPollInterval(time.Hour))
	for i := range 20 {
		m.publish(limits(11 + i))
		e.wantLoaded(t, limits(11+i))
	}
	m.publish(broken)
	e.wantRefused(t)
	wantLastError(t, w, broken, "line 4")
	m.publish(limits(50))
	e.wantLoaded(t, limits(50))
	if s := w.Status(); s.LastError != nil || s.Generation != 50 {
		t.Errorf("status %+v", s)
	}
}

// A file that an editor replaces, or writes in place in two steps, is taken over
// when it has settled, again without a poll.
func TestRunFollowsEditors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.yaml")
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(path, limits(10))
	_, e := run(t, path, WithPollInterval(time.Hour))

	for i := range 5 {
		write(path+".new", limits(20+i))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		e.wantLoaded(t, limits(20+i))
	}

	whole := limits(12) + "store: {type: Memory}\n"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{limits(12), "store: {type: Memory}\n"} {
		if _, err := f.WriteString(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// On a machine that stalls between the steps the first part, a valid file, may
	// be loaded or refused before; the whole is what stays.
	for e.next(t).hash != config.Hash([]byte(whole)) {
	}
}

// Without news from the operating system the poll finds the change: here the
// file lies in another folder than the one that is watched.
func TestRunPolls(t *testing.T) {
	m := newMount(t, limits(10))
	link := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.Symlink(m.path, link); err != nil {
		t.Fatal(err)
	}
	_, e := run(t, link, WithPollInterval(10*time.Millisecond))
	m.publish(limits(11))
	e.wantLoaded(t, limits(11))
}

// A folder that vanishes leaves the limits in force; when it is back, its
// changes are followed as before.
func TestRunSurvivesAVanishingFolder(t *testing.T) {
	m := newMount(t, limits(10))
	w, e := run(t, m.path, WithPollInterval(10*time.Millisecond))
	gone := m.dir + ".gone"
	m.must(os.Rename(m.dir, gone))
	e.wantRefused(t)
	wantLastError(t, w, "", "no such file")
	if w.Status().Generation != 10 {
		t.Errorf("status %+v", w.Status())
	}
	m.create(limits(11))
	for e.next(t).hash != config.Hash([]byte(limits(11))) {
	}
	m.publish(limits(12))
	e.wantLoaded(t, limits(12))
	if s := w.Status(); s.LastError != nil {
		t.Errorf("the complaint stays: %+v", s.LastError)
	}
}

// A watch that was lost with its folder is made again once the folder is back,
// so that changes are told and need no poll.
func TestNotifierWatchesAgain(t *testing.T) {
	m := newMount(t, limits(10))
	var log bytes.Buffer
	n := notifier{dir: m.dir, watcher: New(m.path, (&applied{}).apply, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))}
	defer n.close()
	n.ensure()
	m.must(os.RemoveAll(m.dir))
	awaitEvent(t, &n, func() bool { return len(n.fs.WatchList()) == 0 })
	n.ensure()
	n.ensure()
	if got := strings.Count(log.String(), "cannot watch"); got != 1 {
		t.Errorf("a missing folder is told %d times:\n%s", got, log.String())
	}
	m.create(limits(10))
	n.ensure()
	m.publish(limits(11))
	seen := false
	awaitEvent(t, &n, func() bool { return seen }, func(name string) { seen = seen || filepath.Base(name) == dataLink })
}

// awaitEvent reads events until the condition holds.
func awaitEvent(t *testing.T, n *notifier, holds func() bool, see ...func(name string)) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case event := <-n.events():
			for _, f := range see {
				f(event.Name)
			}
		case err := <-n.errors():
			t.Fatal(err)
		case <-deadline:
			t.Fatal("no event in time")
		}
	}
}

// The metrics count what the watcher does and name the one file in force.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	metrics, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	const help = `# HELP ratelimit_config_reloads_total Limits files read, the first included, by result: success or error.
# TYPE ratelimit_config_reloads_total counter
`
	compare := func(want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	compare(help + `ratelimit_config_reloads_total{result="error"} 0
ratelimit_config_reloads_total{result="success"} 0
`)
	m := newMount(t, limits(10))
	w := New(m.path, (&applied{}).apply, WithObserver(metrics))
	w.look()
	m.publish(broken)
	w.look()
	m.publish(limits(12))
	w.look()
	compare(`# HELP ratelimit_config_info 1 for the limits file in force, by the hash of its bytes and its policy's generation.
# TYPE ratelimit_config_info gauge
ratelimit_config_info{generation="12",hash="` + config.Hash([]byte(limits(12))) + `"} 1
` + help + `ratelimit_config_reloads_total{result="error"} 1
ratelimit_config_reloads_total{result="success"} 2
`)
	if _, err := NewMetrics(registry); err == nil {
		t.Error("registered twice")
	}
}

// The log tells of each change once, with the hash and the reason.
func TestLog(t *testing.T) {
	m := newMount(t, limits(10))
	var log bytes.Buffer
	w := New(m.path, (&applied{}).apply, WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
	for _, content := range []string{limits(10), broken, limits(10)} {
		m.publish(content)
		w.look()
		w.look()
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), log.String())
	}
	for i, want := range []string{"limits loaded", "line 4: rules[0]", "again the one in force"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %s, want %q", i, lines[i], want)
		}
	}
}
