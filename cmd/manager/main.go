// Command manager runs the operator.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker; see the Makefile.
var version string

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the process's exit code: 2 for a wrong flag, 1 for a failure later on.
func run(args []string) int {
	c, err := parse(args, os.Getenv, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "manager: %v\n", err)
		return 2
	case c.showVersion:
		fmt.Println(versionText())
		return 0
	}
	if err := Run(ctrl.SetupSignalHandler(), c); err != nil {
		fmt.Fprintf(os.Stderr, "manager: %v\n", err)
		return 1
	}
	return 0
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
