package limiter

import "time"

// Quota is a [RuleDecision] in the whole numbers that quota headers carry. They
// are rounded so that a client that goes by them is never too early.
type Quota struct {
	// Rule is the rule's name.
	Rule string
	// Available is how many more requests of this cost pass now: RateLimit's r,
	// by draft-ietf-httpapi-ratelimit-headers-11.
	Available int64
	// WindowSeconds is RateLimit's t: within it no more than Available can be
	// used. It is at least 1 when Available is 0.
	WindowSeconds int64
	// PolicyQuota and PolicyWindowSeconds are RateLimit-Policy's q and w. Their
	// ratio is the limit's rate exactly, and Available is at most PolicyQuota.
	PolicyQuota         int64
	PolicyWindowSeconds int64
	// Burst, Remaining and ResetSeconds are X-RateLimit-Limit, -Remaining and
	// -Reset: the limit's burst, the tokens left, and the seconds until the
	// bucket is full.
	Burst        int64
	Remaining    int64
	ResetSeconds int64
}

// Quota returns the decision's header numbers.
func (r RuleDecision) Quota() Quota {
	q := Quota{
		Rule:         r.Rule,
		Available:    r.Remaining / max(1, r.Cost),
		Burst:        r.Limit.Burst,
		Remaining:    r.Remaining,
		ResetSeconds: ceilSeconds(r.ResetAfter),
	}
	q.PolicyQuota, q.PolicyWindowSeconds = r.Limit.window()
	q.WindowSeconds = r.windowSeconds(q.Available)
	return q
}

// RetryAfterSeconds is the Retry-After header's value: at least 1 for a denied
// request, 0 for any other.
func (d *Decision) RetryAfterSeconds() int64 {
	if d.Outcome != Denied {
		return 0
	}
	return max(1, ceilSeconds(d.RetryAfter))
}

// windowSeconds is the wait while nothing is available, and else the time in
// which the limit's rate gives what is.
func (r RuleDecision) windowSeconds(available int64) int64 {
	switch {
	case r.Denied:
		return max(1, ceilSeconds(r.RetryAfter))
	case available == 0:
		return max(1, ceilSeconds(r.NextAfter))
	default:
		return r.Limit.secondsFor(r.Remaining)
	}
}

// secondsFor is how many whole seconds the limit takes to give n tokens. For n
// up to a valid limit's burst nothing here overflows.
func (l Limit) secondsFor(n int64) int64 {
	if l.Requests <= 0 {
		return 0
	}
	per := l.Requests * 1000
	return (n*l.Period.Milliseconds() + per - 1) / per
}

// window is the smallest whole number of periods that is a whole number of
// seconds and whose requests cover the burst.
func (l Limit) window() (quota, seconds int64) {
	if l.Requests <= 0 || l.Period <= 0 {
		return 0, 0
	}
	// unit periods make a whole number of seconds.
	millis := l.Period.Milliseconds()
	unit := 1000 / gcd(millis, 1000)
	k := max(1, (l.Burst+l.Requests-1)/l.Requests)
	k = (k + unit - 1) / unit * unit
	return k * l.Requests, k / unit * (unit * millis / 1000)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
