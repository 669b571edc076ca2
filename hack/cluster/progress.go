package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// heartbeat is how often a long step says that it is still under way.
const heartbeat = 10 * time.Second

// progress writes one line per step, each with the time since the start.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	began time.Time
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, began: time.Now()}
}

// say writes one line.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	report(p.w, "[%6.1fs] %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// during announces a step, runs it, and keeps saying that it is under way: a long silence looks like a hang.
func (p *progress) during(what string, step func() error) error {
	p.say("%s", what)
	began := time.Now()
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { p.beat(what, began, done) })
	err := step()
	close(done)
	beating.Wait()
	return err
}

func (p *progress) beat(what string, began time.Time, done <-chan struct{}) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			p.say("  ... %s, for %s so far", what, time.Since(began).Round(time.Second))
		}
	}
}

// report writes to a diagnostic stream; there is nowhere to report that such a write failed.
func report(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
