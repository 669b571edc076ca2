package controllers_test

import (
	"context"
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// statusRecorder watches every status of every policy and checks what must hold
// of each, for a wrong status that lasts a millisecond is wrong all the same.
type statusRecorder struct {
	mu     sync.Mutex
	broken []string
	seen   int
}

func startStatusRecorder(cfg *rest.Config) *statusRecorder {
	watcher, err := client.NewWithWatch(cfg, client.Options{Scheme: suite.scheme})
	Expect(err).NotTo(HaveOccurred())
	stream, err := watcher.Watch(context.Background(), &v1alpha1.RateLimitPolicyList{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stream.Stop)
	r := &statusRecorder{}
	go func() {
		for event := range stream.ResultChan() {
			if policy, ok := event.Object.(*v1alpha1.RateLimitPolicy); ok {
				r.check(policy)
			}
		}
	}()
	return r
}

func (r *statusRecorder) violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

func (r *statusRecorder) check(p *v1alpha1.RateLimitPolicy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	for _, problem := range brokenInvariants(p) {
		r.broken = append(r.broken, fmt.Sprintf("%s/%s at %s: %s; status: %+v", p.Namespace, p.Name, p.ResourceVersion, problem, p.Status))
	}
}

// brokenInvariants are the rules that tools reading conditions rely on.
func brokenInvariants(p *v1alpha1.RateLimitPolicy) []string {
	s := p.Status
	if len(s.Conditions) == 0 {
		return nil
	}
	var problems []string
	rule := func(holds bool, text string) {
		if !holds {
			problems = append(problems, text)
		}
	}
	is := func(kind string) bool { return meta.IsStatusConditionTrue(s.Conditions, kind) }
	ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
	rule(ready != nil, "Ready is missing")
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionRedisReady, v1alpha1.ConditionEnforced} {
		rule(meta.FindStatusCondition(s.Conditions, kind) != nil, kind+" is missing")
	}
	rule(!is(v1alpha1.ConditionReconciling) || !is(v1alpha1.ConditionStalled), "Reconciling and Stalled at once")
	rule(!is(v1alpha1.ConditionReady) || !is(v1alpha1.ConditionReconciling) && !is(v1alpha1.ConditionStalled), "Ready while Reconciling or Stalled")
	rule(s.ObservedGeneration <= p.Generation, "observedGeneration is ahead")
	for _, c := range s.Conditions {
		rule(c.ObservedGeneration == s.ObservedGeneration, c.Type+" carries another generation")
		abnormal := c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled
		rule(!abnormal || c.Status == metav1.ConditionTrue, c.Type+" is present and not True")
		rule(!abnormal || ready == nil || ready.Reason == c.Reason, "Ready's reason is not "+c.Type+"'s")
	}
	rule(!is(v1alpha1.ConditionEnforced) || s.LoadedReplicas > 0 && s.LoadedReplicas == s.ReadyReplicas, "Enforced without every ready pod's confirmation")
	rule(!is(v1alpha1.ConditionEnforced) || len(s.Laggards) == 0, "Enforced with laggards")
	return problems
}

var _ = Describe("The invariants' checker", func() {
	It("finds a Ready that is reconciling", func() {
		p := &v1alpha1.RateLimitPolicy{}
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
			p.Status.Conditions = append(p.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue})
		}
		Expect(brokenInvariants(p)).To(ContainElement(ContainSubstring("Ready while Reconciling")))
	})
})
