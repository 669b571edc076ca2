// Command demo shows the operator's whole job on a real cluster: it brings one
// up, installs the operator from the manifests that users install, and goes
// from a policy to 429, an edit, an outage of Redis and a deletion that leaves
// nothing. Each step is checked; a wrong answer ends it with a non-zero status.
// KEEP=1 keeps the cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// insideArgument makes the program tell the story itself: the demo starts
// itself anew in the cluster's network, where the pods can be reached.
const insideArgument = "inside"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	keep := flags.Bool("keep", os.Getenv("KEEP") == "1", "leave the cluster and the operator running; KEEP=1 does the same")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.Arg(0) == insideArgument {
		return tell(ctx, os.Stdout)
	}
	fmt.Println("This brings up a cluster, shows the operator at work and takes the cluster down again.")
	fmt.Println("The first time the cluster's programs are built, which takes about ten minutes.")
	return harness.WithOperator(ctx, harness.Options{Keep: *keep, Out: os.Stdout}, func(ctx context.Context, c *harness.Cluster) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		if err := c.Run(ctx, self, insideArgument); err != nil {
			return err
		}
		if *keep {
			fmt.Print(howToGoOn)
		}
		return nil
	})
}

const howToGoOn = `
The cluster and the operator stay. Commands inside its network start with
  go run ./hack/cluster exec --
for instance:
  go run ./hack/cluster exec -- kubectl create namespace shop
  go run ./hack/cluster exec -- kubectl -n shop apply -f hack/demo/policy.yaml
  go run ./hack/cluster exec -- kubectl -n shop get echorl -w
  go run ./hack/cluster exec -- sh -c 'curl -i -H "X-Api-Key: acme" http://$(kubectl -n shop get service checkout-echo -o jsonpath={.spec.clusterIP}):8080/'
  go run ./hack/cluster exec -- kubectl -n shop edit echorl checkout
The end of it all:
  go run ./hack/cluster down
`
