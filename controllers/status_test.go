package controllers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

var testTime = time.Unix(1_700_000_000, 0)

// allWell is a policy whose three pods confirmed everything.
func allWell() *facts {
	f := &facts{
		policy:     &v1alpha1.RateLimitPolicy{ObjectMeta: metav1.ObjectMeta{Name: "checkout", Namespace: "shop", Generation: 7}},
		limitsHash: "sha256:new", now: testTime,
		redis: redisFact{managed: true, known: true, ready: true},
	}
	f.policy.Spec.Echo.Replicas = ptr.To[int32](3)
	f.policy.Spec.Store.OnOutage = v1alpha1.OutageShare
	for i := range 3 {
		f.pods = append(f.pods, podFact{
			uid: types.UID(strconv.Itoa(i)), name: fmt.Sprintf("checkout-echo-%d", i), serving: true,
			answer: Answer{At: testTime, Config: config.Configz{LimitsHash: "sha256:new", Store: config.ConfigzStore{State: config.StoreStateOK}}},
		})
	}
	f.deployment = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
	f.deployment.Spec.Replicas = ptr.To[int32](3)
	f.deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}
	return f
}

func fallback(f *facts) {
	f.redis.ready = false
	for i := range f.pods {
		f.pods[i].answer.Config.Store.State = config.StoreStateFallback
	}
}

func summary(s v1alpha1.RateLimitPolicyStatus) string {
	var parts []string
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionRedisReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(s.Conditions, kind)
		parts = append(parts, string(c.Status)+" "+c.Reason)
	}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if meta.FindStatusCondition(s.Conditions, kind) != nil {
			parts = append(parts, kind)
		}
	}
	return strings.Join(parts, ", ")
}

// Proves the truth table of the conditions, row by row.
func TestStatusTruthTable(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*facts)
		want   string
	}{
		"all confirmed": {func(*facts) {}, "True Valid, True Available, True LoadedByAllPods, True Enforced"},
		"an edit under way": {
			func(f *facts) { f.pods[1].answer.Config.LimitsHash = "sha256:old" },
			"True Valid, True Available, False PodsLagging, False PodsLagging, Reconciling",
		},
		"a pod that was not asked yet": {
			func(f *facts) { f.pods[1].answer = Answer{} },
			"True Valid, True Available, False PodsLagging, False PodsLagging, Reconciling",
		},
		"pods that cannot be asked": {
			func(f *facts) { f.pods[1].answer = Answer{At: testTime, Err: context.DeadlineExceeded} },
			"True Valid, True Available, False PodUnreachable, False PodUnreachable, Reconciling",
		},
		"one lags and one cannot be asked": {
			func(f *facts) {
				f.pods[0].answer.Config.LimitsHash = "sha256:old"
				f.pods[1].answer = Answer{At: testTime, Err: context.DeadlineExceeded}
			},
			"True Valid, True Available, False PodsLagging, False PodsLagging, Reconciling",
		},
		"Redis out, shared": {fallback, "True Valid, False RedisUnavailable, True FallbackActive, False RedisUnavailable"},
		"Redis out, Allow": {
			func(f *facts) { fallback(f); f.policy.Spec.Store.OnOutage = v1alpha1.OutageAllow },
			"True Valid, False RedisUnavailable, False FallbackActive, False RedisUnavailable",
		},
		"Redis out during an edit": {
			func(f *facts) { fallback(f); f.pods[0].answer.Config.LimitsHash = "sha256:old" },
			"True Valid, False RedisUnavailable, False PodsLagging, False PodsLagging, Reconciling",
		},
		"Redis runs and a pod is cut off": {
			func(f *facts) { f.pods[2].answer.Config.Store.State = config.StoreStateFallback },
			"True Valid, False RedisUnavailable, True FallbackActive, False RedisUnavailable",
		},
		"external Redis, nobody heard": {
			func(f *facts) {
				f.redis = redisFact{known: true}
				for i := range f.pods {
					f.pods[i].answer = Answer{}
				}
			},
			"True Valid, Unknown Unknown, False PodsLagging, False PodsLagging, Reconciling",
		},
		"store Memory": {
			func(f *facts) { f.policy.Spec.Store.Type = v1alpha1.StoreMemory; f.redis = redisFact{known: true} },
			"True Valid, True NotUsed, True LoadedByAllPods, True Enforced",
		},
		"scaled to zero": {
			func(f *facts) { f.policy.Spec.Echo.Replicas, f.pods = ptr.To[int32](0), nil },
			"True Valid, True Available, False ScaledToZero, True ScaledToZero",
		},
		"none of three serves": {
			func(f *facts) { f.pods = nil },
			"True Valid, True Available, False PodsNotReady, False PodsNotReady, Reconciling",
		},
		"suspended, spec differs": {
			func(f *facts) {
				f.policy.Spec.Suspend = true
				f.pods[0].answer.Config.LimitsHash = "sha256:old"
			},
			"True Valid, True Available, False Suspended, False Suspended",
		},
		"suspended, pods run the spec": {
			func(f *facts) { f.policy.Spec.Suspend = true },
			"True Valid, True Available, True LoadedByAllPods, True Enforced",
		},
		"invalid": {
			func(f *facts) { f.verdict.terminal = &terminalError{reason: v1alpha1.ReasonInvalidSpec, message: "m"} },
			"False InvalidSpec, Unknown Unknown, Unknown Unknown, False InvalidSpec, Stalled",
		},
		"a foreign Redis": {
			func(f *facts) { f.redis.blocked = &terminalError{reason: v1alpha1.ReasonForeignObject, message: "m"} },
			"False ForeignObject, Unknown Unknown, Unknown Unknown, False ForeignObject, Stalled",
		},
		"a rollout": {
			func(f *facts) { f.deployment.Status.UpdatedReplicas = 1 },
			"True Valid, True Available, True LoadedByAllPods, False RolloutInProgress, Reconciling",
		},
		"an upgrade that waits": {
			func(f *facts) { f.upgradePending = true },
			"True Valid, True Available, True LoadedByAllPods, False UpgradePending, Reconciling",
		},
		"a passing fault": {
			func(f *facts) { f.verdict.transient = errors.New("conflict") },
			"True Valid, True Available, True LoadedByAllPods, False Progressing, Reconciling",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := allWell()
			row.change(f)
			status := statusFor(f)
			if got := summary(status); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			for _, c := range status.Conditions {
				if c.ObservedGeneration != 7 {
					t.Errorf("%s carries generation %d, want 7", c.Type, c.ObservedGeneration)
				}
			}
		})
	}
}

