package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

func downVerb(c *command) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		unlock, err := r.lock(ctx, c.log)
		if err != nil {
			return err
		}
		defer unlock()
		if !r.exists() {
			c.log.say("there is no cluster %s", r.name)
			return nil
		}
		if err := r.tearDown(ctx, c.log); err != nil {
			return err
		}
		c.log.say("the cluster %s is gone", r.name)
		return nil
	}
}

// tearDown removes whatever of a cluster there is: it goes by what was noted and by what it finds, so it does not
// matter how far `up` came, nor what has ended since. It can be repeated.
func (r runDir) tearDown(ctx context.Context, log *progress) error {
	log.say("taking down the cluster %s", r.name)
	if r.backend() == backendKind {
		if err := r.endKind(ctx); err != nil {
			return err
		}
		return os.RemoveAll(r.root)
	}
	if err := requireRoot(); err != nil {
		return err
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	var cgroups []string
	if made := r.note("made-cgroup"); made != "" {
		cgroups = clusterCgroups(mounts, made)
	}
	if err := r.stopAll(ctx, cgroups); err != nil {
		return err // as long as something runs, it makes new mounts and files
	}
	// The rest does not depend on each other. The directory stays when something failed: it says what is left.
	failed := errors.Join(
		unmountUnder(ctx, r.root),
		r.removeNetwork(ctx),
		removeCgroups(ctx, cgroups),
		restoreSysctls(r.path("sysctls")),
		r.removeScattered(),
	)
	if failed != nil {
		return fmt.Errorf("taking down the cluster %s (run `down --name %s` again once this is mended): %w", r.name, r.name, failed)
	}
	return os.RemoveAll(r.root)
}
