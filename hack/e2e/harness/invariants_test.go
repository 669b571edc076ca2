package harness_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

const generation = 7

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "as it should be", ObservedGeneration: generation}
}

// settled is a status with which all is well.
func settled() *v1alpha1.RateLimitPolicy {
	return &v1alpha1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Generation: generation},
		Status: v1alpha1.RateLimitPolicyStatus{
			ObservedGeneration: generation, ConfigHash: "sha256:ab", Replicas: 3, ReadyReplicas: 3, LoadedReplicas: 3,
			LastLoadedTime: &metav1.Time{Time: time.Unix(1, 0)},
			Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonValid),
				condition(v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable),
				condition(v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonLoadedByAllPods),
				condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonEnforced),
			},
		},
	}
}

func set(p *v1alpha1.RateLimitPolicy, c metav1.Condition) {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == c.Type {
			p.Status.Conditions[i] = c
			return
		}
	}
	p.Status.Conditions = append(p.Status.Conditions, c)
}

// Each status that lies in one way is found, and named; the honest ones pass.
func TestViolations(t *testing.T) {
	reconciling := condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	stalled := condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonForeignObject)
	notReady := func(reason string) metav1.Condition {
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, reason)
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.RateLimitPolicy)
		want   string // part of the only violation; empty for none
	}{
		"settled":   {func(*v1alpha1.RateLimitPolicy) {}, ""},
		"no status": {func(p *v1alpha1.RateLimitPolicy) { p.Status = v1alpha1.RateLimitPolicyStatus{} }, ""},
		"reconciling": {func(p *v1alpha1.RateLimitPolicy) {
			set(p, notReady(v1alpha1.ReasonPodsLagging))
			set(p, reconciling)
		}, ""},
		"Ready for an older generation": {func(p *v1alpha1.RateLimitPolicy) { p.Generation++ }, "was written onto generation 8"},
		"a generation of the future":    {func(p *v1alpha1.RateLimitPolicy) { p.Generation--; set(p, notReady("X")) }, "not among 1 to generation 6"},
		"a condition of another generation": {func(p *v1alpha1.RateLimitPolicy) {
			p.Status.Conditions[0].ObservedGeneration--
		}, "Accepted has observedGeneration 6"},
		"a condition is missing": {func(p *v1alpha1.RateLimitPolicy) {
			p.Status.Conditions = p.Status.Conditions[1:]
			set(p, notReady("X"))
		}, "Accepted is missing"},
		"Ready while reconciling": {func(p *v1alpha1.RateLimitPolicy) { set(p, reconciling) }, "Reconciling and Ready are both True"},
		"Reconciling is False": {func(p *v1alpha1.RateLimitPolicy) {
			set(p, condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, "X"))
			set(p, notReady("X"))
		}, "Reconciling is there and False"},
		"both Reconciling and Stalled": {func(p *v1alpha1.RateLimitPolicy) {
			set(p, condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonForeignObject))
			set(p, notReady(v1alpha1.ReasonForeignObject))
			set(p, stalled)
			set(p, reconciling)
		}, "Stalled and Reconciling are both there"},
		"Stalled for one reason, not Ready for another": {func(p *v1alpha1.RateLimitPolicy) {
			set(p, condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonForeignObject))
			set(p, notReady(v1alpha1.ReasonInvalidSpec))
			set(p, stalled)
		}, "Ready says InvalidSpec"},
		"Enforced and a pod lags":     {func(p *v1alpha1.RateLimitPolicy) { p.Status.LoadedReplicas-- }, "Enforced with 2 of 3"},
		"Enforced and a laggard":      {func(p *v1alpha1.RateLimitPolicy) { p.Status.Laggards = []v1alpha1.Laggard{{Pod: "a"}} }, "1 laggards"},
		"Ready and not enforced":      {func(p *v1alpha1.RateLimitPolicy) { set(p, condition(v1alpha1.ConditionEnforced, "False", "X")) }, "Enforced is not True"},
		"Ready without Redis":         {func(p *v1alpha1.RateLimitPolicy) { set(p, condition(v1alpha1.ConditionRedisReady, "False", "X")) }, "RedisReady is not True"},
		"more loaded than ready pods": {func(p *v1alpha1.RateLimitPolicy) { p.Status.Replicas = 2 }, "3 loaded of 3 ready of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := settled()
			test.change(p)
			found := harness.Violations(p)
			switch {
			case test.want == "" && len(found) > 0:
				t.Fatalf("expected no violation, got %q", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0], test.want)):
				t.Fatalf("expected just one violation, with %q, got %q", test.want, found)
			}
		})
	}
}

// Enforced needs pods: all of none is not enforced, unless that was asked for.
func TestEnforcedNeedsPods(t *testing.T) {
	p := settled()
	p.Status.Replicas, p.Status.ReadyReplicas, p.Status.LoadedReplicas = 0, 0, 0
	if found := harness.Violations(p); len(found) != 1 || !strings.Contains(found[0], "Enforced with 0 of 0") {
		t.Fatalf("got %q", found)
	}
	set(p, condition(v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonScaledToZero))
	set(p, condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero))
	if found := harness.Violations(p); len(found) != 0 {
		t.Fatalf("scaled to zero: expected no violation, got %q", found)
	}
}

// Tools that wait for an object see it settled only when it is.
func TestKstatus(t *testing.T) {
	for want, change := range map[string]func(*v1alpha1.RateLimitPolicy){
		harness.KstatusCurrent:    func(*v1alpha1.RateLimitPolicy) {},
		harness.KstatusInProgress: func(p *v1alpha1.RateLimitPolicy) { p.Generation++ },
		harness.KstatusFailed: func(p *v1alpha1.RateLimitPolicy) {
			set(p, condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec))
		},
		harness.KstatusTerminating: func(p *v1alpha1.RateLimitPolicy) { p.DeletionTimestamp = &metav1.Time{} },
	} {
		p := settled()
		change(p)
		if got := harness.Kstatus(p); got != want {
			t.Errorf("got %s, expected %s", got, want)
		}
	}
	notReady := settled()
	set(notReady, condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended))
	if got := harness.Kstatus(notReady); got != harness.KstatusInProgress {
		t.Errorf("not Ready: got %s, expected %s", got, harness.KstatusInProgress)
	}
}
