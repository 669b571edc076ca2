package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// AccessVariable tells a program inside the cluster's network how pods are
// reached: [AccessDirect] or [AccessAPIServer].
const AccessVariable = "ECHO_OPERATOR_E2E_ACCESS"

// GuardVariable must be 1 for the end-to-end tests to run: they need a cluster of their own.
const GuardVariable = "ECHO_OPERATOR_E2E"

const (
	// AccessDirect dials pod and Service addresses.
	AccessDirect = "Direct"
	// AccessAPIServer goes through the API server, for clusters whose pod
	// addresses have no route from here, as kind's.
	AccessAPIServer = "APIServer"
)

// signalGrace is how long a command may clean up that was told to end; it is
// longer than the cluster tool takes to remove a half-made cluster.
const signalGrace = 150 * time.Second

// downDeadline bounds the teardown, which runs also when the caller's context has ended.
const downDeadline = 2 * time.Minute

// Cluster is a running Kubernetes, looked after through hack/cluster.
type Cluster struct {
	root   string
	tool   string
	say    func(format string, args ...any)
	out    io.Writer
	joined bool
	access string
}

// openCluster builds the cluster tool once: `go run` would compile it for every
// call and stand between this program and the signals it sends.
func openCluster(ctx context.Context, dir string, out io.Writer, say func(string, ...any)) (*Cluster, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	c := &Cluster{root: root, tool: filepath.Join(dir, "cluster"), say: say, out: out}
	return c, c.Build(ctx, c.tool, "./hack/cluster")
}

// Root is the top of the checkout that the working directory lies in.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "cluster", "main.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s lies in no checkout of echo-operator: change into one", start)
		}
	}
}

// Build compiles a package of this module into a program.
func (c *Cluster) Build(ctx context.Context, program, pkg string) error {
	return c.run(c.tracked(exec.CommandContext(ctx, "go", "build", "-o", program, pkg)))
}

// BuildTest compiles a package's tests into a program.
func (c *Cluster) BuildTest(ctx context.Context, program, pkg string) error {
	return c.run(c.tracked(exec.CommandContext(ctx, "go", "test", "-c", "-o", program, pkg)))
}

// up starts the cluster, or joins the one that runs: that one is left running.
func (c *Cluster) up(ctx context.Context) error {
	// A status names the processes: the same one before and after means that nothing was started.
	before, err := c.tracked(exec.CommandContext(ctx, c.tool, "status")).Output()
	was := err == nil
	if err := c.run(c.tracked(exec.CommandContext(ctx, c.tool, "up"))); err != nil {
		return err
	}
	status, err := c.tracked(exec.CommandContext(ctx, c.tool, "status")).Output()
	if err != nil {
		return fmt.Errorf("asking for the cluster's state: %w", err)
	}
	c.joined = was && bytes.Equal(before, status)
	c.access = AccessDirect
	if strings.Contains(firstLine(string(status)), "(kind)") {
		c.access = AccessAPIServer
	}
	return nil
}

// down ends the cluster even when ctx has ended, as after ^C.
func (c *Cluster) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downDeadline)
	defer cancel()
	return c.run(c.tracked(exec.CommandContext(ctx, c.tool, "down")))
}

// loadImages builds this checkout's images and gives them to the cluster.
func (c *Cluster) loadImages(ctx context.Context) error {
	return c.run(c.tracked(exec.CommandContext(ctx, c.tool, "load-project")))
}

// Command is a command inside the cluster's network, with its kubeconfig.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := c.tracked(exec.CommandContext(ctx, c.tool, append([]string{"exec", "--", name}, args...)...))
	cmd.Env = append(os.Environ(), AccessVariable+"="+c.access)
	return cmd
}

// Run runs a command inside the cluster's network; its output is shown as it comes.
func (c *Cluster) Run(ctx context.Context, name string, args ...string) error {
	return c.run(c.Command(ctx, name, args...))
}

// tracked makes a command end softly with its context: it gets a signal and time
// to clean up. Its own process group keeps a terminal's ^C from reaching it twice.
func (c *Cluster) tracked(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = c.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = signalGrace
	return cmd
}

func (c *Cluster) run(cmd *exec.Cmd) error {
	if cmd.Stdout == nil {
		cmd.Stdout = c.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = c.out
	}
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %w", strings.Join(shown(cmd.Args), " "), err)
	}
	return err
}

// shown is a command line for people: without the directories of what was built for this run.
func shown(args []string) []string {
	short := append([]string(nil), args...)
	short[0] = filepath.Base(short[0])
	return short
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
