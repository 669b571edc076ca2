package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Addresses inside the cluster's network namespace. They never meet those of the host, so they are fixed.
const (
	nodeAddress   = "10.250.0.1"
	nodePrefix    = "24"
	serviceRange  = "10.96.0.0/16"
	apiServiceIP  = "10.96.0.1"
	dnsServiceIP  = "10.96.0.10"
	podRange      = "10.244.0.0/16"
	nodePodRange  = "10.244.0.0/24"
	apiServerPort = "6443"
	netnsDir      = "/run/netns" // where ip-netns keeps its names
)

// makeNetwork makes the namespace with a bridge as the node's interface: a kernel may lack dummy devices.
func (r runDir) makeNetwork(ctx context.Context) error {
	if exists(r.netns()) {
		return fmt.Errorf("network namespace %q exists and was not made by this cluster: "+
			"choose another --name, or remove it with `ip netns delete %s`", r.name, r.name)
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if !isMountPoint(mounts, netnsDir) {
		// The first `ip netns add` on a machine mounts the directory on itself.
		if err := r.write("made-netns-mount", "yes"); err != nil {
			return err
		}
	}
	// Written first: a run that is killed in between must not leave a namespace that nobody claims.
	if err := r.write("made-netns", r.name); err != nil {
		return err
	}
	if err := quiet(ctx, "ip", "netns", "add", r.name); err != nil {
		return err
	}
	return r.configureNetwork(ctx)
}

func (r runDir) configureNetwork(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "ip", "-netns", r.name, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"link set lo up",
		"link add node0 type bridge",
		"address add " + nodeAddress + "/" + nodePrefix + " dev node0",
		"link set node0 up",
		"route add default dev node0", // the API server advertises no address without a default route
		"",
	}, "\n"))
	if _, err := output(cmd); err != nil {
		return err
	}
	const forward = "echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"
	return quiet(ctx, "nsenter", "--net="+r.netns(), "--", "sh", "-c", forward)
}

// removeNetwork removes the namespace, and with it every interface and firewall rule that was made in it.
func (r runDir) removeNetwork(ctx context.Context) error {
	var failed error
	if r.note("made-netns") != "" && exists(r.netns()) {
		failed = quiet(ctx, "ip", "netns", "delete", r.name)
	}
	if r.note("made-netns-mount") == "" {
		return failed
	}
	if left, err := os.ReadDir(netnsDir); err != nil || len(left) > 0 {
		return failed // others keep namespaces there by now
	}
	mounts, err := readMounts()
	if err != nil || !isMountPoint(mounts, netnsDir) {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, quiet(ctx, "umount", netnsDir), removeIfEmpty(netnsDir))
}
