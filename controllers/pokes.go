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

const (
	firstPokePause   = 200 * time.Millisecond
	longestPokePause = 30 * time.Second
)

// pokes remembers when each pod was last poked, for which hash, and how often.
type pokes struct {
	mu       sync.Mutex
	byPolicy map[types.NamespacedName]map[types.UID]poke
}

type poke struct {
	hash  string
	count int
	at    time.Time
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
	last, known := p.byPolicy[policy][uid]
	if known && last.hash == hash {
		pause := min(firstPokePause<<min(last.count, 10), longestPokePause)
		if left := last.at.Add(pause).Sub(now); left > 0 {
			return nil, left
		}
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
	if p.byPolicy[policy] == nil {
		p.byPolicy[policy] = map[types.UID]poke{}
	}
	count := 0
	if last := p.byPolicy[policy][uid]; last.hash == hash {
		count = last.count + 1
	}
	p.byPolicy[policy][uid] = poke{hash: hash, count: count, at: now}
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