// Proves that the same facts give the same status, so that nothing is written
// again, and that transition times move only with the status they belong to.
func TestStatusIsStable(t *testing.T) {
	f := allWell()
	f.policy.Status = statusFor(f)
	f.now = f.now.Add(time.Hour)
	if again := statusFor(f); fmt.Sprint(again) != fmt.Sprint(f.policy.Status) {
		t.Errorf("an hour later, with the same facts:\n%v\nwas\n%v", again, f.policy.Status)
	}
	f.pods[0].answer.Config.LimitsHash = "sha256:old"
	changed := statusFor(f)
	if at := meta.FindStatusCondition(changed.Conditions, v1alpha1.ConditionEnforced).LastTransitionTime; !at.Time.Equal(f.now) {
		t.Errorf("Enforced turned at %v, want %v", at, f.now)
	}
	if at := meta.FindStatusCondition(changed.Conditions, v1alpha1.ConditionAccepted).LastTransitionTime; !at.Time.Equal(testTime) {
		t.Errorf("Accepted turned at %v, though it did not turn", at)
	}
	if changed.LastLoadedTime == nil || !changed.LastLoadedTime.Time.Equal(testTime) {
		t.Errorf("lastLoadedTime is %v, want the time of the last complete load", changed.LastLoadedTime)
	}
}

