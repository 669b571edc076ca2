package controllers

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// conditionsFor evaluates the conditions in the order in which they rest on each other.
func conditionsFor(f *facts, old []metav1.Condition) []metav1.Condition {
	accepted := accepted(f)
	redisReady := redisReady(f)
	enforced := enforced(f)
	ready := ready(f, accepted, redisReady, enforced)
	conditions := []metav1.Condition{accepted, redisReady, enforced, ready}
	if accepted.Status == metav1.ConditionFalse {
		conditions = append(conditions, condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, accepted.Reason, accepted.Message))
	} else if reason, message := reconciling(enforced, ready); reason != "" {
		conditions = append(conditions, condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message))
	}
	// Only what changed gets a new transition time; what is absent here is dropped.
	var result []metav1.Condition
	for _, c := range conditions {
		c.ObservedGeneration = f.policy.Generation
		c.LastTransitionTime = metav1.NewTime(f.now)
		if before := meta.FindStatusCondition(old, c.Type); before != nil && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
		result = append(result, c)
	}
	return result
}

func accepted(f *facts) metav1.Condition {
	if t := f.terminal(); t != nil {
		return condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, t.reason, t.message)
	}
	return condition(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonValid, "the spec is valid")
}

// terminal is what stalls the policy: its own fault, or that of the Redis it needs.
func (f *facts) terminal() *terminalError {
	if f.verdict.terminal != nil {
		return f.verdict.terminal
	}
	return f.redis.blocked
}

func redisReady(f *facts) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionRedisReady, status, reason, message)
	}
	if f.terminal() != nil {
		return is(metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "not looked at while the policy is not accepted")
	}
	if !desired.UsesRedis(f.policy) {
		return is(metav1.ConditionTrue, v1alpha1.ReasonNotUsed, "the store is Memory: each pod has buckets of its own")
	}
	if f.redis.managed && !f.redis.ready {
		return is(metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable, joinReason("the namespace's Redis is not ready", f.redis.message))
	}
	counted := f.counted()
	cutOff, heard := 0, 0
	for _, pod := range counted {
		if pod.answer.Err == nil && !pod.answer.At.IsZero() {
			heard++
		}
		if pod.inFallback() {
			cutOff++
		}
	}
	switch {
	case cutOff > 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable, fmt.Sprintf("%d of %d pods do not reach Redis", cutOff, len(counted)))
	case !f.redis.managed && heard == 0 && f.wantedReplicas() > 0:
		return is(metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "no pod has said yet whether it reaches Redis")
	default:
		return is(metav1.ConditionTrue, v1alpha1.ReasonAvailable, "no pod reports Redis out of reach")
	}
}

func enforced(f *facts) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionEnforced, status, reason, message)
	}
	if f.terminal() != nil {
		return is(metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "not looked at while the policy is not accepted")
	}
	counted := f.counted()
	lagging, unreachable := countLagging(counted, f.limitsHash)
	switch {
	case f.policy.Spec.Suspend && (lagging > 0 || len(counted) == 0):
		return is(metav1.ConditionFalse, v1alpha1.ReasonSuspended, "spec.suspend is true and the pods do not run these limits")
	case len(counted) == 0 && f.wantedReplicas() == 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonScaledToZero, "spec.echo.replicas is 0, so no pod enforces the limits")
	case len(counted) == 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, podsNotReadyMessage(f))
	case lagging > 0 && lagging == unreachable:
		return is(metav1.ConditionFalse, v1alpha1.ReasonPodUnreachable, fmt.Sprintf("%d of %d pods cannot be asked which limits they run", lagging, len(counted)))
	case lagging > 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonPodsLagging, fmt.Sprintf("%d of %d pods run the wanted limits", len(counted)-lagging, len(counted)))
	case desired.UsesRedis(f.policy) && slices.ContainsFunc(counted, podFact.inFallback):
		return fallbackEnforced(f, is)
	default:
		return is(metav1.ConditionTrue, v1alpha1.ReasonLoadedByAllPods, fmt.Sprintf("all %d pods confirmed the limits", len(counted)))
	}
}

