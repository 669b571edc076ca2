package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How long a component may take on a slow, busy machine. On an idle one each takes a second or two.
const (
	componentDeadline = 90 * time.Second
)

// boot is one start of a cluster: what has been started so far.
type boot struct {
	runDir
	log     *progress
	running []*started
}

// begin starts a component.
func (b *boot) begin(name string, args []string) (*started, error) {
	s, err := b.launch(name, args...)
	if s != nil {
		b.running = append(b.running, s)
	}
	return s, err
}

// await waits at a gate; it fails at once when any component ends, because none may.
func (b *boot) await(ctx context.Context, what string, by *started, check func(context.Context) error) error {
	return gate{what: what, within: componentDeadline, check: check, by: by, needs: b.running}.wait(ctx)
}

// startControlPlane starts etcd, containerd and the API server. containerd is not part of it, but needs nothing of
// it either and uses the time.
func (b *boot) startControlPlane(ctx context.Context) error {
	b.log.say("etcd, containerd")
	etcd, err := b.begin("etcd", b.etcdArgs())
	if err != nil {
		return err
	}
	containerd, err := b.begin("containerd", b.containerdArgs())
	if err != nil {
		return err
	}
	err = b.await(ctx, "etcd", etcd, func(ctx context.Context) error {
		return b.probe(ctx, "http://127.0.0.1:2379/health")
	})
	if err != nil {
		return err
	}
	b.log.say("kube-apiserver")
	apiServer, err := b.begin("kube-apiserver", b.apiServerArgs())
	if err != nil {
		return err
	}
	if err := b.preparePause(ctx, containerd); err != nil {
		return err
	}
	return b.await(ctx, "the API server", apiServer, func(ctx context.Context) error {
		_, err := b.kubectl(ctx, "get", "--raw", "/readyz")
		return err
	})
}

// preparePause waits for containerd and imports the image of the pods' sandboxes.
func (b *boot) preparePause(ctx context.Context, containerd *started) error {
	err := b.await(ctx, "containerd", containerd, func(ctx context.Context) error {
		_, err := b.ctr(ctx, "version")
		return err
	})
	if err != nil {
		return err
	}
	archive := b.archivePath(pauseImage)
	if err := writeImageFile(archive, staticImage(pauseImage, b.bin("pause"))); err != nil {
		return err
	}
	_, err = b.importArchive(ctx, archive)
	return err
}

// startNode starts everything that is a client of the API server, and creates what CoreDNS needs.
func (b *boot) startNode(ctx context.Context) error {
	b.log.say("kube-controller-manager, kube-scheduler, kubelet, kube-proxy, coredns")
	for _, component := range []struct {
		name string
		args []string
	}{
		{"kube-controller-manager", b.controllerManagerArgs()},
		{"kube-scheduler", b.schedulerArgs()},
		{"kube-proxy", b.proxyArgs()},
		{"coredns", b.dnsArgs()},
		{"kubelet", b.kubeletArgs()},
	} {
		if _, err := b.begin(component.name, component.args); err != nil {
			return err
		}
	}
	return b.await(ctx, "the objects of cluster DNS", nil, func(ctx context.Context) error {
		_, err := b.kubectl(ctx, "apply", "--filename", b.path("addons.json"))
		return err
	})
}

// awaitNode ends when a pod could be created, scheduled, started, and could resolve names.
func (b *boot) awaitNode(ctx context.Context) error {
	b.log.say("waiting for the node, the controllers and DNS")
	if err := b.await(ctx, "the node to be Ready", b.component("kubelet"), b.nodeReady); err != nil {
		return err
	}
	manager := b.component("kube-controller-manager")
	err := b.await(ctx, "the default service account", manager, func(ctx context.Context) error {
		_, err := b.kubectl(ctx, "get", "serviceaccount", "default")
		return err
	})
	if err != nil {
		return err
	}
	err = b.await(ctx, "an answer from cluster DNS", b.component("coredns"), func(ctx context.Context) error {
		return b.probe(ctx, "-dns", dnsServiceIP, "kubernetes.default.svc.cluster.local.")
	})
	if err != nil {
		return err
	}
	return b.allAlive()
}

func (b *boot) component(name string) *started {
	for _, s := range b.running {
		if s.name == name {
			return s
		}
	}
	return nil
}

// allAlive fails when a component has ended, with the end of its log.
func (r runDir) allAlive() error {
	for _, p := range r.recorded() {
		if !p.alive() {
			return fmt.Errorf("%s has ended; end of its log:\n%s", p.name, tail(r.log(p.name), logTail))
		}
	}
	return nil
}

func (r runDir) nodeReady(ctx context.Context) error {
	ready, err := r.kubectl(ctx, "get", "node", nodeName, "--output",
		`jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}`)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(ready, "True ") {
		return fmt.Errorf("node %s: Ready is %q", nodeName, ready)
	}
	return nil
}
