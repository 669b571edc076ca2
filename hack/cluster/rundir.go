package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// The name becomes a network namespace, a cgroup and part of socket paths, which may have 107 bytes at most.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

const (
	backendProcesses = "processes"
	backendKind      = "kind"
)

// runDir holds everything that one cluster writes, so that removing it removes the cluster's state.
type runDir struct {
	name string
	root string
}

// cacheRoot is where this project may keep files of its own.
func cacheRoot() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for this user (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return filepath.Join(base, "echo-operator"), nil
}

// newRunDir names the cluster's directory without making it.
func newRunDir(name string) (runDir, error) {
	if !validName.MatchString(name) {
		return runDir{}, fmt.Errorf("cluster name %q: use 1 to 32 lower-case letters, digits and inner dashes", name)
	}
	cache, err := cacheRoot()
	if err != nil {
		return runDir{}, err
	}
	return runDir{name: name, root: filepath.Join(cache, "run", name)}, nil
}

func (r runDir) path(elem ...string) string {
	return filepath.Join(append([]string{r.root}, elem...)...)
}

func (r runDir) bin(name string) string     { return r.path("bin", name) }
func (r runDir) log(name string) string     { return r.path("logs", name+".log") }
func (r runDir) kubeconfig() string         { return r.path("admin.kubeconfig") }
func (r runDir) containerdSocket() string   { return r.path("containerd.sock") }
func (r runDir) netns() string              { return filepath.Join(netnsDir, r.name) }
func (r runDir) exists() bool               { return exists(r.root) }
func (r runDir) complete() bool             { return exists(r.path("ready")) }
func (r runDir) note(name string) string    { return readNote(r.path(name)) }
func (r runDir) backend() string            { return r.note("backend") }
func (r runDir) write(n, text string) error { return os.WriteFile(r.path(n), []byte(text), 0o600) }

// cgroup tells apart clusters of one name in different cache directories: everything in it is killed by `down`.
func (r runDir) cgroup() string {
	sum := sha256.Sum256([]byte(r.root))
	return "/cluster-" + r.name + "-" + hex.EncodeToString(sum[:4])
}

// create makes the directory with the sub-directories that the components expect.
func (r runDir) create(backend string) error {
	for _, dir := range []string{"", "logs", "cni", "images", "loaded"} {
		if err := os.MkdirAll(r.path(dir), 0o700); err != nil {
			return err
		}
	}
	return r.write("backend", backend)
}

// mustBeUp is for the verbs that need a running cluster.
func (r runDir) mustBeUp() error {
	if !r.complete() {
		return fmt.Errorf("cluster %q is not up: run `go run ./hack/cluster up --name %s` first", r.name, r.name)
	}
	return nil
}

// lock keeps two verbs from changing one cluster at a time. The file lies beside the directory, which `down` removes.
func (r runDir) lock(ctx context.Context, log *progress) (func(), error) {
	return lockFile(ctx, r.root+".lock", log, "cluster "+r.name)
}

// lockFile waits for an exclusive lock. The kernel frees it when its holder ends, however that happens.
func lockFile(ctx context.Context, path string, log *progress, what string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	release := func() { _ = f.Close() }
	take := func(context.Context) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if err := take(ctx); err == nil {
		return release, nil
	} else if !errors.Is(err, syscall.EWOULDBLOCK) {
		release()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	err = log.during("waiting for another run that works on "+what, func() error {
		return gate{what: "the lock " + path, within: 30 * time.Minute, check: take}.wait(ctx)
	})
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readNote reads a small state file; one that is missing reads as empty.
func readNote(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// removeIfThere removes a file or an empty directory, which may be gone already.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
