package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemPath is where system programs lie; a root shell does not always have it in its PATH, so main adds it.
const systemPath = "/usr/local/sbin:/usr/sbin:/sbin"

// requirement is a Debian package and how to see that it, or its like on another distribution, is there.
type requirement struct {
	pkg      string
	commands []string
	plugins  []string // of CNI
}

func requirements() []requirement {
	return []requirement{
		{pkg: "runc", commands: []string{"runc"}}, // not built from source: that needs libseccomp's headers
		{pkg: "nftables", commands: []string{"nft"}},
		{pkg: "containernetworking-plugins", plugins: []string{"bridge", "host-local", "loopback"}},
		{pkg: "iproute2", commands: []string{"ip"}},
		{pkg: "redis-server", commands: []string{"redis-server"}}, // goes into the demo's Redis image
		{pkg: "util-linux", commands: []string{"nsenter"}},
		{pkg: "mount", commands: []string{"umount"}},
	}
}

// host answers what is installed.
type host struct {
	command func(name string) bool
	plugin  func(name string) bool
}

// missing lists the requirements that are not met, each with only what it lacks.
func missing(all []requirement, on host) []requirement {
	var left []requirement
	for _, need := range all {
		lacks := requirement{pkg: need.pkg, commands: without(need.commands, on.command), plugins: without(need.plugins, on.plugin)}
		if len(lacks.commands)+len(lacks.plugins) > 0 {
			left = append(left, lacks)
		}
	}
	return left
}

func without(names []string, has func(string) bool) []string {
	var lacking []string
	for _, name := range names {
		if !has(name) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// explain says what is missing and how to get it.
func explain(left []requirement) string {
	var b strings.Builder
	b.WriteString("these programs are missing:\n")
	pkgs := make([]string, 0, len(left))
	for _, need := range left {
		pkgs = append(pkgs, need.pkg)
		if len(need.commands) > 0 {
			fmt.Fprintf(&b, "  %s (Debian package %s)\n", strings.Join(need.commands, ", "), need.pkg)
		}
		if len(need.plugins) > 0 {
			fmt.Fprintf(&b, "  CNI plugins %s (Debian package %s)\n", strings.Join(need.plugins, ", "), need.pkg)
		}
	}
	fmt.Fprintf(&b, "install them as root: %s", strings.Join(installCommand(pkgs), " "))
	return b.String()
}

func installCommand(pkgs []string) []string {
	return append([]string{"apt-get", "install", "--yes", "--no-install-recommends"}, pkgs...)
}

func packagesVerb(c *command) func(context.Context) error {
	return func(ctx context.Context) error { return ensurePackages(ctx, c.log) }
}

// ensurePackages installs what is missing, where that is possible.
func ensurePackages(ctx context.Context, log *progress) error {
	here := thisHost()
	left := missing(requirements(), here)
	if len(left) == 0 {
		return nil
	}
	if os.Geteuid() != 0 || !here.command("apt-get") {
		return errors.New(explain(left))
	}
	pkgs := make([]string, 0, len(left))
	for _, need := range left {
		pkgs = append(pkgs, need.pkg)
	}
	for _, args := range [][]string{{"apt-get", "update"}, installCommand(pkgs)} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := log.during(strings.Join(args, " "), func() error { _, err := output(cmd); return err }); err != nil {
			return fmt.Errorf("%w\n%s", err, explain(left))
		}
	}
	if left = missing(requirements(), here); len(left) > 0 {
		return fmt.Errorf("apt-get succeeded, and yet %s", explain(left))
	}
	return nil
}

func thisHost() host {
	return host{
		command: func(name string) bool { return findCommand(name) != "" },
		plugin:  func(name string) bool { return exists(filepath.Join(cniPlugins(), name)) },
	}
}

// findCommand gives the path of a program, or nothing.
func findCommand(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// cniPlugins is where Debian, and where others, put the CNI plugins.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if exists(filepath.Join(dir, "bridge")) {
			return dir
		}
	}
	return "/usr/lib/cni"
}
