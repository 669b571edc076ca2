package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

func statusVerb(c *command) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		if !r.exists() {
			return r.mustBeUp()
		}
		if err := r.describe(c.out); err != nil {
			return err
		}
		return r.unusable(ctx)
	}
}

// describe lists what runs, and where to look further.
func (r runDir) describe(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster     %s (%s)\nkubeconfig  %s\nlogs        %s\n", r.name, r.backend(), r.kubeconfig(), r.path("logs"))
	for _, p := range r.recorded() {
		state := "runs"
		if !p.alive() {
			state = "HAS ENDED"
		}
		fmt.Fprintf(&b, "%-24s %7d  %s\n", p.name, p.pid, state)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// unusable says why the cluster cannot be used, or nil.
func (r runDir) unusable(ctx context.Context) error {
	if !r.complete() {
		return errors.New("its start did not come to an end")
	}
	if r.backend() == backendKind {
		return r.kindAnswers(ctx)
	}
	if err := requireRoot(); err != nil {
		return err
	}
	if err := r.allAlive(); err != nil {
		return err
	}
	if _, err := r.kubectl(ctx, "get", "--raw", "/readyz"); err != nil {
		return err
	}
	return r.nodeReady(ctx)
}
