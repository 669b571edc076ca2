package admin

import (
	"errors"
	"sync/atomic"
)

// Why a pod is not ready; the texts are what /readyz answers.
var (
	ErrStarting = errors.New("starting: no limits are in force yet")
	ErrDraining = errors.New("draining: the process is about to end")
)

// Readiness is whether this process wants requests. It starts as not ready and
// never depends on Redis: a pod without Redis decides in memory. The zero value
// is ready for use; it is safe for concurrent use.
type Readiness struct{ state atomic.Int32 }

const (
	stateStarting int32 = iota
	stateServing
	stateDraining
)

// Serve says that limits are in force and the listeners are open. It changes
// nothing once Drain was called.
func (r *Readiness) Serve() { r.state.CompareAndSwap(stateStarting, stateServing) }

// Drain says that the process will end soon; there is no way back.
func (r *Readiness) Drain() { r.state.Store(stateDraining) }

// Err is nil when the process wants requests, else ErrStarting or ErrDraining.
func (r *Readiness) Err() error {
	switch r.state.Load() {
	case stateServing:
		return nil
	case stateDraining:
		return ErrDraining
	default:
		return ErrStarting
	}
}
