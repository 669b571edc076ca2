// Command echo answers HTTP requests with what it received, within rate limits
// that it reads from a limits file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// version is set by the linker: -X main.version=v1.2.3.
var version string

// The process's exit codes.
const (
	exitOK = iota
	exitFailure
	// exitUsage: a flag, a variable or the limits file cannot be used.
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// From the first signal on, a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(start(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// start returns the exit code.
func start(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	build := telemetry.ReadBuild(version)
	c, err := ParseConfig(args, environ)
	switch {
	case errors.Is(err, errVersion):
		fmt.Fprintf(stdout, "echo %s (%s, %s)\n", build.Version, build.Revision, build.GoVersion)
		return exitOK
	case errors.Is(err, errHelp):
		usage(stdout)
		return exitOK
	case err != nil:
		complain(stderr, err)
		return exitUsage
	}
	c.Build = build
	log := telemetry.NewLogger(stderr, c.LogLevel)
	redisstore.LogClient(log)
	err = Run(ctx, c, log)
	var unusable *StartError
	switch {
	case errors.As(err, &unusable):
		complain(stderr, err)
		return exitUsage
	case err != nil:
		complain(stderr, err)
		return exitFailure
	}
	return exitOK
}

// complain writes a line for everything that was wrong.
func complain(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "echo: %s\n", strings.TrimRight(line, "\n"))
	}
}
