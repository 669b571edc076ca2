package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clusterCgroups gives the cluster's own directory in every mounted cgroup hierarchy. The kubelet puts all pods
// below it, so whatever is found there is this cluster's and nobody else's.
func clusterCgroups(all []mount, cgroup string) []string {
	var dirs []string
	for _, m := range all {
		if m.kind != "cgroup" && m.kind != "cgroup2" {
			continue
		}
		if dir := filepath.Join(m.point, cgroup); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// makeCgroups makes the directories; the kubelet does not start without its root in every hierarchy.
func makeCgroups(dirs []string) error {
	if len(dirs) == 0 {
		return errors.New("no cgroup hierarchy is mounted: the kubelet needs one at /sys/fs/cgroup")
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making the cluster's cgroup: %w", err)
		}
		if err := delegate(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// delegate lets children of a cgroup v2 use the controllers that pods need. In v1 there is nothing to do: every
// hierarchy is a controller. In a hybrid set-up the v2 hierarchy has no controllers, and none is asked for.
func delegate(parent string) error {
	available := strings.Fields(readNote(filepath.Join(parent, "cgroup.controllers")))
	for _, controller := range []string{"cpuset", "cpu", "memory", "pids"} {
		if !slices.Contains(available, controller) {
			continue
		}
		if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("giving %s to the cluster's cgroup: %w", controller, err)
		}
	}
	return nil
}

// cgroupPids lists the processes in the directories and below.
func cgroupPids(dirs []string) []int {
	var pids []int
	for _, dir := range dirs {
		for _, sub := range cgroupTree(dir) {
			for field := range strings.FieldsSeq(readNote(filepath.Join(sub, "cgroup.procs"))) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// removeCgroups removes the directories, children first. The kernel may need a moment after the last process.
func removeCgroups(ctx context.Context, dirs []string) error {
	return gate{what: "the cluster's cgroups to go", within: 10 * time.Second, every: 50 * time.Millisecond,
		check: func(context.Context) error {
			var failed error
			for _, dir := range dirs {
				for _, sub := range slices.Backward(cgroupTree(dir)) {
					failed = errors.Join(failed, removeIfThere(sub))
				}
			}
			return failed
		}}.wait(ctx)
}

// cgroupTree gives a cgroup and all below it, parents first. One that vanishes while it is read is left out.
func cgroupTree(dir string) []string {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}
