package limiter

import (
	"context"
	"errors"
	"time"
)

// Take asks for tokens of one bucket.
type Take struct {
	Key   Key
	Limit Limit
	// Cost is at least 1 and at most Limit.Burst.
	Cost int64
	// Shadow buckets never make a batch fail: each gives its tokens when the
	// batch's other buckets all had room and it has room itself.
	Shadow bool
}

// Answer is what a bucket said to a [Take], as of after the decision.
type Answer struct {
	// Denied: the bucket has no room for the cost.
	Denied bool
	// Corrupt: what the store held could not be read and was replaced by an
	// empty bucket.
	Corrupt bool
	// Remaining is how many whole tokens the bucket holds.
	Remaining int64
	// Wait is how long until the cost would pass; 0 when it would now.
	Wait time.Duration
	// Full is how long until the bucket is full again.
	Full time.Duration
}

// Store keeps buckets that several processes share. Its methods are called by
// many goroutines at once, return by the context's deadline, and keep nothing
// of what they are given.
type Store interface {
	// Name is the store's type as metrics and diagnostics show it, such as "redis".
	Name() string
	// Take decides a batch in one step: either every bucket that is not Shadow
	// gives its cost, or none gives any. It fills answers, which has the batch's
	// length. An error means that the caller must assume nothing was taken.
	Take(ctx context.Context, batch []Take, answers []Answer) error
	// Peek fills answers as they are and changes nothing.
	Peek(ctx context.Context, batch []Take, answers []Answer) error
	// Reset makes the buckets full.
	Reset(ctx context.Context, keys []Key) error
	// Ping reports whether Take would work.
	Ping(ctx context.Context) error
}

// StoreErrorReason is a cause of a store's failure, bounded so that it can be a
// metric label.
type StoreErrorReason string

// The reasons that are counted.
const (
	ReasonTimeout    StoreErrorReason = "timeout"
	ReasonConnection StoreErrorReason = "connection"
	ReasonAuth       StoreErrorReason = "auth"
	ReasonReadOnly   StoreErrorReason = "readonly"
	ReasonMemory     StoreErrorReason = "out_of_memory"
	ReasonLoading    StoreErrorReason = "loading"
	ReasonCorrupt    StoreErrorReason = "corrupt"
	ReasonOther      StoreErrorReason = "other"
)

// StoreError is an error with its reason; stores return it so that the reason
// reaches the metrics.
type StoreError struct {
	Reason StoreErrorReason
	Err    error
}

func (e *StoreError) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

func reasonOf(err error) StoreErrorReason {
	var se *StoreError
	switch {
	case errors.As(err, &se):
		return se.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	}
	return ReasonOther
}
