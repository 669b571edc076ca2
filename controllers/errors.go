package controllers

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// terminalError is a fault that only a change of the policy or of its
// surroundings mends: the policy is Stalled until then.
type terminalError struct {
	reason  string
	message string
	// recheck is when to look again at what no watch reports; 0 for never.
	recheck time.Duration
}

func (e *terminalError) Error() string { return e.message }

// waitingError is a state that passes by itself: the policy is Reconciling.
type waitingError struct {
	reason  string
	message string
	after   time.Duration
}

func (e *waitingError) Error() string { return e.message }

// verdict is what an error means for the policy's status and the next look.
type verdict struct {
	terminal *terminalError
	waiting  *waitingError
	// transient is returned to the queue, which retries it with growing pauses.
	transient error
}

// judge is the one place where error types decide the outcome.
func judge(err error) verdict {
	var terminal *terminalError
	var waiting *waitingError
	switch {
	case err == nil:
		return verdict{}
	case errors.As(err, &terminal):
		return verdict{terminal: terminal}
	case errors.As(err, &waiting):
		return verdict{waiting: waiting}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return verdict{waiting: &waitingError{
			reason: v1alpha1.ReasonProgressing, message: "the namespace is being deleted", after: time.Minute,
		}}
	default:
		return verdict{transient: err}
	}
}
