package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// builder builds programs into a directory whose name says exactly what is in it.
type builder struct {
	root    string // of the repository
	dir     string // in the user's cache
	ldflags string
	log     *progress
}

func newBuilder(ctx context.Context, root string, log *progress) (*builder, error) {
	module := filepath.Join(root, "hack/cluster/binaries/kubernetes")
	text, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return nil, err
	}
	version, err := kubernetesVersion(string(text))
	if err != nil {
		return nil, err
	}
	compiler, err := goVersion(ctx, module)
	if err != nil {
		return nil, err
	}
	ldflags := versionFlags(version)
	key, err := fingerprint(root, compiler, ldflags)
	if err != nil {
		return nil, err
	}
	cache, err := cacheRoot()
	if err != nil {
		return nil, err
	}
	return &builder{root: root, dir: filepath.Join(cache, "kubernetes-"+version+"-"+key), ldflags: ldflags, log: log}, nil
}

// versionFlags tells the programs their version: built as modules they would call themselves v0.0.0-master.
func versionFlags(version string) string {
	const variable = "k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	flags := []string{"-s", "-w", "-X", variable + "gitVersion=" + version}
	if len(parts) == 3 {
		flags = append(flags, "-X", variable+"gitMajor="+parts[0], "-X", variable+"gitMinor="+parts[1])
	}
	return strings.Join(flags, " ")
}

// build compiles a group beside the final directory and moves the results in.
func (b *builder) build(ctx context.Context, g group) error {
	if err := os.MkdirAll(filepath.Join(b.dir, "bin"), 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(b.dir, "build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	args := []string{"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", b.ldflags, "-o", scratch + "/"}
	var built []string
	for _, p := range g.binaries {
		args = append(args, p.pkg)
		built = append(built, p.name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(b.root, g.dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if g.dir == "." {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0") // pause stands alone in its image
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err = b.log.during("building "+strings.Join(built, ", "), func() error { _, err := output(cmd); return err })
	if err != nil {
		return fmt.Errorf("building in %s: %w", g.dir, err)
	}
	for _, p := range g.binaries {
		if err := os.Rename(filepath.Join(scratch, executableName(p.pkg)), filepath.Join(b.dir, "bin", p.name)); err != nil {
			return err
		}
	}
	return nil
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// executableName is what `go build` calls the program of a package: its last element that is not a major version.
func executableName(pkg string) string {
	if name := path.Base(pkg); !majorVersion.MatchString(name) {
		return name
	}
	return path.Base(path.Dir(pkg))
}
