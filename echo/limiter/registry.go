package limiter

import (
	"sync"
	"sync/atomic"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// registry numbers bucket specs, so that a table entry holds four bytes of a
// limit instead of the limit. Readers take no lock: the list is replaced, never
// changed in place where somebody may read.
type registry struct {
	mu    sync.Mutex
	ids   map[bucket.Spec]uint32
	free  []uint32
	specs atomic.Pointer[[]bucket.Spec]
}

func newRegistry() *registry {
	r := &registry{ids: map[bucket.Spec]uint32{}}
	r.specs.Store(&[]bucket.Spec{})
	return r
}

// id returns s's number, giving it one when it has none.
func (r *registry) id(s bucket.Spec) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.ids[s]; ok {
		return id
	}
	old := *r.specs.Load()
	specs := make([]bucket.Spec, len(old), len(old)+1)
	copy(specs, old)
	id := uint32(len(specs))
	if n := len(r.free); n > 0 {
		id, r.free = r.free[n-1], r.free[:n-1]
		specs[id] = s
	} else {
		specs = append(specs, s)
	}
	r.ids[s] = id
	r.specs.Store(&specs)
	return id
}

// spec returns the spec that a number in use stands for.
func (r *registry) spec(id uint32) bucket.Spec { return (*r.specs.Load())[id] }

// size is how many specs are numbered.
func (r *registry) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

// keep forgets every spec whose number is not in use, so that it can be given
// again. The caller sees to it that nobody holds one of the others.
func (r *registry) keep(used map[uint32]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, id := range r.ids {
		if !used[id] {
			delete(r.ids, s)
			r.free = append(r.free, id)
		}
	}
}
