package harness

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// maxLaggards is the bound of status.laggards.
const maxLaggards = 10

// Violations lists what a status that the operator wrote must never say, in
// words; nil when all is well. They are what tools that wait for an object rest
// on (kstatus, and the conditions that Flux checks), and what this API promises
// beyond: Enforced and Ready are claims about pods.
func Violations(p *v1alpha1.RateLimitPolicy) []string {
	if p.Status.ObservedGeneration == 0 && len(p.Status.Conditions) == 0 {
		return nil // not looked at yet
	}
	c := &checker{policy: p}
	c.generations()
	c.polarity()
	c.claims()
	return c.found
}

type checker struct {
	policy *v1alpha1.RateLimitPolicy
	found  []string
}

func (c *checker) expect(ok bool, format string, args ...any) {
	if !ok {
		c.found = append(c.found, fmt.Sprintf(format, args...))
	}
}

// find gives a condition; a missing one is like one without status.
func (c *checker) find(kind string) metav1.Condition {
	if found := meta.FindStatusCondition(c.policy.Status.Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{}
}

func (c *checker) isTrue(kind string) bool { return c.find(kind).Status == metav1.ConditionTrue }

// generations: status speaks of one generation, which is none of the future, and
// Ready never of an older one than the spec's.
func (c *checker) generations() {
	observed, generation := c.policy.Status.ObservedGeneration, c.policy.Generation
	c.expect(observed >= 1 && observed <= generation, "observedGeneration %d is not among 1 to generation %d", observed, generation)
	for _, condition := range c.policy.Status.Conditions {
		c.expect(condition.ObservedGeneration == observed,
			"%s has observedGeneration %d, status has %d", condition.Type, condition.ObservedGeneration, observed)
		c.expect(condition.Reason != "" && condition.Message != "", "%s has no reason or no message", condition.Type)
	}
	c.expect(!c.isTrue(v1alpha1.ConditionReady) || observed == generation,
		"Ready is True for generation %d and was written onto generation %d", observed, generation)
}

// polarity: the conditions that are always there, those that are there only
// while True, and which exclude each other.
func (c *checker) polarity() {
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionRedisReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionReady} {
		c.expect(c.find(kind).Status != "", "%s is missing", kind)
	}
	ready, stalled, reconciling := c.find(v1alpha1.ConditionReady), c.find(v1alpha1.ConditionStalled), c.find(v1alpha1.ConditionReconciling)
	for _, abnormal := range []metav1.Condition{stalled, reconciling} {
		c.expect(abnormal.Status == "" || abnormal.Status == metav1.ConditionTrue, "%s is there and %s", abnormal.Type, abnormal.Status)
		c.expect(abnormal.Status == "" || ready.Status != metav1.ConditionTrue, "%s and Ready are both True", abnormal.Type)
	}
	c.expect(stalled.Status == "" || reconciling.Status == "", "Stalled and Reconciling are both there")
	if stalled.Status != "" {
		c.expect(ready.Status == metav1.ConditionFalse, "Stalled, and Ready is %s", ready.Status)
		c.expect(ready.Reason == stalled.Reason && ready.Message == stalled.Message,
			"Ready says %s (%s), Stalled says %s (%s)", ready.Reason, ready.Message, stalled.Reason, stalled.Message)
		c.expect(c.find(v1alpha1.ConditionAccepted).Status == metav1.ConditionFalse, "Stalled, and Accepted is not False")
	}
}

// claims: what Enforced and Ready say must agree with the rest of the status.
func (c *checker) claims() {
	s := c.policy.Status
	if c.isTrue(v1alpha1.ConditionEnforced) {
		c.expect(s.LoadedReplicas == s.ReadyReplicas && s.ReadyReplicas > 0,
			"Enforced with %d of %d ready pods confirmed", s.LoadedReplicas, s.ReadyReplicas)
		c.expect(s.ConfigHash != "" && s.LastLoadedTime != nil && len(s.Laggards) == 0,
			"Enforced with configHash %q, lastLoadedTime %v and %d laggards", s.ConfigHash, s.LastLoadedTime, len(s.Laggards))
	}
	c.expect(s.LoadedReplicas <= s.ReadyReplicas && s.ReadyReplicas <= s.Replicas,
		"%d loaded of %d ready of %d replicas", s.LoadedReplicas, s.ReadyReplicas, s.Replicas)
	c.expect(len(s.Laggards) <= maxLaggards, "%d laggards", len(s.Laggards))
	ready := c.find(v1alpha1.ConditionReady)
	if ready.Status != metav1.ConditionTrue {
		return
	}
	c.expect(c.isTrue(v1alpha1.ConditionAccepted), "Ready, and Accepted is not True")
	if ready.Reason == v1alpha1.ReasonScaledToZero {
		c.expect(s.ReadyReplicas == 0, "ScaledToZero with %d ready pods", s.ReadyReplicas)
		return
	}
	c.expect(c.isTrue(v1alpha1.ConditionEnforced), "Ready, and Enforced is not True")
	c.expect(c.isTrue(v1alpha1.ConditionRedisReady), "Ready, and RedisReady is not True")
}

// The results of [Kstatus].
const (
	KstatusCurrent     = "Current"
	KstatusInProgress  = "InProgress"
	KstatusFailed      = "Failed"
	KstatusTerminating = "Terminating"
)

// Kstatus is how tools that know nothing of this API read an object: the generic
// order of sigs.k8s.io/cli-utils/pkg/kstatus.
func Kstatus(p *v1alpha1.RateLimitPolicy) string {
	c := checker{policy: p}
	switch {
	case p.DeletionTimestamp != nil:
		return KstatusTerminating
	case p.Status.ObservedGeneration != 0 && p.Status.ObservedGeneration != p.Generation:
		return KstatusInProgress
	case c.isTrue(v1alpha1.ConditionReconciling):
		return KstatusInProgress
	case c.isTrue(v1alpha1.ConditionStalled):
		return KstatusFailed
	case c.find(v1alpha1.ConditionReady).Status == "" || c.isTrue(v1alpha1.ConditionReady):
		return KstatusCurrent
	default:
		return KstatusInProgress
	}
}
