package limiter

import "time"

// Outcome is how a decision ended for the client.
type Outcome uint8

const (
	// Allowed means that every enforced rule had room, or none concerned the request.
	Allowed Outcome = iota
	// Denied means that at least one enforced rule had no room; RetryAfter says when all will.
	Denied
	// Forbidden means that an override with ActionDeny names the client; waiting does not help.
	Forbidden
	// Unidentified means that a rule that refuses anonymous requests found no key.
	Unidentified
)

// Source says which bucket decided.
type Source uint8

const (
	// SourceNone means that no rule took part, so no bucket was asked.
	SourceNone Source = iota
	// SourceMemory is this process's buckets, by configuration.
	SourceMemory
	// SourceStore is the buckets shared through the store.
	SourceStore
	// SourceFallback is this process's buckets, because the store did not answer in time.
	SourceFallback
)

// RuleDecision is one enforced rule's part in a [Decision].
type RuleDecision struct {
	// Rule is the rule's name.
	Rule string
	// Limit is the limit that held for this client, overrides included.
	Limit Limit
	// Cost is what the request took or would have taken, in tokens.
	Cost int64
	// Denied: this rule had no room.
	Denied bool
	// Remaining is how many whole tokens are left after the decision.
	Remaining int64
	// RetryAfter is how long until the request would pass this rule; 0 when it passed.
	RetryAfter time.Duration
	// NextAfter is how long until one more request of the same cost passes; 0 when it would now.
	NextAfter time.Duration
	// ResetAfter is how long until the bucket is full, with no further requests.
	ResetAfter time.Duration
}

// Decision is the answer to one [Request]. It is never an error: when the
// shared store is out, Source says so.
type Decision struct {
	Outcome Outcome
	Source  Source
	// Rules holds the enforced rules that matched and were not exempt: refusing
	// rules first by falling RetryAfter, then by rising Remaining/Cost, then in
	// the policy's order. It is empty when no such rule matched.
	Rules []RuleDecision
	// RetryAfter is the longest wait among the refusing rules; 0 unless Denied.
	RetryAfter time.Duration
	// Rule is the rule that decided Forbidden or Unidentified.
	Rule string
	// MissingKey names the key that an Unidentified request lacks.
	MissingKey string
}

// Allowed reports whether the request may go on.
func (d *Decision) Allowed() bool { return d.Outcome == Allowed }
