// Command run brings up a cluster, installs the operator from the manifests
// that users install, runs the end-to-end tests or the reload benchmark inside
// the cluster's network, and tears down what it brought up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

type settings struct {
	bench bool
	check bool
	keep  bool
	edits int
	focus string
	flood time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("see --help")

func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	s, err := parse(args, diagnostics)
	if err != nil {
		return err
	}
	action := s.test
	if s.bench {
		action = s.reload
	}
	return harness.WithOperator(ctx, harness.Options{Keep: s.keep, Out: out}, action)
}

func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.BoolVar(&s.bench, "bench-reload", false, "time edits instead of running the tests")
	flags.BoolVar(&s.check, "check", false, "with --bench-reload: fail when a goal is missed")
	flags.BoolVar(&s.keep, "keep", os.Getenv("KEEP") == "1", "leave the cluster running; KEEP=1 does the same")
	flags.IntVar(&s.edits, "edits", 200, "with --bench-reload: how many edits")
	flags.StringVar(&s.focus, "focus", "", "run only the tests whose names match this regular expression")
	flags.DurationVar(&s.flood, "flood", 10*time.Second, "how long the test of the shared bucket offers ten times the limit")
	if err := flags.Parse(args); err != nil {
		return s, errors.Join(err, errUsageUnlessHelp(err))
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q: %w", flags.Arg(0), errUsage)
	case s.edits < 1:
		return s, fmt.Errorf("--edits must be at least 1, not %d: %w", s.edits, errUsage)
	case s.flood < time.Second:
		return s, fmt.Errorf("--flood must be at least 1s, not %s: %w", s.flood, errUsage)
	}
	return s, nil
}

func errUsageUnlessHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return errUsage
}

// test runs the suite. Its cases change what all namespaces share, the operator
// above all, so they run one after the other.
func (s settings) test(ctx context.Context, c *harness.Cluster) error {
	program, remove, err := scratch("e2e.test")
	if err != nil {
		return err
	}
	defer remove()
	if err := c.BuildTest(ctx, program, "./hack/e2e"); err != nil {
		return err
	}
	args := []string{
		harness.GuardVariable + "=1", program,
		"-test.timeout=0", "-ginkgo.timeout=40m", "-ginkgo.v", "-ginkgo.no-color", "-ginkgo.show-node-events=false",
		"-flood=" + s.flood.String(),
	}
	if s.focus != "" {
		args = append(args, "-ginkgo.focus="+s.focus)
	}
	return c.Run(ctx, "env", args...)
}

func (s settings) reload(ctx context.Context, c *harness.Cluster) error {
	program, remove, err := scratch("reloadbench")
	if err != nil {
		return err
	}
	defer remove()
	if err := c.Build(ctx, program, "./hack/e2e/reloadbench"); err != nil {
		return err
	}
	return c.Run(ctx, program, fmt.Sprintf("--edits=%d", s.edits), fmt.Sprintf("--check=%t", s.check))
}

// scratch names a program in a directory of its own and says how to remove it.
func scratch(name string) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "echo-operator-e2e-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, name), func() { _ = os.RemoveAll(dir) }, nil
}
