package main

// The same cluster from kind, for machines with a Docker engine. It was written from kind's documentation: the
// machine that this was developed on has no engine to run it with.

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

// dockerAnswers is quick to give up: a client without an engine must not delay anything.
func dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "info", "--format", "{{.ServerVersion}}")
	cmd.WaitDelay = time.Second
	version, err := output(cmd)
	return err == nil && strings.TrimSpace(version) != ""
}

// kind runs the version that the project pins. Its kubeconfig is always the cluster's own, never the caller's.
func (r runDir) kind(ctx context.Context, args ...string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "-modfile=hack/tools/go.mod", "kind"}, args...)...)
	cmd.Dir = root
	cmd.Env = overlay(os.Environ(), "KUBECONFIG="+r.kubeconfig())
	_, err = output(cmd)
	return err
}

func (r runDir) startKind(ctx context.Context, log *progress) error {
	if err := r.create(backendKind); err != nil {
		return err
	}
	return log.during("starting the cluster "+r.name+" with kind", func() error {
		return r.kind(ctx, "create", "cluster", "--name", r.name, "--kubeconfig", r.kubeconfig(), "--wait", "5m")
	})
}

func (r runDir) endKind(ctx context.Context) error {
	return r.kind(ctx, "delete", "cluster", "--name", r.name, "--kubeconfig", r.kubeconfig())
}

func (r runDir) loadKind(ctx context.Context, archive string) error {
	return r.kind(ctx, "load", "image-archive", archive, "--name", r.name)
}

// kindAnswers fails unless the API server in the node's container is ready.
func (r runDir) kindAnswers(ctx context.Context) error {
	return quiet(ctx, "docker", "exec", r.name+"-control-plane",
		"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "--raw", "/readyz")
}
