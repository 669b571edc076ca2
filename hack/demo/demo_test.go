package main

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// The policy that is shown is what the steps count on, and has no field that
// the API does not know.
func TestPolicyIsWhatTheStepsExpect(t *testing.T) {
	var policy v1alpha1.RateLimitPolicy
	if err := yaml.UnmarshalStrict([]byte(policyYAML), &policy); err != nil {
		t.Fatal(err)
	}
	rule := policy.Spec.Rules[0]
	if rule.Limit.Requests != firstLimit || rule.Limit.PeriodSeconds != 60 || rule.Limit.Burst != nil || rule.Name != "per-key" {
		t.Errorf("the rule is %+v, the steps expect %d a minute and no burst", rule, firstLimit)
	}
	if *policy.Spec.Echo.Replicas != replicas || policy.Name != "checkout" {
		t.Errorf("the policy is %s with %d replicas, expected checkout with %d", policy.Name, *policy.Spec.Echo.Replicas, replicas)
	}
}

// A command that is shown can be pasted into a shell.
func TestQuoted(t *testing.T) {
	args := []string{"-n", "shop", "patch", "-p", `{"spec":{"a":[1]}}`, "--for=jsonpath={.a}=4"}
	want := `-n shop patch -p '{"spec":{"a":[1]}}' '--for=jsonpath={.a}=4'`
	if got := quoted(args); got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
}

// A wrong answer is told with what was expected and what was there.
func TestExpect(t *testing.T) {
	if err := expect("replicas", 3, 3); err != nil {
		t.Errorf("equal values: %v", err)
	}
	if err := expect("replicas", 2, 3); err == nil || err.Error() != "replicas: expected 3, got 2" {
		t.Errorf("got %v", err)
	}
	if err := expectThat("a header", false, "none"); err == nil || err.Error() != "expected a header, got none" {
		t.Errorf("got %v", err)
	}
}
