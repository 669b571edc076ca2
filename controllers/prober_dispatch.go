package controllers

import (
	"container/heap"
	"context"
	"time"

	"github.com/echo-operator/echo-operator/echo/config"
)

// dispatch starts what is due and has a slot; it returns how long until more is due.
func (p *Prober) dispatch(ctx context.Context) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	for len(p.due) > 0 && !p.due[0].dueAt.After(now) {
		pod, _ := heap.Pop(&p.due).(*probedPod)
		p.admit(pod)
	}
	for p.inFlight < proberInFlight && len(p.ready) > 0 {
		p.start(ctx, pop(&p.ready))
	}
	for p.inFlight < proberInFlight && p.failed < proberFailingInFlight && len(p.failing) > 0 {
		p.start(ctx, pop(&p.failing))
	}
	if len(p.due) == 0 {
		return proberRecheck
	}
	return p.due[0].dueAt.Sub(now)
}

// admit lines a due pod up for a slot, or behind its policy's other pods.
func (p *Prober) admit(pod *probedPod) {
	pod.busy = true
	if pod.policy.admitted >= proberPerPolicy {
		pod.policy.waiting = append(pod.policy.waiting, pod)
		return
	}
	pod.policy.admitted++
	if pod.answer.Err != nil {
		p.failing = append(p.failing, pod)
	} else {
		p.ready = append(p.ready, pod)
	}
}

func (p *Prober) start(ctx context.Context, pod *probedPod) {
	if pod.dropped {
		p.release(pod.policy)
		return
	}
	failedBefore := pod.answer.Err != nil
	p.inFlight++
	if failedBefore {
		p.failed++
	}
	target := pod.target
	p.done.Go(func() {
		askCtx, cancel := context.WithTimeout(ctx, proberTimeout)
		defer cancel()
		reply, err := p.asker.Ask(askCtx, target)
		p.finish(ctx, pod, reply, err, failedBefore)
	})
}

func pop(queue *[]*probedPod) *probedPod {
	pod := (*queue)[0]
	*queue = (*queue)[1:]
	return pod
}

// release gives a policy's place to the next of its pods.
func (p *Prober) release(policy *probedPolicy) {
	policy.admitted--
	for len(policy.waiting) > 0 {
		if next := pop(&policy.waiting); !next.dropped {
			p.admit(next)
			return
		}
	}
}

func (p *Prober) finish(ctx context.Context, pod *probedPod, reply config.Configz, err error, failedBefore bool) {
	p.mu.Lock()
	p.inFlight--
	if failedBefore {
		p.failed--
	}
	p.release(pod.policy)
	pod.busy = false
	changed := false
	if !pod.dropped && ctx.Err() == nil {
		answer := Answer{Config: reply, Err: err, At: p.clock.Now()}
		changed = materiallyDifferent(pod.answer, answer)
		pod.answer = answer
		p.reschedule(pod)
	}
	key := pod.policy.key
	p.kick()
	p.mu.Unlock()
	if changed {
		p.notify(ctx, key)
	}
}

func (p *Prober) reschedule(pod *probedPod) {
	delay := settledDelay(pod.answer, pod.policy.wantHash)
	if delay == 0 {
		pod.tries++
		delay = unsettledDelay(pod.answer, pod.tries)
	} else {
		pod.tries = 0
	}
	if pod.again {
		pod.again, delay = false, 0
	}
	pod.dueAt = p.clock.Now().Add(delay)
	heap.Push(&p.due, pod)
}
