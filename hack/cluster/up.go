package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

func upVerb(c *command) func(context.Context) error {
	backend := c.flags.String("backend", "", "processes or kind; by default kind where a Docker engine answers")
	return func(ctx context.Context) error {
		r, err := newRunDir(c.name)
		if err != nil {
			return err
		}
		// A usable cluster is joined without the lock, which another verb may hold for a while.
		if r.unusable(ctx) != nil {
			if err := r.startAnew(ctx, c.log, *backend); err != nil {
				return err
			}
		} else {
			c.log.say("joined the cluster %s, which is up already", r.name)
		}
		c.log.say("ready; for example: go run ./hack/cluster exec --name %s -- kubectl get nodes", r.name)
		_, err = fmt.Fprintln(c.out, r.kubeconfig())
		return err
	}
}

// startAnew takes down what an earlier run left and starts a cluster, unless another run has just done so.
func (r runDir) startAnew(ctx context.Context, log *progress, backend string) error {
	unlock, err := r.lock(ctx, log)
	if err != nil {
		return err
	}
	defer unlock()
	if r.exists() {
		why := r.unusable(ctx)
		if why == nil {
			return nil
		}
		log.say("the cluster %s is not usable (%v): starting anew", r.name, why)
		if err := r.tearDown(ctx, log); err != nil {
			return err
		}
	}
	return r.start(ctx, log, chooseBackend(ctx, backend))
}

// chooseBackend prefers kind, which more people know, where it can work.
func chooseBackend(ctx context.Context, asked string) string {
	if asked != "" {
		return asked
	}
	if dockerAnswers(ctx) {
		return backendKind
	}
	return backendProcesses
}

// start makes a cluster; when that fails or is interrupted it removes all that was made.
func (r runDir) start(ctx context.Context, log *progress, backend string) error {
	var begin func(context.Context, *progress) error
	switch backend {
	case backendKind:
		begin = r.startKind
	case backendProcesses:
		begin = r.startProcesses
	default:
		return fmt.Errorf("--backend %q: there are processes and kind", backend)
	}
	err := begin(ctx, log)
	if err == nil {
		return r.write("ready", "yes")
	}
	if !r.exists() {
		return err // it failed before it made anything
	}
	log.say("taking down what was started")
	// The caller's context may be the reason for the failure, and must not keep the cleaning up from happening.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return errors.Join(err, r.tearDown(clean, log))
}

// startProcesses brings the components up in the order of their needs. Each step ends with a gate.
func (r runDir) startProcesses(ctx context.Context, log *progress) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if err := ensurePackages(ctx, log); err != nil {
		return err
	}
	bin, err := ensureBinaries(ctx, log, "")
	if err != nil {
		return err
	}
	log.say("starting the cluster %s in %s", r.name, r.root)
	if err := r.create(backendProcesses); err != nil {
		return err
	}
	// A link, so that the other verbs find the programs without looking for a checkout.
	if err := os.Symlink(bin, r.path("bin")); err != nil {
		return err
	}
	b := &boot{runDir: r, log: log}
	for _, step := range []func(context.Context) error{
		r.prepareHost, r.writeConfiguration, b.startControlPlane, b.startNode, b.awaitNode,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	return nil
}

func requireRoot() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("without a Docker engine a cluster needs Linux, and this is %s: start Docker, and kind is used", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a cluster makes network namespaces, mounts and cgroups: run this as root, or start Docker, and kind is used")
	}
	return nil
}

// prepareHost makes what the cluster has outside of its directory: each thing is noted there before it is made.
func (r runDir) prepareHost(ctx context.Context) error {
	if err := saveSysctls(r.path("sysctls")); err != nil {
		return err
	}
	if err := r.noteScattered(); err != nil {
		return err
	}
	if err := r.makeNetwork(ctx); err != nil {
		return err
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if err := r.write("made-cgroup", r.cgroup()); err != nil {
		return err
	}
	return makeCgroups(clusterCgroups(mounts, r.cgroup()))
}

// writeConfiguration writes certificates, kubeconfigs and configuration files.
func (r runDir) writeConfiguration(context.Context) error {
	if err := r.writeIdentities(time.Now()); err != nil {
		return err
	}
	kubelet, badKubelet := r.kubeletConfig()
	cni, badCNI := r.cniConfig()
	objects, badObjects := addons()
	if err := errors.Join(badKubelet, badCNI, badObjects); err != nil {
		return err
	}
	for file, text := range map[string][]byte{
		"kubelet.json":           kubelet,
		"cni/10-bridge.conflist": cni,
		"addons.json":            objects,
		"containerd.toml":        r.containerdConfig(cniPlugins()),
		"Corefile":               r.corefile(),
		"resolv.conf":            []byte("nameserver " + dnsServiceIP + "\n"),
	} {
		if err := r.write(file, string(text)); err != nil {
			return err
		}
	}
	return nil
}
