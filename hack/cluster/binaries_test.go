package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func always(string) bool { return true }
func never(string) bool  { return false }

func TestLacking(t *testing.T) {
	if left := lacking(groups(), always, always); len(left) != 0 {
		t.Errorf("everything is there, and yet %v is lacking", left)
	}
	if left := lacking(groups(), always, never); len(left) != len(groups()) {
		t.Errorf("nothing is there, and only %v is lacking", left)
	}
	wanted, err := selection("envtest")
	if err != nil {
		t.Fatal(err)
	}
	left := lacking(groups(), wanted, func(name string) bool { return name == "etcd" })
	var programs []string
	for _, g := range left {
		for _, b := range g.binaries {
			programs = append(programs, b.name)
		}
	}
	if !slices.Equal(programs, []string{"kube-apiserver", "kubectl"}) {
		t.Errorf("lacking for envtest: %v", programs)
	}
	if _, err := selection("everything"); err == nil {
		t.Error("an unknown set was accepted")
	}
}

func TestKubernetesVersion(t *testing.T) {
	for _, text := range []string{"require k8s.io/kubernetes v1.37.2 // indirect\n", "require (\n\tk8s.io/kubernetes v1.37.2\n)\n"} {
		if got, err := kubernetesVersion(text); err != nil || got != "v1.37.2" {
			t.Errorf("version of %q = %q, %v", text, got, err)
		}
	}
	if _, err := kubernetesVersion("require k8s.io/api v0.37.2\n"); err == nil {
		t.Error("a module file without Kubernetes has a version")
	}
}

// The module files in the repository must name every program as a tool, or `go mod tidy` drops what it needs.
func TestModulesNameTheirPrograms(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups() {
		if g.dir == "." {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, g.dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range g.binaries {
			if !slices.Contains(strings.Fields(string(text)), b.pkg) {
				t.Errorf("%s/go.mod has no tool %s", g.dir, b.pkg)
			}
		}
	}
}

func TestVersionFlags(t *testing.T) {
	flags := versionFlags("v1.37.2")
	for _, want := range []string{"gitVersion=v1.37.2", "gitMajor=1", "gitMinor=37"} {
		if !strings.Contains(flags, "version."+want) {
			t.Errorf("flags %q lack %s", flags, want)
		}
	}
}

func TestExecutableName(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":                   "server",
		"k8s.io/kubernetes/cmd/kubelet":               "kubelet",
		"github.com/containerd/containerd/v2/cmd/ctr": "ctr",
		"example.com/vault":                           "vault",
	} {
		if got := executableName(pkg); got != want {
			t.Errorf("%s: %s, want %s", pkg, got, want)
		}
	}
}

func TestFingerprintFollowsItsInputs(t *testing.T) {
	root := t.TempDir()
	for _, g := range groups() {
		for _, file := range []string{"go.mod", "go.sum"} {
			writeFile(t, filepath.Join(root, g.dir, file), g.dir, 0o644)
		}
	}
	writeFile(t, filepath.Join(root, "hack/cluster/pause/main.go"), "package main", 0o644)
	key := func(extra string) string {
		t.Helper()
		got, err := fingerprint(root, extra)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := key("go1")
	if first != key("go1") {
		t.Error("the fingerprint is not stable")
	}
	if first == key("go2") {
		t.Error("another compiler has the same fingerprint")
	}
	writeFile(t, filepath.Join(root, "go.mod"), "the project's own dependencies", 0o644)
	if first != key("go1") {
		t.Error("the project's own module file changes the fingerprint")
	}
	writeFile(t, filepath.Join(root, "hack/cluster/binaries/coredns/go.sum"), "other", 0o644)
	if first == key("go1") {
		t.Error("another pinned module has the same fingerprint")
	}
}
