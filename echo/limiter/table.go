package limiter

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

const (
	// ways is how many entries share a lock and compete for room.
	ways = 8
	// sweepAbove is how many specs may be numbered before unused numbers are
	// looked for; the bound doubles with what turns out to be in use.
	sweepAbove = 1024
)

// table holds this process's buckets: a fixed number of sets of eight entries
// without pointers, so that its size is known and the garbage collector does not
// look into it. A full set makes room by dropping the bucket with the least debt.
type table struct {
	seed  maphash.Seed
	specs *registry
	sets  []set
	// epoch goes up when numbers of specs may have been given anew. A decision
	// whose policy is older starts over.
	epoch atomic.Uint64
	// sweepMu makes interning and sweeping one at a time.
	sweepMu   sync.Mutex
	sweepSize int

	tracked  atomic.Int64
	lossless atomic.Uint64
	lossy    atomic.Uint64
}

type set struct {
	mu      sync.Mutex
	entries [ways]entry
}

type entry struct {
	// tag is the key's hash; 0 is an entry that is not in use.
	tag  uint64
	debt int64
	last int64
	spec uint32
}

func newTable(maxClients int) *table {
	return &table{
		seed:      maphash.MakeSeed(),
		specs:     newRegistry(),
		sets:      make([]set, max(1, (maxClients+ways-1)/ways)),
		sweepSize: sweepAbove,
	}
}

// address is where a key's bucket is: the seed keeps outsiders from choosing
// keys that meet in one set.
func (t *table) address(k *Key) (setIndex uint32, tag uint64) {
	tag = maphash.Bytes(t.seed, k.Digest[:])
	if tag == 0 {
		tag = 1
	}
	hi, _ := bits.Mul64(tag, uint64(len(t.sets)))
	return uint32(hi), tag
}

// find returns the entry of tag, or nil. The set is locked.
func (s *set) find(tag uint64) *entry {
	for i := range s.entries {
		if s.entries[i].tag == tag {
			return &s.entries[i]
		}
	}
	return nil
}

// state reads an entry as a settled bucket of the plan's limit. The set is locked.
func (t *table) state(e *entry, p *plan, now int64) bucket.State {
	if e == nil {
		return p.local.Fresh(now)
	}
	st := bucket.State{Debt: e.debt, Last: e.last}
	if e.spec == p.id {
		return p.local.Settle(st, now)
	}
	return p.local.Convert(st, t.specs.spec(e.spec), now)
}

func (e *entry) store(st bucket.State, id uint32) {
	e.debt, e.last, e.spec = st.Debt, st.Last, id
}

// room returns an entry for a new bucket in a locked set: an unused one, else
// the one with the least debt that the batch does not need.
func (t *table) room(s *set, now int64, needed func(tag uint64) bool) *entry {
	if e := s.find(0); e != nil {
		t.tracked.Add(1)
		return e
	}
	victim, least := t.leastDebt(s, now, needed)
	if victim == nil {
		// The batch alone has more buckets here than the set has entries.
		victim, least = t.leastDebt(s, now, func(uint64) bool { return false })
	}
	if least == 0 {
		t.lossless.Add(1)
	} else {
		t.lossy.Add(1)
	}
	return victim
}

func (t *table) leastDebt(s *set, now int64, needed func(tag uint64) bool) (victim *entry, least float64) {
	for i := range s.entries {
		e := &s.entries[i]
		if needed(e.tag) {
			continue
		}
		spec := t.specs.spec(e.spec)
		st := spec.Settle(bucket.State{Debt: e.debt, Last: e.last}, now)
		// Counted in tokens: that is what the client gains when it is forgotten.
		tokens := float64(st.Debt) / float64(spec.Token)
		if victim == nil || tokens < least {
			victim, least = e, tokens
		}
	}
	return victim, least
}

// forget makes a bucket full.
func (t *table) forget(k *Key) {
	index, tag := t.address(k)
	s := &t.sets[index]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(tag); e != nil {
		*e = entry{}
		t.tracked.Add(-1)
	}
}

func (t *table) stats() Stats {
	return Stats{
		TrackedClients:  t.tracked.Load(),
		MaxClients:      int64(len(t.sets)) * ways,
		EvictedLossless: t.lossless.Load(),
		EvictedLossy:    t.lossy.Load(),
	}
}
