package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// transition is one event worth telling: a condition that turned.
type transition struct {
	eventType string
	reason    string
	action    string
	note      string
}

// transitionsBetween lists the events that lead from one status to the next.
// Events tell of turns only, so a state that lasts is told once.
func transitionsBetween(old, now []metav1.Condition) []transition {
	var result []transition
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionRedisReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionReady} {
		before, after := meta.FindStatusCondition(old, kind), meta.FindStatusCondition(now, kind)
		if after == nil || after.Status == metav1.ConditionUnknown || !turned(kind, before, after) {
			continue
		}
		result = append(result, transition{
			eventType: eventType(kind, after), reason: after.Reason, action: kind, note: after.Message,
		})
	}
	return result
}

// turned leaves out a policy's first steps: that pods are not there yet is no news.
func turned(kind string, before, after *metav1.Condition) bool {
	if kind == v1alpha1.ConditionStalled {
		return before == nil || before.Reason != after.Reason
	}
	if before == nil || before.Status == metav1.ConditionUnknown {
		return after.Status == metav1.ConditionTrue && kind == v1alpha1.ConditionReady
	}
	return before.Status != after.Status || before.Reason != after.Reason && alarming(after)
}

// alarming reasons are told even when the condition's status stays as it was.
func alarming(c *metav1.Condition) bool {
	return c.Reason == v1alpha1.ReasonFallbackActive || c.Reason == v1alpha1.ReasonPodUnreachable
}

func eventType(kind string, c *metav1.Condition) string {
	calm := c.Reason == v1alpha1.ReasonPodsLagging || c.Reason == v1alpha1.ReasonRolloutInProgress ||
		c.Reason == v1alpha1.ReasonScaledToZero || c.Reason == v1alpha1.ReasonSuspended
	if kind != v1alpha1.ConditionStalled && c.Reason != v1alpha1.ReasonFallbackActive && (c.Status == metav1.ConditionTrue || calm) {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}
