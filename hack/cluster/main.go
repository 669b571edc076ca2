// Command cluster runs a real Kubernetes on one Linux machine, without Docker and without a registry: every
// component is a process in a network namespace of its own, and `down` leaves nothing behind. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
)

// command is what every verb is given: the parsed common flags, and where to write.
type command struct {
	flags *flag.FlagSet
	out   io.Writer // results, for other programs to read
	log   *progress // what is going on, for people
	name  string    // the cluster's name
}

// verb is one thing this program does. setup may define flags and returns what runs once they are parsed.
type verb struct {
	summary string
	setup   func(*command) func(context.Context) error
}

func verbs() map[string]verb {
	return map[string]verb{
		"binaries":     {"build the components once and print their directory", binariesVerb},
		"packages":     {"install the Debian packages that a cluster needs", packagesVerb},
		"up":           {"start the cluster, or join the one that runs", upVerb},
		"down":         {"end the cluster and remove everything it made", downVerb},
		"status":       {"say what runs; fails unless the cluster is usable", statusVerb},
		"kubeconfig":   {"print the path of the administrator's kubeconfig", kubeconfigVerb},
		"exec":         {"run a command inside the cluster's network: exec -- kubectl get nodes", execVerb},
		"load":         {"import images: load NAME=BINARY ... IMAGE.tar ...", loadVerb},
		"load-project": {"build, pack and import the project's own images", loadProjectVerb},
		"image":        {"pack static files into a one-layer image archive", imageVerb},
		"image-redis":  {"pack the machine's redis-server into an image archive", imageRedisVerb},
		probeVerbName:  {"", probeVerb},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := os.Setenv("PATH", os.Getenv("PATH")+":"+systemPath)
	if err == nil {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// run looks the verb up, parses its flags and runs it.
func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no verb given\n%s", usage())
	}
	chosen, ok := verbs()[args[0]]
	if !ok {
		return fmt.Errorf("unknown verb %q\n%s", args[0], usage())
	}
	c := &command{
		flags: flag.NewFlagSet(args[0], flag.ContinueOnError),
		out:   out,
		log:   newProgress(diagnostics),
	}
	c.flags.SetOutput(diagnostics)
	action := chosen.setup(c)
	if c.flags.Lookup("name") == nil { // the image verbs name an image by it
		c.flags.StringVar(&c.name, "name", "echo-operator", "name of the cluster; several can run side by side")
	}
	if err := c.flags.Parse(args[1:]); err != nil {
		return err
	}
	return action(ctx)
}

// exitCode says what went wrong and gives the process's exit code.
func exitCode(err error, diagnostics io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	report(diagnostics, "cluster: %v\n", err)
	return 1
}

func usage() string {
	all := verbs()
	names := make([]string, 0, len(all))
	for name, v := range all {
		if v.summary != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("usage: cluster VERB [--name NAME] [flags] [arguments]\n")
	for _, name := range names {
		fmt.Fprintf(&b, "  %-13s %s\n", name, all[name].summary)
	}
	return strings.TrimRight(b.String(), "\n")
}
