package controllers

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

const (
	maxLaggards     = 10
	maxLaggardBytes = 512
	maxMessageBytes = 1024
)

// statusFor computes the whole status from the facts. It does no IO and reads
// no clock, and equal facts give equal statuses, so that nothing is written
// when nothing changed.
func statusFor(f *facts) v1alpha1.RateLimitPolicyStatus {
	old := f.policy.Status
	status := v1alpha1.RateLimitPolicyStatus{
		ObservedGeneration: f.policy.Generation,
		ConfigHash:         f.limitsHash,
		Selector:           desired.EchoSelectorString(f.policy.Name),
		Laggards:           laggards(f),
	}
	for _, pod := range f.pods {
		if pod.serving || !pod.terminating {
			status.Replicas++
		}
		if pod.serving {
			status.ReadyReplicas++
			if pod.loaded(f.limitsHash) {
				status.LoadedReplicas++
			}
		}
	}
	status.Conditions = conditionsFor(f, old.Conditions)
	status.LastLoadedTime = lastLoaded(f, old, status)
	return status
}

// trouble is the first complaint that the Deployment or a pod makes, without
// the pods' generated names, which would make the status change for ever.
func trouble(f *facts) string {
	if t := deploymentTrouble(f.deployment); t != "" {
		return withoutPodNames(t, f)
	}
	for _, pod := range f.pods {
		if pod.trouble != "" {
			return withoutPodNames(pod.trouble, f)
		}
	}
	return ""
}

func withoutPodNames(text string, f *facts) string {
	for _, pod := range f.pods {
		text = strings.ReplaceAll(text, pod.name, "the pod")
	}
	return text
}

func laggards(f *facts) []v1alpha1.Laggard {
	var result []v1alpha1.Laggard
	for _, pod := range f.counted() {
		if f.limitsHash != "" && !pod.loaded(f.limitsHash) && len(result) < maxLaggards {
			result = append(result, v1alpha1.Laggard{
				Pod: pod.name, Hash: pod.answer.Config.LimitsHash, Reason: clip(laggardReason(pod), maxLaggardBytes),
			})
		}
	}
	return result
}

func laggardReason(pod podFact) string {
	switch {
	case pod.answer.At.IsZero():
		return "not asked yet"
	case pod.answer.Err != nil:
		return "cannot be asked: " + unreachableText(pod.answer.Err)
	case pod.answer.Config.LastError != nil:
		return "refused the new file: " + pod.answer.Config.LastError.Message
	default:
		return "runs other limits"
	}
}

func lastLoaded(f *facts, old, now v1alpha1.RateLimitPolicyStatus) *metav1.Time {
	if !meta.IsStatusConditionTrue(now.Conditions, v1alpha1.ConditionEnforced) {
		return old.LastLoadedTime
	}
	if old.LastLoadedTime != nil && old.ConfigHash == now.ConfigHash && meta.IsStatusConditionTrue(old.Conditions, v1alpha1.ConditionEnforced) {
		return old.LastLoadedTime
	}
	return &metav1.Time{Time: f.now}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: clip(message, maxMessageBytes)}
}

// clip shortens text at a character's boundary.
func clip(text string, limitBytes int) string {
	if len(text) <= limitBytes {
		return text
	}
	return strings.ToValidUTF8(text[:limitBytes-3], "") + "..."
}
