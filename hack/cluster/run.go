package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// quiet runs a command and gives what it wrote as the error when it fails.
func quiet(ctx context.Context, name string, args ...string) error {
	_, err := output(exec.CommandContext(ctx, name, args...))
	return err
}

// output runs a command and gives its standard output; when it fails the error says what it wrote.
func output(cmd *exec.Cmd) (string, error) {
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(diagnostics.String() + out.String())
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said)
	}
	return strings.TrimSpace(out.String()), nil
}

// inside is a command in the cluster's network namespace.
func (r runDir) inside(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + r.netns(), "--"}, args...)...)
	cmd.Env = r.environment("KUBERC=off") // the caller's kubectl preferences do not count here
	return cmd
}

// kubectl runs kubectl as the administrator and gives its output.
func (r runDir) kubectl(ctx context.Context, args ...string) (string, error) {
	return output(r.inside(ctx, append([]string{r.bin("kubectl"), "--request-timeout=10s"}, args...)...))
}

// ctr runs containerd's own client.
func (r runDir) ctr(ctx context.Context, args ...string) (string, error) {
	return output(r.inside(ctx, append([]string{r.bin("ctr"), "--address", r.containerdSocket(), "--namespace", "k8s.io"}, args...)...))
}
