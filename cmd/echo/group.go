package main

import (
	"errors"
	"sync"
)

// group is goroutines that end together.
type group struct {
	wg sync.WaitGroup
	// failed gets the first failure.
	failed chan error

	mu     sync.Mutex
	others []error
}

func newGroup() *group { return &group{failed: make(chan error, 1)} }

func (g *group) start(part func() error) {
	g.wg.Go(func() {
		err := part()
		if err == nil {
			return
		}
		select {
		case g.failed <- err:
		default:
			g.mu.Lock()
			defer g.mu.Unlock()
			g.others = append(g.others, err)
		}
	})
}

// wait returns the failures that nobody took from failed.
func (g *group) wait() error {
	g.wg.Wait()
	select {
	case err := <-g.failed:
		g.others = append(g.others, err)
	default:
	}
	return errors.Join(g.others...)
}
