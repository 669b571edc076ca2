package controllers

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

// facts is all that a policy's status is computed from.
type facts struct {
	policy *v1alpha1.RateLimitPolicy
	// limitsHash is the hash that pods are to confirm; empty when the spec makes no file.
	limitsHash string
	verdict    verdict
	// deployment is nil while there is none.
	deployment *appsv1.Deployment
	pods       []podFact
	redis      redisFact
	// upgradePending: a newer pod template waits for its turn.
	upgradePending bool
	now            time.Time
}

// podFact is one pod of the policy that has not ended.
type podFact struct {
	uid     types.UID
	name    string
	address string
	// annotated is the file hash in the pod's annotation.
	annotated string
	// serving pods count: they are ready, whether they are being deleted or not.
	serving     bool
	terminating bool
	// trouble is what the pod itself says about why it does not start.
	trouble string
	answer  Answer
}

// redisFact is what is known of the Redis that a policy uses.
type redisFact struct {
	// managed: the namespace's instance, run by the operator.
	managed bool
	// known is false until the managed instance was looked at once.
	known bool
	// ready: the managed instance accepts connections.
	ready bool
	// message says why it does not.
	message string
	// blocked is a fault that keeps the operator from running the instance.
	blocked *terminalError
}

func (p podFact) loaded(limitsHash string) bool {
	return p.answer.Err == nil && limitsHash != "" && p.answer.Config.LimitsHash == limitsHash
}

func (p podFact) inFallback() bool {
	return p.answer.Err == nil && p.answer.Config.Store.State == config.StoreStateFallback
}

// counted returns the pods that serve clients: those that the status speaks of.
func (f *facts) counted() []podFact {
	var serving []podFact
	for _, pod := range f.pods {
		if pod.serving {
			serving = append(serving, pod)
		}
	}
	return serving
}

func (f *facts) wantedReplicas() int32 { return wantedReplicas(f.policy) }

func wantedReplicas(p *v1alpha1.RateLimitPolicy) int32 {
	if p.Spec.Echo.Replicas == nil {
		return 2 // the schema's default, for objects that did not pass through an API server
	}
	return *p.Spec.Echo.Replicas
}

// podTrouble returns what a pod says about why it is not running: a waiting
// container's reason and message, or the scheduler's.
func podTrouble(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if w := status.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return joinReason(w.Reason, w.Message)
		}
		if t := status.LastTerminationState.Terminated; t != nil && !status.Ready {
			return joinReason(t.Reason, t.Message)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return joinReason(condition.Reason, condition.Message)
		}
	}
	return ""
}

func joinReason(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// deploymentTrouble is what a Deployment says about pods it cannot create, as over a quota.
func deploymentTrouble(d *appsv1.Deployment) string {
	if d == nil {
		return ""
	}
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return joinReason(condition.Reason, condition.Message)
		}
	}
	return ""
}

// settled reports whether the Deployment is rolled out. While its controller
// has not looked at the newest change, which an annotation is too, a policy that
// was Ready stays so: nothing says that a pod changed.
func (f *facts) settled() bool {
	unseen := f.deployment != nil && f.deployment.Status.ObservedGeneration < f.deployment.Generation
	wasReady := f.policy.Status.ObservedGeneration == f.policy.Generation &&
		meta.IsStatusConditionTrue(f.policy.Status.Conditions, v1alpha1.ConditionReady)
	return rolledOut(f.deployment) || unseen && wasReady
}

// rolledOut reports whether all the Deployment's pods are of its newest
// template and ready, and no others are left.
func rolledOut(d *appsv1.Deployment) bool {
	if d == nil || d.Status.ObservedGeneration < d.Generation || d.Spec.Replicas == nil {
		return false
	}
	wanted, s := *d.Spec.Replicas, d.Status
	return s.Replicas == wanted && s.UpdatedReplicas == wanted && s.ReadyReplicas == wanted
}
