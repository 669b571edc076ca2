package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func kubeconfigVerb(c *command) func(context.Context) error {
	return func(context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		if err := r.mustBeUp(); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, r.kubeconfig())
		return err
	}
}

func execVerb(c *command) func(context.Context) error {
	return func(context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		if c.flags.NArg() == 0 {
			return errors.New("exec needs a command: exec -- kubectl get nodes")
		}
		if err := r.mustBeUp(); err != nil {
			return err
		}
		return r.become(c.flags.Args())
	}
}

// become replaces this process by the command, so that signals, terminal and exit code are the command's own.
func (r runDir) become(args []string) error {
	if r.backend() == backendProcesses {
		if err := requireRoot(); err != nil {
			return err
		}
		args = append([]string{"nsenter", "--net=" + r.netns(), "--"}, args...)
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("running %s: %w", program, syscall.Exec(program, args, r.execEnvironment()))
}

// execEnvironment is the caller's, with this cluster's kubeconfig and, where there are some, its programs first.
func (r runDir) execEnvironment() []string {
	if r.backend() == backendKind {
		return overlay(os.Environ(), "KUBECONFIG="+r.kubeconfig())
	}
	return r.environment()
}
