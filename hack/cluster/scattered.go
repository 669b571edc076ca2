package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Places outside of the run directory that have no setting. Each entry in them tells whose it is.
const (
	containerLogLinks = "/var/log/containers"  // the kubelet's: links into podLogsDir
	cniResults        = "/var/lib/cni/results" // libcni's: NETWORK-CONTAINER-INTERFACE
	shimSockets       = "/run/containerd/s"    // the shims': named by a hash
)

// removeScattered removes this cluster's entries in those places, and then the places if nothing else is in them.
func (r runDir) removeScattered() error {
	return errors.Join(
		removeEntries(containerLogLinks, func(path string) bool {
			target, err := os.Readlink(path)
			return err == nil && strings.HasPrefix(target, r.root+"/")
		}),
		removeEntries(cniResults, isCNIResultOf(r.name)),
		removeEntries(shimSockets, r.isOwnSocket()),
		removeIfEmpty(containerLogLinks, cniResults, filepath.Dir(cniResults), shimSockets, filepath.Dir(shimSockets)),
	)
}

func removeEntries(dir string, ours func(path string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // never made
	}
	var failed error
	for _, entry := range entries {
		if path := filepath.Join(dir, entry.Name()); ours(path) {
			failed = errors.Join(failed, removeIfThere(path))
		}
	}
	return failed
}

// removeIfEmpty removes the directories, in the order given, in which nothing is left.
func removeIfEmpty(dirs ...string) error {
	for _, dir := range dirs {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			continue
		}
		if err := removeIfThere(dir); err != nil {
			return err
		}
	}
	return nil
}

// isCNIResultOf matches whole names, so that cluster "a" does not own the results of cluster "a-b".
func isCNIResultOf(network string) func(path string) bool {
	name := regexp.MustCompile("^" + regexp.QuoteMeta(network) + "-[0-9a-f]{64}-[a-z0-9]+$")
	return func(path string) bool { return name.MatchString(filepath.Base(path)) }
}

// isOwnSocket asks the records that containerd keeps of every shim; a shim that was killed leaves its socket.
func (r runDir) isOwnSocket() func(path string) bool {
	own := map[string]bool{}
	records, _ := filepath.Glob(r.path("state", "io.containerd.runtime.v2.task", "*", "*", "bootstrap.json")) // the pattern is right
	for _, record := range records {
		var shim struct{ Address string }
		if text, err := os.ReadFile(record); err == nil && json.Unmarshal(text, &shim) == nil {
			own[strings.TrimPrefix(shim.Address, "unix://")] = true
		}
	}
	return func(path string) bool { return own[path] }
}
