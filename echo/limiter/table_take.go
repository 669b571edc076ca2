package limiter

import (
	"slices"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// batch is one decision's buckets, in memory that is used again: the slices are
// parallel.
type batch struct {
	takes   []Take
	plans   []*plan
	answers []Answer
	work    []workItem
	locks   []uint32
}

// workItem is a bucket while its set is locked.
type workItem struct {
	set   *set
	index uint32
	tag   uint64
	entry *entry
	state bucket.State
}

func (b *batch) reset() {
	clear(b.plans)
	b.takes, b.plans, b.answers = b.takes[:0], b.plans[:0], b.answers[:0]
	b.work, b.locks = b.work[:0], b.locks[:0]
}

func (b *batch) add(t Take, p *plan) {
	b.takes = append(b.takes, t)
	b.plans = append(b.plans, p)
	b.answers = append(b.answers, Answer{})
}

// decide decides a batch in this process: every bucket that is not Shadow gives
// its cost or none does. It reports false, having done nothing, when the policy
// that the batch was made from is too old; see [table.publish].
func (t *table) decide(b *batch, epoch uint64, now int64, peek bool) bool {
	t.lock(b)
	defer t.unlock(b)
	if epoch < t.epoch.Load() {
		return false
	}
	refused := false
	for i := range b.work {
		w := &b.work[i]
		w.entry = w.set.find(w.tag)
		w.state = t.state(w.entry, b.plans[i], now)
		room := b.plans[i].local.HasRoom(w.state, b.takes[i].Cost)
		b.answers[i].Denied = !room
		refused = refused || !room && !b.takes[i].Shadow
	}
	if !peek {
		t.write(b, now, !refused)
	}
	b.number(now)
	return true
}

// lock finds the batch's sets and locks them in rising order, so that two
// batches cannot wait for each other.
func (t *table) lock(b *batch) {
	b.work, b.locks = b.work[:0], b.locks[:0]
	for i := range b.takes {
		index, tag := t.address(&b.takes[i].Key)
		b.work = append(b.work, workItem{set: &t.sets[index], index: index, tag: tag})
		b.locks = append(b.locks, index)
	}
	if len(b.locks) > 1 {
		slices.Sort(b.locks)
		b.locks = slices.Compact(b.locks)
	}
	for _, index := range b.locks {
		t.sets[index].mu.Lock()
	}
}

func (t *table) unlock(b *batch) {
	for _, index := range b.locks {
		t.sets[index].mu.Unlock()
	}
}

// write takes the tokens, unless the batch was refused, and keeps every bucket
// that was known, so that one whose limit changed goes on at its new rate even
// while its client is refused.
func (t *table) write(b *batch, now int64, take bool) {
	for i := range b.work {
		w := &b.work[i]
		if take && !b.answers[i].Denied {
			w.state = b.plans[i].local.Take(w.state, b.takes[i].Cost)
		}
		if w.entry != nil {
			w.entry.store(w.state, b.plans[i].id)
		}
	}
	for i := range b.work {
		w := &b.work[i]
		if w.entry != nil || w.state.Debt == 0 {
			continue
		}
		e := t.room(w.set, now, b.needs)
		e.tag = w.tag
		e.store(w.state, b.plans[i].id)
	}
}

// needs reports whether an entry belongs to the batch.
func (b *batch) needs(tag uint64) bool {
	for i := range b.work {
		if b.work[i].tag == tag {
			return true
		}
	}
	return false
}

// number fills in what the answers tell the client.
func (b *batch) number(now int64) {
	for i := range b.work {
		spec, st, a := &b.plans[i].local, b.work[i].state, &b.answers[i]
		a.Remaining = spec.Tokens(st)
		a.Wait = time.Duration(spec.Wait(st, b.takes[i].Cost, now))
		a.Full = time.Duration(spec.Full(st, now))
	}
}