// Proves what is told of pods that lag, and that the list is bounded.
func TestLaggards(t *testing.T) {
	f := allWell()
	for i := range 20 {
		f.pods = append(f.pods, podFact{name: fmt.Sprintf("more-%02d", i), serving: true})
	}
	f.pods[0].answer.Config = config.Configz{LimitsHash: "sha256:old", LastError: &config.ConfigzError{Message: strings.Repeat("é", 1000)}}
	f.pods[1].answer = Answer{At: testTime, Err: context.DeadlineExceeded}
	status := statusFor(f)
	if len(status.Laggards) != maxLaggards {
		t.Fatalf("%d laggards, want %d", len(status.Laggards), maxLaggards)
	}
	if got := status.Laggards[0]; got.Hash != "sha256:old" || !strings.HasPrefix(got.Reason, "refused the new file: é") || len(got.Reason) > maxLaggardBytes {
		t.Errorf("a pod that refused the file: %+v", got)
	}
	if got := status.Laggards[1].Reason; got != "cannot be asked: no answer within 500ms" {
		t.Errorf("a pod that did not answer: %s", got)
	}
	if got := status.Laggards[2].Reason; got != "not asked yet" {
		t.Errorf("a pod that was not asked: %s", got)
	}
}

// Proves that messages carry the pods' complaint without generated names, which
// would make the status change for ever.
func TestTroubleHasNoPodNames(t *testing.T) {
	f := allWell()
	f.pods = []podFact{{name: "checkout-echo-x7f2k", trouble: "ErrImagePull: cannot pull for checkout-echo-x7f2k"}}
	message := meta.FindStatusCondition(statusFor(f).Conditions, v1alpha1.ConditionReady).Message
	if want := "0 of 3 pods are ready; ErrImagePull: cannot pull for the pod"; message != want {
		t.Errorf("got %q, want %q", message, want)
	}
	f.deployment.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota",
	}}
	message = meta.FindStatusCondition(statusFor(f).Conditions, v1alpha1.ConditionReady).Message
	if !strings.Contains(message, "FailedCreate: exceeded quota") {
		t.Errorf("a Deployment over its quota is not told: %q", message)
	}
}

// Proves that events tell of turns and not of states that last.
func TestTransitions(t *testing.T) {
	well, out, lagging := allWell(), allWell(), allWell()
	fallback(out)
	lagging.pods[0].answer.Config.LimitsHash = "sha256:old"
	states := map[string][]metav1.Condition{
		"none": nil, "well": statusFor(well).Conditions, "out": statusFor(out).Conditions, "lagging": statusFor(lagging).Conditions,
	}
	for _, test := range []struct{ from, to, want string }{
		{"none", "well", "Ready/Normal/Enforced"},
		{"none", "lagging", ""},
		{"well", "well", ""},
		{"out", "out", ""},
		{"well", "lagging", "Enforced/Normal/PodsLagging Ready/Normal/PodsLagging"},
		{"well", "out", "RedisReady/Warning/RedisUnavailable Enforced/Warning/FallbackActive Ready/Warning/RedisUnavailable"},
		{"out", "well", "RedisReady/Normal/Available Ready/Normal/Enforced"},
	} {
		var got []string
		for _, turn := range transitionsBetween(states[test.from], states[test.to]) {
			got = append(got, turn.action+"/"+turn.eventType+"/"+turn.reason)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s to %s: got %q, want %q", test.from, test.to, strings.Join(got, " "), test.want)
		}
	}
}

// Proves the pokes' order: after a head start the hash, then a changing mark with
// growing pauses, and all anew for another hash.
func TestPokes(t *testing.T) {
	policy, now, p := types.NamespacedName{Namespace: "shop", Name: "checkout"}, testTime, newPokes()
	next := func(hash, annotated string) string {
		annotations, wait := p.next(policy, "uid", hash, annotated, now)
		switch {
		case annotations[v1alpha1.AnnotationConfigHash] != "":
			p.record(policy, "uid", hash, now)
			return "hash"
		case annotations[v1alpha1.AnnotationPoke] != "":
			p.record(policy, "uid", hash, now)
			return "poke"
		}
		now = now.Add(wait)
		return wait.String()
	}
	var got []string
	for range 8 {
		annotated := "a"
		if len(got) < 2 {
			annotated = ""
		}
		got = append(got, next("a", annotated))
	}
	got = append(got, next("b", "a"), next("b", "a"))
	if want := "60ms hash 500ms poke 1s poke 2s poke 60ms hash"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, " "), want)
	}
	p.keep(policy, nil)
	if len(p.byPolicy) != 0 {
		t.Error("pokes of pods that are gone are kept")
	}
}
