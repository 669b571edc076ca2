package httplimit

import (
	"net/http"
	"strconv"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// HeaderSet is a choice of header families.
type HeaderSet uint32

const (
	// IETF is RateLimit and RateLimit-Policy as
	// draft-ietf-httpapi-ratelimit-headers-11 has them.
	IETF HeaderSet = 1 << iota
	// XRateLimit is X-RateLimit-Limit, -Remaining and -Reset (seconds from now).
	XRateLimit
	// AllHeaders is every family.
	AllHeaders = IETF | XRateLimit
)

// maxMembers bounds the list members, since 64 rules would make 5 KiB of headers.
const maxMembers = 8

// maxInteger is the largest Integer of a structured field (RFC 9651 section 3.3.1).
const maxInteger = 999_999_999_999_999

// setQuota writes the families of set, and Retry-After on every denial whatever
// the set. A decision without rules sets nothing. It is the one place that knows
// the draft's version.
func setQuota(h http.Header, d *limiter.Decision, set HeaderSet) {
	if d.Outcome == limiter.Denied {
		h.Set("Retry-After", strconv.FormatInt(d.RetryAfterSeconds(), 10))
	}
	if len(d.Rules) == 0 || d.Outcome > limiter.Denied {
		return
	}
	if set&IETF != 0 {
		policy, limit := encodeIETF(d.Rules[:min(len(d.Rules), maxMembers)])
		h.Set("Ratelimit-Policy", policy)
		h.Set("Ratelimit", limit)
	}
	if set&XRateLimit != 0 {
		setXRateLimit(h, d.Rules[0].Quota())
	}
}

// encodeIETF gives the values of RateLimit-Policy and RateLimit: lists of strings
// with the parameters q and w, and r and t, in that order.
func encodeIETF(rules []limiter.RuleDecision) (policy, limit string) {
	var policyRoom, limitRoom [256]byte
	p, l := policyRoom[:0], limitRoom[:0]
	for i := range rules {
		if i > 0 {
			p, l = append(p, ", "...), append(l, ", "...)
		}
		q := rules[i].Quota()
		p = appendParameter(appendString(p, rules[i].Rule), "q", q.PolicyQuota)
		p = appendParameter(p, "w", q.PolicyWindowSeconds)
		l = appendParameter(appendString(l, rules[i].Rule), "r", q.Available)
		l = appendParameter(l, "t", q.WindowSeconds)
	}
	return string(p), string(l)
}

func setXRateLimit(h http.Header, q limiter.Quota) {
	h.Set("X-Ratelimit-Limit", strconv.FormatInt(q.Burst, 10))
	h.Set("X-Ratelimit-Remaining", strconv.FormatInt(q.Remaining, 10))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(q.ResetSeconds, 10))
}

func appendParameter(dst []byte, name string, value int64) []byte {
	dst = append(dst, ';')
	dst = append(dst, name...)
	dst = append(dst, '=')
	return strconv.AppendInt(dst, min(max(value, 0), maxInteger), 10)
}

// appendString writes a String (RFC 9651 section 4.1.6). A String has printable
// ASCII only; other bytes of a rule's name are percent-encoded, percent included,
// so that two names never look the same.
func appendString(dst []byte, s string) []byte {
	const upperHex = "0123456789ABCDEF"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c >= 0x7f || c == '%':
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
