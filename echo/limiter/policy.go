package limiter

import (
	"slices"
	"time"
)

// Limit is a token bucket: Requests tokens flow in every Period, and at most
// Burst are kept. All three are positive; see [Limit.Validate] for the bounds.
type Limit struct {
	Requests int64
	Burst    int64
	Period   time.Duration
}

// Mode says whether a rule's refusal reaches the client.
type Mode uint8

const (
	// Enforce refuses what is over the limit.
	Enforce Mode = iota
	// Shadow decides, counts and reports, and lets everything through.
	Shadow
)

// Action is what an [Override] does to the requests whose first key part it names.
type Action uint8

const (
	// ActionLimit gives the key a limit of its own; its bucket stays the same.
	ActionLimit Action = iota
	// ActionExempt skips the rule, and only that rule, for the key.
	ActionExempt
	// ActionDeny refuses the key whatever its bucket holds; no wait is told.
	ActionDeny
)

// Override changes one rule for the keys it names. The first override whose
// Values hold the request's first key part wins.
type Override struct {
	Name   string
	Values []string
	Action Action
	// Limit counts for ActionLimit only.
	Limit Limit
}

// Identification is what an [IdentifyFunc] found out about one request.
type Identification uint8

const (
	// NotMatched means that the rule does not concern this request.
	NotMatched Identification = iota
	// Identified means that the parts returned name the client's bucket.
	Identified
	// KeyMissing means that the request lacks a key and the rule refuses such requests.
	KeyMissing
)

// IdentifyFunc says whether a rule concerns the request that value describes
// and appends the parts of its bucket key to parts. It is called by many
// goroutines at once and keeps nothing of what it is given. With KeyMissing the
// last part returned names the missing key, as "Header x-api-key".
type IdentifyFunc func(value any, parts []string) ([]string, Identification)

// Rule is one limit and the requests it counts.
type Rule struct {
	// Name is unique in a policy and part of every bucket's name: a renamed rule starts with full buckets.
	Name string
	Mode Mode
	// Limit holds for every key that no override names.
	Limit Limit
	// Cost is what a request takes from the bucket, in tokens; 0 means 1. It is
	// at most the burst of Limit and of each ActionLimit override.
	Cost      int64
	Overrides []Override
	// Identify is nil for a rule that concerns every request and is keyed by Request.Key.
	Identify IdentifyFunc
}

// OutageBehaviour is what decides while the shared store does not answer.
type OutageBehaviour uint8

const (
	// OutageShare enforces the limit divided by Policy.Replicas in memory.
	OutageShare OutageBehaviour = iota
	// OutageFull enforces the whole limit in memory, in every process.
	OutageFull
	// OutageAllow lets everything through.
	OutageAllow
	// OutageDeny refuses everything that a rule concerns.
	OutageDeny
)

// DefaultStoreTimeout bounds what a decision waits for a shared store.
const DefaultStoreTimeout = 25 * time.Millisecond

// Policy is a set of rules that a request must pass together: all or nothing.
// A Policy given to [New] or [Limiter.SetPolicy] must not be changed afterwards.
type Policy struct {
	// ID is part of every bucket's name; processes that share a store and an ID
	// share buckets. Empty means "standalone".
	ID    string
	Rules []Rule
	// Replicas is how many processes share the store, for OutageShare; 0 means 1.
	Replicas int
	OnOutage OutageBehaviour
	// StoreTimeout bounds the wait for the shared store; 0 means DefaultStoreTimeout.
	StoreTimeout time.Duration
}

// Request is what a decision is made about.
type Request struct {
	// Key is the bucket key for rules without an Identify function.
	Key string
	// Value is passed to the rules' Identify functions; the limiter never looks into it.
	Value any
}

// OverrideFor returns the first override that names key, or nil.
func (r *Rule) OverrideFor(key string) *Override {
	for i := range r.Overrides {
		if slices.Contains(r.Overrides[i].Values, key) {
			return &r.Overrides[i]
		}
	}
	return nil
}