// fallbackEnforced: without Redis the limits still hold, in the way that
// onOutage says, unless it lets everything through.
func fallbackEnforced(f *facts, is func(metav1.ConditionStatus, string, string) metav1.Condition) metav1.Condition {
	onOutage := f.policy.Spec.Store.OnOutage
	if onOutage == v1alpha1.OutageAllow {
		return is(metav1.ConditionFalse, v1alpha1.ReasonFallbackActive, "Redis is out of reach and onOutage is Allow: nothing is limited")
	}
	return is(metav1.ConditionTrue, v1alpha1.ReasonFallbackActive, fmt.Sprintf("Redis is out of reach; pods decide by onOutage %s", onOutage))
}

func countLagging(counted []podFact, limitsHash string) (lagging, unreachable int) {
	for _, pod := range counted {
		if !pod.loaded(limitsHash) {
			lagging++
		}
		if pod.answer.Err != nil {
			unreachable++
		}
	}
	return lagging, unreachable
}

func ready(f *facts, accepted, redisReady, enforced metav1.Condition) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(v1alpha1.ConditionReady, status, reason, message)
	}
	switch {
	case accepted.Status != metav1.ConditionTrue:
		return is(metav1.ConditionFalse, accepted.Reason, accepted.Message)
	case f.verdict.waiting != nil:
		return is(metav1.ConditionFalse, f.verdict.waiting.reason, f.verdict.waiting.message)
	case f.verdict.transient != nil:
		return is(metav1.ConditionFalse, v1alpha1.ReasonProgressing, "the children could not all be written yet")
	case enforced.Reason == v1alpha1.ReasonSuspended:
		return is(metav1.ConditionFalse, v1alpha1.ReasonSuspended, enforced.Message)
	case enforced.Reason == v1alpha1.ReasonScaledToZero:
		return is(metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, enforced.Message)
	case enforced.Status != metav1.ConditionTrue && enforced.Reason != v1alpha1.ReasonFallbackActive:
		return is(metav1.ConditionFalse, enforced.Reason, enforced.Message)
	case redisReady.Status != metav1.ConditionTrue:
		return is(metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable, redisReady.Message)
	case f.upgradePending:
		return is(metav1.ConditionFalse, v1alpha1.ReasonUpgradePending, "newer pods wait for other rollouts to end")
	case !f.policy.Spec.Suspend && !f.settled():
		return rollingOut(f, is)
	default:
		return is(metav1.ConditionTrue, v1alpha1.ReasonEnforced, enforced.Message)
	}
}

func rollingOut(f *facts, is func(metav1.ConditionStatus, string, string) metav1.Condition) metav1.Condition {
	if f.deployment != nil && f.deployment.Status.UpdatedReplicas == f.wantedReplicas() &&
		f.deployment.Status.Replicas == f.wantedReplicas() {
		return is(metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, podsNotReadyMessage(f))
	}
	message := "pods are being replaced or added"
	if trouble := trouble(f); trouble != "" {
		message += "; " + trouble
	}
	return is(metav1.ConditionFalse, v1alpha1.ReasonRolloutInProgress, message)
}

// reconciling says what the operator is at work on; nothing when it is done,
// suspended, or waits for a Redis to come back.
func reconciling(enforced, ready metav1.Condition) (reason, message string) {
	switch {
	case ready.Status == metav1.ConditionTrue || ready.Reason == v1alpha1.ReasonSuspended:
		return "", ""
	case ready.Reason == v1alpha1.ReasonRedisUnavailable && enforced.Reason == v1alpha1.ReasonFallbackActive:
		return "", ""
	default:
		return ready.Reason, ready.Message
	}
}

func podsNotReadyMessage(f *facts) string {
	message := fmt.Sprintf("%d of %d pods are ready", len(f.counted()), f.wantedReplicas())
	if trouble := trouble(f); trouble != "" {
		message += "; " + trouble
	}
	return message
}
