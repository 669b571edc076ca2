package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	redisImage  = "echo-operator/redis:dev"
	redisServer = "/usr/bin/redis-server"
)

// fileFlags collects --file SRC=DST.
type fileFlags []imageFile

// String is what the flag package prints as the default.
func (f *fileFlags) String() string { return "" }

// Set reads one SRC=DST.
func (f *fileFlags) Set(text string) error {
	source, target, ok := strings.Cut(text, "=")
	if !ok || source == "" || !path.IsAbs(target) || path.Clean(target) != target {
		return fmt.Errorf("%q is not SOURCE=/CLEAN/ABSOLUTE/TARGET", text)
	}
	*f = append(*f, imageFile{source, target})
	return nil
}

func imageVerb(c *command) func(context.Context) error {
	var spec imageSpec
	var files fileFlags
	c.flags.StringVar(&spec.name, "name", "", "name of the image, such as echo-operator/echo:dev")
	c.flags.StringVar(&spec.entrypoint, "entrypoint", "", "program that a container runs")
	c.flags.StringVar(&spec.user, "user", unprivileged, "user and group that it runs as")
	c.flags.Var(&files, "file", "SOURCE=TARGET, once for each file")
	out := c.flags.String("out", "", "archive to write")
	return func(context.Context) error {
		spec.files = files
		if spec.name == "" || *out == "" || spec.entrypoint == "" || len(files) == 0 {
			return errors.New("image needs --name, --out, --entrypoint and at least one --file")
		}
		return writeImageFile(*out, spec)
	}
}

func imageRedisVerb(c *command) func(context.Context) error {
	name := c.flags.String("name", redisImage, "name of the image")
	out := c.flags.String("out", "", "archive to write")
	return func(ctx context.Context) error {
		if *out == "" {
			return errors.New("image-redis needs --out")
		}
		spec, err := redisSpec(ctx, *name)
		if err != nil {
			return err
		}
		return writeImageFile(*out, spec)
	}
}

// redisSpec packs the machine's redis-server, redis-cli, and the shared libraries that they load.
func redisSpec(ctx context.Context, name string) (imageSpec, error) {
	spec := imageSpec{name: name, entrypoint: redisServer, user: unprivileged}
	if runtime.GOOS != "linux" {
		return spec, fmt.Errorf("redis-server can only be packed on Linux: pull an image with Docker, "+
			"tag it %s and load it with `kind load docker-image`", name)
	}
	var libraries []string
	for target, required := range map[string]bool{redisServer: true, "/usr/bin/redis-cli": false} {
		program := findCommand(path.Base(target))
		if program == "" && required {
			return spec, fmt.Errorf("no %s on this machine: run `go run ./hack/cluster packages`, "+
				"or install the Debian package redis-server", path.Base(target))
		}
		if program == "" {
			continue
		}
		// Debian's redis-server is a link to another name, and Redis decides by its name what to do.
		spec.files = append(spec.files, imageFile{program, target})
		listed, err := output(exec.CommandContext(ctx, "ldd", program))
		if err != nil {
			return spec, err
		}
		libraries = append(libraries, parseLdd(listed)...)
	}
	slices.Sort(libraries)
	for _, library := range slices.Compact(libraries) {
		spec.files = append(spec.files, imageFile{library, library})
	}
	return spec, nil
}

// parseLdd picks the files out of what ldd prints, the interpreter among them. The kernel's own object has no file.
func parseLdd(text string) []string {
	var files []string
	for line := range strings.Lines(text) {
		for field := range strings.FieldsSeq(line) {
			if filepath.IsAbs(field) {
				files = append(files, filepath.Clean(field))
				break
			}
		}
	}
	return files
}
