package limiter

import (
	"context"
	"slices"
	"time"
)

// outageRetryAfter is what clients are told while an outage refuses everything:
// nobody knows when the store will be back, and the limiter asks many times a second.
const outageRetryAfter = time.Second

// Decide decides a request and takes its tokens when it may pass. It returns
// within Policy.StoreTimeout, in an outage of the store too, and by ctx's
// deadline if that is earlier.
func (l *Limiter) Decide(ctx context.Context, req Request) Decision {
	s := newScratch()
	defer s.release()
	c := l.run(ctx, req, s, false)
	return s.decision(c)
}

// Peek returns what [Limiter.Decide] would, takes nothing and counts nothing.
func (l *Limiter) Peek(ctx context.Context, req Request) Decision {
	s := newScratch()
	defer s.release()
	c := l.run(ctx, req, s, true)
	return s.decision(c)
}

// Allow is Decide for a request that is known by its key alone. In memory it
// allocates nothing.
func (l *Limiter) Allow(key string) bool {
	s := newScratch()
	defer s.release()
	l.run(context.Background(), Request{Key: key}, s, false)
	return s.outcome == Allowed
}

// run decides into s and returns the policy that did.
func (l *Limiter) run(ctx context.Context, req Request, s *scratch, peek bool) *compiled {
	// Read before any lock is taken; buckets never go back to it.
	now := l.now()
	for {
		c := l.policy.Load()
		s.gather(c, req)
		if s.outcome == Allowed && len(s.takes) > 0 && !l.ask(ctx, c, s, now, peek) {
			continue // The policy was replaced under way.
		}
		if !peek && l.observer != nil {
			l.observe(c, s, now)
		}
		return c
	}
}

// ask asks the buckets. It reports false when the policy is too old to do so.
func (l *Limiter) ask(ctx context.Context, c *compiled, s *scratch, now int64, peek bool) bool {
	switch {
	case l.store == nil:
		s.source = SourceMemory
		if !l.table.decide(&s.batch, c.epoch, now, peek) {
			return false
		}
	case !l.closed.Load() && l.guard.call(ctx, c.policy.StoreTimeout, &s.batch, peek):
		s.source = SourceStore
	default:
		s.source = SourceFallback
		if !l.fallBack(c, s, now, peek) {
			return false
		}
	}
	s.conclude()
	return true
}

// fallBack decides without the store, as the policy says.
func (l *Limiter) fallBack(c *compiled, s *scratch, now int64, peek bool) bool {
	switch c.policy.OnOutage {
	case OutageAllow, OutageDeny:
		deny := c.policy.OnOutage == OutageDeny
		for i := range s.answers {
			s.answers[i] = outageAnswer(&s.takes[i], deny)
		}
		return true
	default:
		// The store may have begun to fill the answers in.
		clear(s.answers)
		return l.table.decide(&s.batch, c.epoch, now, peek)
	}
}

func outageAnswer(t *Take, deny bool) Answer {
	if deny {
		return Answer{Denied: true, Wait: outageRetryAfter, Full: outageRetryAfter}
	}
	return Answer{Remaining: t.Limit.Burst}
}

// conclude sets the outcome from the answers.
func (s *scratch) conclude() {
	for i := range s.answers {
		if s.answers[i].Denied && !s.takes[i].Shadow {
			s.outcome = Denied
			return
		}
	}
}

// decision copies the result out of the scratch.
func (s *scratch) decision(c *compiled) Decision {
	d := Decision{Outcome: s.outcome, Source: s.source, MissingKey: s.missingKey}
	if s.refusedBy >= 0 {
		d.Rule = c.rules[s.refusedBy].rule.Name
	}
	for i := range s.takes {
		if s.takes[i].Shadow {
			continue
		}
		if d.Rules == nil {
			d.Rules = make([]RuleDecision, 0, len(s.takes)-i)
		}
		r := s.ruleDecision(c, i)
		d.RetryAfter = max(d.RetryAfter, r.RetryAfter)
		d.Rules = append(d.Rules, r)
	}
	if len(d.Rules) > 1 {
		slices.SortStableFunc(d.Rules, tighter)
	}
	return d
}

func (s *scratch) ruleDecision(c *compiled, i int) RuleDecision {
	t, a := &s.takes[i], &s.answers[i]
	r := RuleDecision{
		Rule:       c.rules[s.rules[i]].rule.Name,
		Limit:      t.Limit,
		Cost:       t.Cost,
		Denied:     a.Denied,
		Remaining:  a.Remaining,
		NextAfter:  a.Wait,
		ResetAfter: a.Full,
	}
	if a.Denied {
		r.RetryAfter = a.Wait
	}
	return r
}

// tighter orders rules by how much they hold the client back; see [Decision].
func tighter(a, b RuleDecision) int {
	switch {
	case a.RetryAfter > b.RetryAfter:
		return -1
	case a.RetryAfter < b.RetryAfter:
		return 1
	}
	// Remaining/Cost compared without dividing; both are at most 1e9.
	left, right := a.Remaining*b.Cost, b.Remaining*a.Cost
	switch {
	case left < right:
		return -1
	case left > right:
		return 1
	}
	return 0
}

// observe counts a decision: the refusing rules when it was refused, else all.
func (l *Limiter) observe(c *compiled, s *scratch, began int64) {
	l.observer.DecisionTook(l.place(s.source), time.Duration(l.now()-began))
	if s.refusedBy >= 0 {
		l.observer.RuleDecided(c.rules[s.refusedBy].rule.Name, RuleDenied)
		return
	}
	for i := range s.takes {
		if o, counts := s.ruleOutcome(i); counts {
			l.observer.RuleDecided(c.rules[s.rules[i]].rule.Name, o)
		}
	}
	if s.outcome == Denied {
		return
	}
	for _, i := range s.exempt {
		l.observer.RuleDecided(c.rules[i].rule.Name, RuleExempt)
	}
	for _, i := range s.shadowRefused {
		l.observer.RuleDecided(c.rules[i].rule.Name, RuleShadowDenied)
	}
}

// ruleOutcome is how a rule is counted, and whether it is.
func (s *scratch) ruleOutcome(i int) (RuleOutcome, bool) {
	denied, fallback := s.answers[i].Denied, s.source == SourceFallback
	switch {
	case s.outcome == Denied && (!denied || s.takes[i].Shadow):
		return 0, false
	case denied && s.takes[i].Shadow:
		return RuleShadowDenied, true
	case denied && fallback:
		return RuleFallbackDenied, true
	case denied:
		return RuleDenied, true
	case fallback:
		return RuleFallbackAllowed, true
	default:
		return RuleAllowed, true
	}
}

func (l *Limiter) place(s Source) string {
	switch s {
	case SourceFallback:
		return "fallback"
	case SourceStore:
		return l.store.Name()
	default:
		return "memory"
	}
}
