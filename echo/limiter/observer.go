package limiter

import "time"

// RuleOutcome is how a rule's part in a decision is counted.
type RuleOutcome uint8

// The outcomes. In a refused request only the rules that refused it count.
const (
	RuleAllowed RuleOutcome = iota
	RuleDenied
	// RuleExempt: an override exempts the client from the rule.
	RuleExempt
	// RuleShadowDenied: a shadow rule would have refused.
	RuleShadowDenied
	// RuleFallbackAllowed and RuleFallbackDenied: decided without the store.
	RuleFallbackAllowed
	RuleFallbackDenied
	// RuleOutcomes is how many outcomes there are.
	RuleOutcomes
)

// String returns the outcome's metric label.
func (o RuleOutcome) String() string {
	switch o {
	case RuleAllowed:
		return "allowed"
	case RuleDenied:
		return "denied"
	case RuleExempt:
		return "exempt"
	case RuleShadowDenied:
		return "shadow_denied"
	case RuleFallbackAllowed:
		return "fallback_allowed"
	case RuleFallbackDenied:
		return "fallback_denied"
	default:
		return "unknown"
	}
}

// Observer is told what a [Limiter] does. Its methods are called by many
// goroutines at once, on the decision's path, and must not block.
type Observer interface {
	// Attach is called once, by [New]; stats may be called at any time after.
	Attach(stats func() Stats)
	// PolicyChanged names the rules of the policy that decides from now on.
	PolicyChanged(rules []string)
	// RuleDecided counts a rule's part in a decision that was not a Peek.
	RuleDecided(rule string, outcome RuleOutcome)
	// DecisionTook says how long a decision took and where it was made:
	// "memory", "fallback" or the store's name.
	DecisionTook(store string, took time.Duration)
	// StoreFailed counts a failed call to the store.
	StoreFailed(reason StoreErrorReason)
	// FallbackChanged says that decisions are made without the store from now
	// on, or with it again.
	FallbackChanged(active bool)
}

// Stats is what a limiter holds in memory.
type Stats struct {
	// TrackedClients is how many buckets the table holds, full ones that have
	// not been replaced yet included.
	TrackedClients int64
	// MaxClients is how many it can hold.
	MaxClients int64
	// EvictedLossless counts full buckets that made room: nobody can tell.
	EvictedLossless uint64
	// EvictedLossy counts buckets that were not full when they made room; their
	// clients may get up to one burst more.
	EvictedLossy uint64
}
