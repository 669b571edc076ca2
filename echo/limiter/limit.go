package limiter

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// Errors that the functions of this package wrap; test for them with [errors.Is].
var (
	// ErrInvalidLimit: a limit is outside the bounds of [Limit.Validate].
	ErrInvalidLimit = errors.New("invalid limit")
	// ErrCostExceedsBurst: a rule's cost is above a burst, so that its requests
	// could never pass, however long they waited.
	ErrCostExceedsBurst = errors.New("cost exceeds burst")
	// ErrInvalidPolicy: a policy is wrong in something other than a limit or a cost.
	ErrInvalidPolicy = errors.New("invalid policy")
	// ErrClosed: the limiter has been closed.
	ErrClosed = errors.New("limiter is closed")
)

// The bounds of a [Limit].
const (
	// MaxRequests bounds Limit.Requests.
	MaxRequests = 1_000_000_000
	// MaxBurst bounds Limit.Burst.
	MaxBurst = 1_000_000_000
	// MaxPeriod bounds Limit.Period: 365 days.
	MaxPeriod = 365 * 24 * time.Hour
	// maxBurstPeriodMillis bounds Burst times Period, which keeps every debt an
	// exact double in a store: 4.5e12 token seconds.
	maxBurstPeriodMillis = 4_500_000_000_000_000
)

// Validate says whether the limit can be enforced exactly: Requests and Burst
// from 1 to [MaxRequests] and [MaxBurst], Period a whole number of milliseconds
// up to [MaxPeriod], and Burst times Period at most 4.5e12 seconds. The error
// wraps [ErrInvalidLimit] and names the field.
func (l Limit) Validate() error {
	switch {
	case l.Requests < 1 || l.Requests > MaxRequests:
		return limitError("requests must be from 1 to %d, got %d", MaxRequests, l.Requests)
	case l.Burst < 1 || l.Burst > MaxBurst:
		return limitError("burst must be from 1 to %d, got %d; set it to requests to allow a full period's worth at once", MaxBurst, l.Burst)
	case l.Period < time.Millisecond || l.Period > MaxPeriod:
		return limitError("period must be from 1ms to %s, got %s", MaxPeriod, l.Period)
	case l.Period%time.Millisecond != 0:
		return limitError("period must be a whole number of milliseconds, got %s; scale requests and period together", l.Period)
	case !l.debtFits():
		return limitError("burst times period must be at most 4500000000000 seconds, got %d times %s; lower the burst", l.Burst, l.Period)
	}
	return nil
}

func limitError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalidLimit}, args...)...)
}

func (l Limit) debtFits() bool {
	hi, lo := bits.Mul64(uint64(l.Burst), uint64(l.Period.Milliseconds()))
	return hi == 0 && lo <= maxBurstPeriodMillis
}

// spec is the limit's arithmetic in this process.
func (l Limit) spec() (bucket.Spec, error) {
	s, ok := bucket.InProcess(l.Requests, l.Burst, l.Period.Microseconds())
	if !ok {
		return bucket.Spec{}, limitError("%d requests per %s with burst %d cannot be counted exactly", l.Requests, l.Period, l.Burst)
	}
	return s, nil
}

// share is what one of n processes enforces alone: exactly 1/n of the rate, and
// of the burst what leaves room for at least one request of the rule's cost,
// since that request would otherwise be refused for as long as the outage lasts.
func (l Limit) share(n int, cost int64) (bucket.Spec, error) {
	burst := max(cost, l.Burst/int64(n))
	s, ok := bucket.InProcess(l.Requests, burst, l.Period.Microseconds()*int64(n))
	if !ok {
		return bucket.Spec{}, limitError("%d requests per %s with burst %d cannot be divided by %d replicas", l.Requests, l.Period, l.Burst, n)
	}
	return s, nil
}
