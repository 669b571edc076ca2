package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const modulePath = "github.com/echo-operator/echo-operator"

// binary is one program and the package that it is built from.
type binary struct {
	name, pkg string
}

// group is a Go module whose go.mod and go.sum pin a set of programs.
type group struct {
	dir      string // below the repository's root
	binaries []binary
}

// groups lists everything that is built. The programs that envtest needs come first, because they are also asked
// for alone.
func groups() []group {
	kubernetes := []binary{{"etcd", "go.etcd.io/etcd/server/v3"}}
	for _, name := range []string{"kube-apiserver", "kubectl", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		kubernetes = append(kubernetes, binary{name, "k8s.io/kubernetes/cmd/" + name})
	}
	var containerd []binary
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		containerd = append(containerd, binary{name, "github.com/containerd/containerd/v2/cmd/" + name})
	}
	return []group{
		{"hack/cluster/binaries/kubernetes", kubernetes},
		{"hack/cluster/binaries/containerd", containerd},
		{"hack/cluster/binaries/coredns", []binary{{"coredns", "github.com/coredns/coredns"}}},
		{".", []binary{{"pause", modulePath + "/hack/cluster/pause"}}},
	}
}

// selections are the sets that can be asked for by name.
func selection(only string) (func(name string) bool, error) {
	switch only {
	case "":
		return func(string) bool { return true }, nil
	case "envtest":
		wanted := []string{"etcd", "kube-apiserver", "kubectl"}
		return func(name string) bool { return slices.Contains(wanted, name) }, nil
	default:
		return nil, fmt.Errorf("--only %q: the only set there is, is envtest", only)
	}
}

// lacking gives the groups cut down to the programs that are wanted and not there yet.
func lacking(all []group, wanted, there func(name string) bool) []group {
	var cut []group
	for _, g := range all {
		left := slices.DeleteFunc(slices.Clone(g.binaries), func(b binary) bool { return !wanted(b.name) || there(b.name) })
		if len(left) > 0 {
			cut = append(cut, group{g.dir, left})
		}
	}
	return cut
}

func binariesVerb(c *command) func(context.Context) error {
	only := c.flags.String("only", "", "build only this set: envtest (kube-apiserver, etcd, kubectl)")
	return func(ctx context.Context) error {
		dir, err := ensureBinaries(ctx, c.log, *only)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, dir)
		return err
	}
}

// ensureBinaries builds what is missing and gives the directory. A program appears there complete or not at all,
// and what an interrupted run has finished is kept.
func ensureBinaries(ctx context.Context, log *progress, only string) (string, error) {
	wanted, err := selection(only)
	if err != nil {
		return "", err
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	b, err := newBuilder(ctx, root, log)
	if err != nil {
		return "", err
	}
	there := func(name string) bool { return exists(filepath.Join(b.dir, "bin", name)) }
	if len(lacking(groups(), wanted, there)) == 0 {
		return filepath.Join(b.dir, "bin"), nil
	}
	unlock, err := lockFile(ctx, filepath.Join(b.dir, "lock"), log, "the binaries")
	if err != nil {
		return "", err
	}
	defer unlock()
	for _, g := range lacking(groups(), wanted, there) { // asked again: another run may just have built them
		if err := b.build(ctx, g); err != nil {
			return "", err
		}
	}
	return filepath.Join(b.dir, "bin"), nil
}

// repositoryRoot looks upwards from the working directory, so that every verb works anywhere in the checkout.
func repositoryRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "hack/cluster/binaries/kubernetes/go.mod")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of %s: change into one", start, modulePath)
		}
	}
}

var kubernetesRequirement = regexp.MustCompile(`(?m)^\s*(?:require )?k8s\.io/kubernetes (v[0-9]+\.[0-9]+\.[0-9]+\S*)`)

// kubernetesVersion reads the version from the module file that pins it.
func kubernetesVersion(goMod string) (string, error) {
	found := kubernetesRequirement.FindStringSubmatch(goMod)
	if found == nil {
		return "", errors.New("hack/cluster/binaries/kubernetes/go.mod requires no version of k8s.io/kubernetes")
	}
	return found[1], nil
}

// fingerprint hashes everything that decides what the programs are: the pinned modules, the Go version and the
// build's own flags.
func fingerprint(root string, extra ...string) (string, error) {
	hash := sha256.New()
	for _, g := range groups() {
		files := []string{"go.mod", "go.sum"}
		if g.dir == "." { // pause needs no module, and must not be built anew whenever the project's own change
			files = []string{"hack/cluster/pause/main.go"}
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(root, g.dir, file))
			if err != nil {
				return "", err
			}
			_, _ = fmt.Fprintf(hash, "%s %d\n%s", filepath.Join(g.dir, file), len(text), text) // a hash never fails
		}
	}
	_, _ = io.WriteString(hash, strings.Join(extra, "\n"))
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func goVersion(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = dir
	return output(cmd)
}
