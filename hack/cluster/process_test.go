package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 1 2 3"
	for name, text := range map[string]string{
		"plain":                "10 (etcd)" + rest,
		"blanks and brackets":  "10 (a b) R 9 (c)" + rest,
		"looks like the state": "10 () Z ()" + rest,
	} {
		state, ticks, err := parseStat(text)
		if err != nil || state != 'S' || ticks != 987654 {
			t.Errorf("%s: state %c, ticks %d, err %v", name, state, ticks, err)
		}
	}
	for _, bad := range []string{"", "10 etcd S 1", "10 (etcd) S 1 2", "10 (etcd)" + strings.Replace(rest, "987654", "soon", 1)} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestRecordsSurviveARoundTrip(t *testing.T) {
	want := []process{{"etcd", 100, 5}, {"kubelet", 101, 1 << 40}}
	var text strings.Builder
	for _, p := range want {
		text.WriteString(p.record())
	}
	if got := parseRecords(text.String()); !slices.Equal(got, want) {
		t.Errorf("records = %v, want %v", got, want)
	}
}

func TestBadRecordsAreSkipped(t *testing.T) {
	// Init and the whole group must never be hit by a bad file; a last line without an end may lack digits.
	const text = "1 5 init\n-1 5 all\n0 5 group\nx 5 y\n7 y z\n8 5\n\n9 5 good\n10 55 cut"
	if got, want := parseRecords(text), []process{{"good", 9, 5}}; !slices.Equal(got, want) {
		t.Errorf("records = %v, want %v", got, want)
	}
}

func TestAliveTellsAReusedIdApart(t *testing.T) {
	_, ticks, err := readStat(os.Getpid())
	if err != nil {
		t.Skip("no /proc on this system")
	}
	self := process{name: "self", pid: os.Getpid(), started: ticks}
	if !self.alive() {
		t.Error("this process counts as ended")
	}
	self.started--
	if self.alive() {
		t.Error("a process that had this id before counts as this one")
	}
}

func TestZombieIsNotAlive(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	p, ok := identify(cmd.Process.Pid)
	if !ok {
		t.Skip("no /proc on this system")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := gate{what: "the process to end", within: 5 * time.Second, every: time.Millisecond, check: func(context.Context) error {
		if p.alive() {
			return syscall.EBUSY
		}
		return nil
	}}.wait(context.Background())
	if err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

func TestHasMarker(t *testing.T) {
	environ := []byte("A=1\x00" + markerVariable + "=/run/ab\x00B=2\x00")
	if !hasMarker(environ, "/run/ab") {
		t.Error("the marker was not found")
	}
	for _, other := range []string{"/run/a", "/run/abc", ""} {
		if hasMarker(environ, other) {
			t.Errorf("a process of /run/ab counts as one of %q", other)
		}
	}
}

func TestStopAllEndsRecordedAndMarkedProcesses(t *testing.T) {
	r := runDir{name: "test", root: t.TempDir()}
	if !exists("/proc/self/stat") {
		t.Skip("no /proc on this system")
	}
	recorded, marked, foreign := exec.Command("sleep", "60"), exec.Command("sleep", "60"), exec.Command("sleep", "60")
	marked.Env = append(os.Environ(), markerVariable+"="+r.root)
	ended := make(chan *exec.Cmd, 3)
	for _, cmd := range []*exec.Cmd{recorded, marked, foreign} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = cmd.Wait(); ended <- cmd }()
	}
	p, _ := identify(recorded.Process.Pid)
	reused, _ := identify(foreign.Process.Pid)
	reused.started++ // a record of an earlier process with the same id
	for _, record := range []process{p, reused} {
		if err := r.remember(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.stopAll(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if left := r.running(nil); len(left) != 0 {
		t.Errorf("still running: %v", left)
	}
	for range 2 {
		if cmd := <-ended; cmd == foreign {
			t.Error("a process that does not belong to the cluster was ended")
		}
	}
	_ = foreign.Process.Kill()
}

func TestOverlay(t *testing.T) {
	got := overlay([]string{"A=1", "PATH=/bin", "B=2"}, "PATH=/x:/bin", "C=3")
	if want := []string{"A=1", "B=2", "PATH=/x:/bin", "C=3"}; !slices.Equal(got, want) {
		t.Errorf("overlay = %v, want %v", got, want)
	}
}

func TestRunDirNames(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, good := range []string{"echo-operator", "a", "e2e-2"} {
		if r, err := newRunDir(good); err != nil || filepath.Base(r.root) != good {
			t.Errorf("%q: %v, %v", good, r, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "A", "a/b", "..", "a_b", strings.Repeat("a", 33)} {
		if _, err := newRunDir(bad); err == nil {
			t.Errorf("name %q was accepted", bad)
		}
	}
}
