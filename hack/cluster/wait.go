package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// How much of a component's log an error quotes: lines, and bytes of each.
const (
	logTail  = 10
	logWidth = 240
)

// gate is one thing that has to become true before the next step may begin.
type gate struct {
	what   string
	within time.Duration
	every  time.Duration // 200 ms unless given
	check  func(context.Context) error
	by     *started   // the component that has to make it true, if there is one
	needs  []*started // components without which it never becomes true
}

// wait asks until the check passes, the deadline is over, the component has ended or the caller gives up.
func (g gate) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.within, fmt.Errorf("not within %s", g.within))
	defer cancel()
	var last error
	for {
		if last = g.check(ctx); last == nil {
			return nil
		}
		for _, component := range g.needs {
			if !component.alive() {
				g.by = component
				return g.failed(errors.New(component.name+" has ended"), last)
			}
		}
		select {
		case <-ctx.Done():
			return g.failed(context.Cause(ctx), last)
		case <-time.After(g.interval()):
		}
	}
}

func (g gate) interval() time.Duration {
	if g.every > 0 {
		return g.every
	}
	return 200 * time.Millisecond
}

func (g gate) failed(why, last error) error {
	if errors.Is(why, context.Canceled) {
		return fmt.Errorf("interrupted while waiting for %s", g.what)
	}
	err := fmt.Errorf("waiting for %s: %w; last answer: %w", g.what, why, last)
	if g.by == nil {
		return err
	}
	return fmt.Errorf("%w\nend of %s:\n%s", err, g.by.log, tail(g.by.log, logTail))
}

// tail gives the last lines of a file, indented.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "  (no log: " + err.Error() + ")"
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	for i, line := range all {
		if len(line) > logWidth {
			all[i] = line[:logWidth] + "..."
		}
	}
	return "  " + strings.Join(all, "\n  ")
}
