package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopAll ends every process that belongs to the cluster: the recorded ones, those that carry its marker (the
// shims), and those in its cgroups (the containers). It looks again after each round, because a component may have
// started another process meanwhile. They are killed outright: what they would save is thrown away anyway.
func (r runDir) stopAll(ctx context.Context, cgroups []string) error {
	quiet := 0
	return gate{what: "the cluster's processes to end", within: 30 * time.Second, every: 50 * time.Millisecond,
		check: func(context.Context) error {
			left := r.running(cgroups)
			for _, p := range left {
				if p.alive() {
					_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have ended by itself just now
				}
			}
			if len(left) > 0 {
				quiet = 0
				return fmt.Errorf("%d still run: %s", len(left), names(left))
			}
			if quiet++; quiet < 2 { // a fork may have slipped between two parts of one scan
				return errors.New("looking a second time")
			}
			return nil
		}}.wait(ctx)
}

// running lists the live processes of the cluster, each once.
func (r runDir) running(cgroups []string) []process {
	found := map[int]process{}
	for _, p := range r.recorded() {
		if p.alive() {
			found[p.pid] = p
		}
	}
	for _, pid := range append(markedPids(r.root), cgroupPids(cgroups)...) {
		if _, known := found[pid]; known {
			continue
		}
		if p, ok := identify(pid); ok {
			found[pid] = p
		}
	}
	all := make([]process, 0, len(found))
	for _, p := range found {
		all = append(all, p)
	}
	return all
}

// identify describes a process that was found by its id.
func identify(pid int) (process, bool) {
	_, ticks, err := readStat(pid)
	p := process{name: readNote(filepath.Join("/proc", strconv.Itoa(pid), "comm")), pid: pid, started: ticks}
	return p, err == nil && p.alive()
}

// markedPids finds processes whose environment says that they belong to the cluster in root.
func markedPids(root string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && hasMarker(environ, root) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hasMarker looks for the whole entry, so that /x/run/a does not match the cluster in /x/run/ab.
func hasMarker(environ []byte, root string) bool {
	marker := []byte(markerVariable + "=" + root)
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(entry, marker) {
			return true
		}
	}
	return false
}

func names(all []process) string {
	texts := make([]string, 0, len(all))
	for _, p := range all {
		texts = append(texts, fmt.Sprintf("%s (%d)", p.name, p.pid))
	}
	return strings.Join(texts, ", ")
}
