package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Places outside of the run directory that have no setting. Each entry in them tells whose it is.
const (
	containerLogLinks = "/var/log/containers"  // the kubelet's: links into podLogsDir
	cniResults        = "/var/lib/cni/results" // libcni's: what each plugin did, with the namespace it did it in
	shimSockets       = "/run/containerd/s"    // the shims': named by a hash
)

// deviceSocket is where every kubelet listens for device plugins. Its path has no setting and says nothing of whose
// it is, so it is noted when there was none before.
const deviceSocket = "/var/lib/kubelet/device-plugins/kubelet.sock"

const madeDeviceSocket = "made-device-socket"

// noteScattered is called before the first component starts.
func (r runDir) noteScattered() error {
	if exists(deviceSocket) {
		return nil
	}
	return r.write(madeDeviceSocket, "yes")
}

// removeScattered removes this cluster's entries in those places, and then the places if nothing else is in them.
func (r runDir) removeScattered() error {
	var device error
	if r.note(madeDeviceSocket) != "" {
		device = errors.Join(removeIfThere(deviceSocket), removeIfEmpty(parents(deviceSocket, 2)...))
	}
	return errors.Join(
		device,
		removeEntries(containerLogLinks, func(path string) bool {
			target, err := os.Readlink(path)
			return err == nil && strings.HasPrefix(target, r.root+"/")
		}),
		removeEntries(cniResults, r.isOwnResult),
		removeEntries(shimSockets, r.isOwnSocket()),
		removeIfEmpty(containerLogLinks, cniResults, filepath.Dir(cniResults), shimSockets, filepath.Dir(shimSockets)),
	)
}

// parents gives the directories above a path, the nearest first.
func parents(path string, count int) []string {
	dirs := make([]string, 0, count)
	for range count {
		path = filepath.Dir(path)
		dirs = append(dirs, path)
	}
	return dirs
}

func removeEntries(dir string, ours func(path string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil //nolint:nilerr // never made
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

// isOwnResult looks for the pods' network namespaces, which lie in the run directory.
func (r runDir) isOwnResult(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(text), `"`+r.root+"/")
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
