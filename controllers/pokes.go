package controllers

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// A kubelet refreshes a mounted ConfigMap about a minute after it changed, but
// 0.3 s after an annotation of the pod changed (measured on Kubernetes 1.37 at
// its defaults). So each pod that runs other limits than it should gets the
// wanted hash as an annotation. The pod's update can overtake the ConfigMap's
// inside the kubelet; then a second annotation is changed, until the pod runs it.
//
// A poke too early or too many is dear: a kubelet that has just looked at a pod
// looks again only after its next round, up to a second later. So the ConfigMap
// gets a head start, and a second poke waits until the first one must have
// failed. Measured with 3 pods and edits 1 to 2 s apart, on a shared machine: p99
// 1.7 s with no head start and 200 ms, 0.7 s with these.

const (
	pokeHeadStart    = 60 * time.Millisecond
	firstPokePause   = 500 * time.Millisecond
	longestPokePause = 30 * time.Second
)

// pokes remembers when each pod was last poked, for which hash, and how often.
type pokes struct {
	mu       sync.Mutex
	byPolicy map[types.NamespacedName]map[types.UID]poke
}

type poke struct {
	hash string
	// count is how often the pod was poked for hash; 0 while it has its head start.
	count int
	// at is the time of the last poke, or of the head start's begin.
	at time.Time
}

func (p poke) pause() time.Duration {
	if p.count == 0 {
		return pokeHeadStart
	}
	return min(firstPokePause<<min(p.count-1, 10), longestPokePause)
}

func newPokes() *pokes {
	return &pokes{byPolicy: map[types.NamespacedName]map[types.UID]poke{}}
}

// next says how a pod that runs another file than hash is to be poked: with
// which annotations now, or after which wait. annotated is the hash that the
// pod's annotation names already.
func (p *pokes) next(policy types.NamespacedName, uid types.UID, hash, annotated string, now time.Time) (map[string]string, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.byPolicy[policy][uid]
	if last.hash != hash {
		last = poke{hash: hash, at: now}
		p.set(policy, uid, last)
	}
	if left := last.at.Add(last.pause()).Sub(now); left > 0 {
		return nil, left
	}
	if annotated != hash {
		return map[string]string{v1alpha1.AnnotationConfigHash: hash}, 0
	}
	return map[string]string{v1alpha1.AnnotationPoke: strconv.FormatInt(now.UnixMilli(), 10)}, 0
}

// record notes that the pod was poked for hash.
func (p *pokes) record(policy types.NamespacedName, uid types.UID, hash string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.byPolicy[policy][uid]
	if last.hash != hash {
		last = poke{hash: hash}
	}
	p.set(policy, uid, poke{hash: hash, count: last.count + 1, at: now})
}

// set must be called with the lock held.
func (p *pokes) set(policy types.NamespacedName, uid types.UID, value poke) {
	if p.byPolicy[policy] == nil {
		p.byPolicy[policy] = map[types.UID]poke{}
	}
	p.byPolicy[policy][uid] = value
}

// keep drops what is remembered of the policy's pods that alive does not name.
func (p *pokes) keep(policy types.NamespacedName, alive map[types.UID]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.byPolicy[policy], func(uid types.UID, _ poke) bool { return !alive[uid] })
	if len(p.byPolicy[policy]) == 0 {
		delete(p.byPolicy, policy)
	}
}
