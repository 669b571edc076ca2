package harness

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

func seen(generation, observed int64, ready metav1.ConditionStatus) *v1alpha1.RateLimitPolicy {
	p := &v1alpha1.RateLimitPolicy{}
	p.UID, p.Generation = "one", generation
	p.Status.ObservedGeneration = observed
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionRedisReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionReady} {
		p.Status.Conditions = append(p.Status.Conditions, metav1.Condition{
			Type: kind, Status: ready, Reason: "Some", Message: "some", ObservedGeneration: observed,
		})
	}
	p.Status.Replicas, p.Status.ReadyReplicas, p.Status.LoadedReplicas = 1, 1, 1
	p.Status.ConfigHash, p.Status.LastLoadedTime = "sha256:ab", &metav1.Time{}
	return p
}

func record(policies ...*v1alpha1.RateLimitPolicy) (int, []string) {
	r := &Recorder{last: map[types.UID]v1alpha1.RateLimitPolicyStatus{}}
	for _, p := range policies {
		r.see(p)
	}
	return r.Findings()
}

// An edit leaves the old status there until the operator comes to it: that is no
// status that the operator wrote. One that is written onto the edit is.
func TestRecorderTellsEditsFromStatuses(t *testing.T) {
	const yes = metav1.ConditionTrue
	if statuses, findings := record(seen(1, 1, yes), seen(2, 1, yes), seen(2, 2, metav1.ConditionFalse), seen(2, 2, yes)); statuses != 3 || len(findings) != 0 {
		t.Errorf("got %d statuses and %q, expected 3 and no finding", statuses, findings)
	}
	_, findings := record(seen(2, 1, metav1.ConditionFalse), seen(2, 1, yes))
	if len(findings) != 1 || !strings.Contains(findings[0], "written onto generation 2") || !strings.Contains(findings[0], `"observedGeneration": 1`) {
		t.Errorf("Ready for an older generation: got %q", findings)
	}
}

// A status never goes back to an older generation.
func TestRecorderSeesGenerationsGoBack(t *testing.T) {
	_, findings := record(seen(2, 2, metav1.ConditionFalse), seen(2, 1, metav1.ConditionFalse))
	if len(findings) != 1 || !strings.Contains(findings[0], "went back from 2 to 1") {
		t.Errorf("got %q", findings)
	}
}

// What a recorder keeps is bounded.
func TestRecorderKeepsTheFirstFindings(t *testing.T) {
	bad := make([]*v1alpha1.RateLimitPolicy, 0, 100)
	for i := range int64(100) {
		bad = append(bad, seen(1, 2+i, metav1.ConditionFalse))
	}
	if statuses, findings := record(bad...); statuses != 100 || len(findings) != maxFindings {
		t.Errorf("got %d statuses and %d findings, expected 100 and %d", statuses, len(findings), maxFindings)
	}
}
