package reload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mount is a folder in which files change as in a mounted ConfigMap: complete
// files in a folder with a name of its own, and a link to it that is swapped.
type mount struct {
	t    *testing.T
	dir  string
	path string
	n    int
}

func newMount(t *testing.T, content string) *mount {
	t.Helper()
	m := &mount{t: t, dir: filepath.Join(t.TempDir(), "limits")}
	m.path = filepath.Join(m.dir, "limits.yaml")
	m.create(content)
	return m
}

// create makes the folder with its first content.
func (m *mount) create(content string) {
	m.t.Helper()
	m.must(os.Mkdir(m.dir, 0o755))
	m.publish(content)
	m.must(os.Symlink(filepath.Join(dataLink, "limits.yaml"), m.path))
}

func (m *mount) publish(content string) {
	m.t.Helper()
	old, _ := os.Readlink(filepath.Join(m.dir, dataLink))
	m.n++
	next := fmt.Sprintf("..2026_11_23_%04d", m.n)
	m.must(os.Mkdir(filepath.Join(m.dir, next), 0o755))
	m.must(os.WriteFile(filepath.Join(m.dir, next, "limits.yaml"), []byte(content), 0o644))
	m.must(os.Symlink(next, filepath.Join(m.dir, "..data_tmp")))
	m.must(os.Rename(filepath.Join(m.dir, "..data_tmp"), filepath.Join(m.dir, dataLink)))
	if old != "" {
		m.must(os.RemoveAll(filepath.Join(m.dir, old)))
	}
}

func (m *mount) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// limits is a valid file with that many requests.
func limits(requests int) string {
	return fmt.Sprintf(`version: 1
policy: {name: a, namespace: b, uid: c, generation: %d}
rules:
- name: a
  limit: {requests: %d, periodSeconds: 60}
`, requests, requests)
}

const broken = "version: 1\nrules:\n- name: a\n  limit: {requests: ten, periodSeconds: 60}\n"

// end is how a reload ended: the hash that was loaded, or "" for a refusal.
type end struct{ hash string }

// ends is an Observer whose events tests wait for.
type ends chan end

func (e ends) Loaded(hash string, _ int64) { e <- end{hash} }
func (e ends) Refused()                    { e <- end{} }

const patience = 20 * time.Second

// next waits for the next reload to end.
func (e ends) next(t *testing.T) end {
	t.Helper()
	select {
	case got := <-e:
		return got
	case <-time.After(patience):
		t.Fatal("no reload ended in time")
		return end{}
	}
}

func (e ends) wantLoaded(t *testing.T, content string) {
	t.Helper()
	if got := e.next(t); got.hash != config.Hash([]byte(content)) {
		t.Fatalf("the reload ended with %q, want the hash of\n%s", got.hash, content)
	}
}

func (e ends) wantRefused(t *testing.T) {
	t.Helper()
	if got := e.next(t); got.hash != "" {
		t.Fatalf("%s was loaded, want a refusal", got.hash)
	}
}

func (e ends) wantNothing(t *testing.T) {
	t.Helper()
	select {
	case got := <-e:
		t.Fatalf("a reload ended with %q, want none", got.hash)
	default:
	}
}

func wantLastError(t *testing.T, w *Watcher, content, message string) {
	t.Helper()
	e := w.Status().LastError
	if e == nil {
		t.Fatal("no last error")
	}
	wantHash := ""
	if content != "" {
		wantHash = config.Hash([]byte(content))
	}
	if e.Hash != wantHash || !strings.Contains(e.Message, message) {
		t.Fatalf("last error %+v, want hash %q and %q", *e, wantHash, message)
	}
}
