package controllers

import "sync"

// redisFacts is what the Redis controller knows of each namespace's managed
// instance, for the policies' reconciler to read.
type redisFacts struct {
	mu          sync.Mutex
	byNamespace map[string]redisFact
}

func newRedisFacts() *redisFacts { return &redisFacts{byNamespace: map[string]redisFact{}} }

// get returns what is known; its known field is false before the first look.
func (r *redisFacts) get(namespace string) redisFact {
	r.mu.Lock()
	defer r.mu.Unlock()
	fact := r.byNamespace[namespace]
	fact.managed = true
	return fact
}

// set stores what was found and reports whether it differs from before.
func (r *redisFacts) set(namespace string, fact redisFact) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	fact.managed, fact.known = true, true
	changed := !r.byNamespace[namespace].equal(fact)
	r.byNamespace[namespace] = fact
	return changed
}

func (f redisFact) equal(other redisFact) bool {
	a, b := f.blocked, other.blocked
	if a != nil && b != nil && *a == *b {
		f.blocked, other.blocked = nil, nil
	}
	return f == other
}

func (r *redisFacts) forget(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byNamespace, namespace)
}
