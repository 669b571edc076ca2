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
		return tell(stdout, fmt.Sprintf("echo %s (%s, %s)\n", build.Version, build.Revision, build.GoVersion))
	case errors.Is(err, errHelp):
		return tell(stdout, usage())
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

// tell answers what was asked for instead of a start.
func tell(w io.Writer, answer string) int {
	if _, err := io.WriteString(w, answer); err != nil {
		return exitFailure
	}
	return exitOK
}

// complain writes a line for everything that was wrong.
func complain(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		// Where errors cannot be written there is nobody to tell.
		_, _ = io.WriteString(w, "echo: "+strings.TrimRight(line, "\n")+"\n")
	}
}
