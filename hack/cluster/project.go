package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
		root, err := repositoryRoot()
		if err != nil {
			return err
		}
		return withCluster(ctx, c, func(r runDir) error {
			if err := r.buildProject(ctx, c.log, root, *ldflags); err != nil {
				return err
			}
			images := []string{redisImage}
			for image, program := range projectImages() {
				if err := writeImageFile(r.archivePath(image), staticImage(image, r.path("project", program))); err != nil {
					return err
				}
				images = append(images, image)
			}
			if err := r.packRedis(ctx); err != nil {
				return err
			}
			for _, image := range images {
				if err := r.load(ctx, c.log, r.archivePath(image)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// buildProject builds all commands in one run of the compiler, as static programs.
func (r runDir) buildProject(ctx context.Context, log *progress, root, ldflags string) error {
	out := r.path("project") + string(os.PathSeparator)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", out}
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

// packRedis packs the machine's Redis. Its libraries are Linux's, so elsewhere the image has to come from a registry.
func (r runDir) packRedis(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return errors.New(strings.Join([]string{"redis-server can only be packed on Linux: pull an image with Docker, tag it",
			redisImage, "and load it with `kind load docker-image`"}, " "))
	}
	spec, err := redisSpec(ctx, redisImage)
	if err != nil {
		return err
	}
	return writeImageFile(r.archivePath(redisImage), spec)
}
