package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const someMounts = `proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
overlay /r/a/state/rootfs overlay rw 0 0
tmpfs /r/a/kubelet/with\040blank tmpfs rw 0 0
tmpfs /r/ab tmpfs rw 0 0
nsfs /r/a/state/rootfs/deep nsfs rw 0 0
short line
`

func TestMountsUnder(t *testing.T) {
	want := []string{"/r/a/state/rootfs/deep", "/r/a/kubelet/with blank", "/r/a/state/rootfs"}
	for _, dir := range []string{"/r/a", "/r/a/"} {
		if got := mountsUnder(parseMounts(someMounts), dir); !slices.Equal(got, want) {
			t.Errorf("mounts under %s = %v, want %v", dir, got, want)
		}
	}
}

func TestClusterCgroups(t *testing.T) {
	want := []string{"/sys/fs/cgroup/cpu/cluster-x", "/sys/fs/cgroup/unified/cluster-x"}
	if got := clusterCgroups(parseMounts(someMounts), "/cluster-x"); !slices.Equal(got, want) {
		t.Errorf("cgroups = %v, want %v", got, want)
	}
}

func TestMissingPackages(t *testing.T) {
	all := []requirement{
		{pkg: "runc", commands: []string{"runc"}},
		{pkg: "plugins", plugins: []string{"bridge", "host-local"}},
		{pkg: "iproute2", commands: []string{"ip"}},
	}
	is := func(names ...string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	left := missing(all, host{command: is("ip"), plugin: is("bridge")})
	if len(left) != 2 || left[0].pkg != "runc" || !slices.Equal(left[1].plugins, []string{"host-local"}) {
		t.Fatalf("missing = %+v", left)
	}
	text := explain(left)
	for _, part := range []string{"runc (Debian package runc)", "CNI plugins host-local (Debian package plugins)",
		"apt-get install --yes --no-install-recommends runc plugins"} {
		if !strings.Contains(text, part) {
			t.Errorf("the explanation lacks %q:\n%s", part, text)
		}
	}
	if left := missing(all, host{command: is("ip", "runc"), plugin: is("bridge", "host-local")}); len(left) != 0 {
		t.Errorf("missing = %+v on a machine that has everything", left)
	}
}

func TestSysctlsToRestore(t *testing.T) {
	const saved = "kernel/panic 1\nvm/overcommit_memory 1\nkernel/panic_on_oops 0\nsomething/else 1\n"
	current := map[string]string{
		"kernel/panic":         "10", // as the kubelet set it
		"vm/overcommit_memory": "1",  // as it was
		"kernel/panic_on_oops": "7",  // changed by somebody else since
	}
	got := sysctlsToRestore(saved, func(key string) string { return current[key] })
	if len(got) != 1 || got["kernel/panic"] != "1" {
		t.Errorf("to restore: %v", got)
	}
}

func TestCNIResultsOfAnotherClusterAreForeign(t *testing.T) {
	dir := t.TempDir()
	r := runDir{name: "echo", root: "/cache/run/echo"}
	for name, c := range map[string]struct {
		netns string
		ours  bool
	}{
		"own":          {"/cache/run/echo/state/netns/cni-1", true},
		"longer name":  {"/cache/run/echo-operator/state/netns/cni-1", false},
		"other's root": {"/var/cache/run/echo/state/netns/cni-1", false},
	} {
		path := writeFile(t, filepath.Join(dir, name), `{"result":{"interfaces":[{"sandbox":"`+c.netns+`"}]}}`, 0o600)
		if got := r.isOwnResult(path); got != c.ours {
			t.Errorf("%s: ours is %v", name, got)
		}
	}
}

func TestOwnSockets(t *testing.T) {
	r := runDir{name: "test", root: t.TempDir()}
	writeFile(t, r.path("state/io.containerd.runtime.v2.task/k8s.io/abc/bootstrap.json"),
		`{"version":3,"address":"unix:///run/containerd/s/123","protocol":"ttrpc"}`, 0o600)
	ours := r.isOwnSocket()
	if !ours("/run/containerd/s/123") || ours("/run/containerd/s/124") {
		t.Error("the record of the shim was not followed")
	}
}

func TestRemoveIfEmptyKeepsWhatOthersUse(t *testing.T) {
	empty, used := filepath.Join(t.TempDir(), "empty"), t.TempDir()
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := writeFile(t, filepath.Join(used, "file"), "x", 0o600)
	if err := removeIfEmpty(empty, used, filepath.Join(used, "missing")); err != nil {
		t.Fatal(err)
	}
	if exists(empty) || !exists(kept) {
		t.Error("the wrong directory was removed")
	}
}
