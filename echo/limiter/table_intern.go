package limiter

import "github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"

// publish numbers the policy's specs and then makes it the one that decides.
// Numbers that nothing uses any more are freed once there are many, so that
// limits which change for ever do not add up.
func (t *table) publish(c *compiled, now int64, use func(*compiled)) {
	t.sweepMu.Lock()
	defer t.sweepMu.Unlock()
	c.epoch = t.epoch.Load()
	used := map[uint32]bool{}
	c.intern(func(s bucket.Spec) uint32 {
		id := t.specs.id(s)
		used[id] = true
		return id
	})
	if t.specs.size() <= t.sweepSize {
		use(c)
		return
	}
	// From here on a decision that still holds an older policy starts over as
	// soon as it has locked its sets, so what the sweep has seen stays true.
	c.epoch++
	use(c)
	t.epoch.Store(c.epoch)
	t.sweep(used, now)
	t.sweepSize = max(sweepAbove, 2*t.specs.size())
}

// sweep frees entries whose buckets are full and the specs that neither used
// nor an entry names.
func (t *table) sweep(used map[uint32]bool, now int64) {
	for i := range t.sets {
		t.sweepSet(&t.sets[i], now, used)
	}
	t.specs.keep(used)
}

func (t *table) sweepSet(s *set, now int64, used map[uint32]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.entries {
		e := &s.entries[i]
		if e.tag == 0 {
			continue
		}
		st := bucket.State{Debt: e.debt, Last: e.last}
		if t.specs.spec(e.spec).Settle(st, now).Debt == 0 {
			*e = entry{}
			t.tracked.Add(-1)
			continue
		}
		used[e.spec] = true
	}
}
