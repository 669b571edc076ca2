package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options are what a session on a cluster needs to know.
type Options struct {
	// Keep leaves the cluster and the operator running at the end.
	Keep bool
	// Out gets the progress and the output of commands.
	Out io.Writer
}

// WithOperator runs action on a cluster on which this checkout's operator is
// installed. It joins a cluster that runs already, and then leaves it running;
// one that it started itself ends with the session, whatever happened, unless
// Keep is set. When action fails, what the cluster says is collected first.
func WithOperator(ctx context.Context, o Options, action func(context.Context, *Cluster) error) (failed error) {
	dir, err := os.MkdirTemp("", "echo-operator-session-")
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, os.RemoveAll(dir)) }()
	began := time.Now()
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(o.Out, "[%6.1fs] %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	c, err := openCluster(ctx, dir, o.Out, say)
	if err != nil {
		return err
	}
	return c.session(ctx, o.Keep, action)
}

// session is WithOperator once the cluster tool is there.
func (c *Cluster) session(ctx context.Context, keep bool, action func(context.Context, *Cluster) error) (failed error) {
	if err := c.up(ctx); err != nil {
		return err // up has removed what it made
	}
	defer func() { failed = errors.Join(failed, c.leave(ctx, keep)) }()
	if err := c.prepare(ctx); err != nil {
		return errors.Join(err, c.collect(ctx))
	}
	if err := action(ctx, c); err != nil {
		return errors.Join(err, c.collect(ctx))
	}
	return nil
}

func (c *Cluster) prepare(ctx context.Context) error {
	if err := c.loadImages(ctx); err != nil {
		return err
	}
	return c.install(ctx)
}

func (c *Cluster) leave(ctx context.Context, keep bool) error {
	switch {
	case c.joined:
		c.say("the cluster was up before, so it stays")
	case keep:
		c.say("the cluster stays; remove it with `go run ./hack/cluster down`")
	default:
		return c.down(ctx)
	}
	return nil
}
