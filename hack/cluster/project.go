package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// projectImages are the images that the demo and the end-to-end tests run: name and command.
func projectImages() map[string]string {
	return map[string]string{
		"echo-operator/manager:dev": "manager",
		"echo-operator/echo:dev":    "echo",
	}
}

func loadProjectVerb(c *command) func(context.Context) error {
	ldflags := c.flags.String("ldflags", "-s -w", "linker flags, such as the version")
	return func(ctx context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		if err := r.mustBeUp(); err != nil {
			return err // and not only after compiling
		}
		root, err := repositoryRoot()
		if err != nil {
			return err
		}
		scratch, err := os.MkdirTemp("", "echo-operator-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(scratch) }()
		// Compiling may take minutes, and the cluster is not needed for it: others may use it meanwhile.
		if err := buildProject(ctx, c.log, root, scratch, *ldflags); err != nil {
			return err
		}
		return withCluster(ctx, c, func(r runDir) error { return r.loadProject(ctx, c.log, scratch) })
	}
}

// loadProject packs what was built, and Redis, and imports the images.
func (r runDir) loadProject(ctx context.Context, log *progress, built string) error {
	redis, err := redisSpec(ctx, redisImage)
	if err != nil {
		return err
	}
	specs := []imageSpec{redis}
	for image, program := range projectImages() {
		specs = append(specs, staticImage(image, filepath.Join(built, program)))
	}
	for _, spec := range specs {
		archive := r.archivePath(spec.name)
		if err := writeImageFile(archive, spec); err != nil {
			return err
		}
		if err := r.load(ctx, log, archive); err != nil {
			return err
		}
	}
	return nil
}

// buildProject builds all commands in one run of the compiler, as static programs.
func buildProject(ctx context.Context, log *progress, root, out, ldflags string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", out + string(os.PathSeparator)}
	for _, program := range projectImages() {
		args = append(args, "./cmd/"+program)
		if !exists(filepath.Join(root, "cmd", program)) {
			return fmt.Errorf("there is no cmd/%s in %s to build an image of", program, root)
		}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	return log.during("building the project's commands", func() error { _, err := output(cmd); return err })
}
