package limiter

import "sync"

// scratch is what a decision works with; it is used again by later ones.
type scratch struct {
	batch
	buf   []byte
	parts []string
	// rules is parallel to the batch: which rule of the policy a bucket is for.
	rules []int
	// exempt lists the rules that an override took the client out of, and
	// shadowRefused the shadow rules that refuse it without asking a bucket.
	exempt        []int
	shadowRefused []int
	outcome       Outcome
	source        Source
	// refusedBy is the rule that decided Forbidden or Unidentified.
	refusedBy  int
	missingKey string
}

// scratches holds what finished decisions leave for later ones.
var scratches sync.Pool

func newScratch() *scratch {
	if s, ok := scratches.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
}

func (s *scratch) reset() {
	s.batch.reset()
	clear(s.parts[:cap(s.parts)])
	s.parts, s.rules = s.parts[:0], s.rules[:0]
	s.exempt, s.shadowRefused = s.exempt[:0], s.shadowRefused[:0]
	s.outcome, s.source, s.refusedBy, s.missingKey = Allowed, SourceNone, -1, ""
}

// release gives the scratch back with nothing of the request left in it.
func (s *scratch) release() {
	s.reset()
	scratches.Put(s)
}

// gather finds the buckets that the request needs. It stops at the first rule
// that refuses the request whatever its bucket holds.
func (s *scratch) gather(c *compiled, req Request) {
	s.reset()
	for i := range c.rules {
		if !s.gatherRule(c, i, req) {
			s.batch.reset()
			s.rules = s.rules[:0]
			return
		}
	}
}

// gatherRule adds what one rule needs and reports whether to go on.
func (s *scratch) gatherRule(c *compiled, i int, req Request) bool {
	r := &c.rules[i]
	found := Identified
	if r.rule.Identify == nil {
		s.parts = append(s.parts[:0], req.Key)
	} else {
		s.parts, found = r.rule.Identify(req.Value, s.parts[:0])
	}
	switch found {
	case Identified:
		return s.gatherBucket(c, i)
	case KeyMissing:
		return s.refuse(r, i, Unidentified)
	default:
		return true
	}
}

func (s *scratch) gatherBucket(c *compiled, i int) bool {
	r := &c.rules[i]
	p := &r.limit
	if o, ok := r.overrideFor(s.parts); ok {
		switch r.rule.Overrides[o].Action {
		case ActionExempt:
			s.exempt = append(s.exempt, i)
			return true
		case ActionDeny:
			return s.refuse(r, i, Forbidden)
		default:
			p = &r.plans[o]
		}
	}
	take := Take{Limit: p.limit, Cost: r.cost, Shadow: r.rule.Mode == Shadow}
	take.Key, s.buf = newKey(s.buf, c.shortID, r.prefix, s.parts)
	s.add(take, p)
	s.rules = append(s.rules, i)
	return true
}

func (r *compiledRule) overrideFor(parts []string) (int, bool) {
	if len(parts) == 0 || len(r.override) == 0 {
		return 0, false
	}
	o, ok := r.override[parts[0]]
	return o, ok
}

// refuse ends the decision, unless the rule only watches.
func (s *scratch) refuse(r *compiledRule, i int, why Outcome) bool {
	if r.rule.Mode == Shadow {
		s.shadowRefused = append(s.shadowRefused, i)
		return true
	}
	s.outcome, s.refusedBy = why, i
	if why == Unidentified && len(s.parts) > 0 {
		s.missingKey = s.parts[len(s.parts)-1]
	}
	return false
}
