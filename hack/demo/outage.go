package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

func (s *story) outage(ctx context.Context) error {
	s.title("Kill Redis, and keep it from coming back: requests are answered, and the limit holds")
	quota := fmt.Sprintf("--hard=pods=%d", replicas)
	for _, args := range [][]string{
		{"create", "quota", "no-more-pods", quota},
		{"wait", "--for=jsonpath={.status.used.pods}=4", "--timeout=30s", "quota/no-more-pods"},
		{"delete", "pod", harness.RedisName + "-0", "--grace-period=0", "--force"},
	} {
		if _, err := s.kubectl(ctx, "", append([]string{"-n", namespace}, args...)...); err != nil {
			return err
		}
	}
	if err := s.awaitStore(ctx, "fallback"); err != nil {
		return err
	}
	s.say("   all pods say that they decide without Redis; a new client now sends 300 requests in 5 s")
	tally := s.kube.Run(ctx, harness.Flood{Pods: s.pods, Key: "hooli", PerSecond: 60, For: 5 * time.Second})
	if err := tally.AllAnswered(); err != nil {
		return err
	}
	_, most := tally.Bounds(secondLimit, secondLimit/60)
	if err := expectThat(fmt.Sprintf("at most %.0f requests admitted", most), float64(tally.Admitted) <= most, tally.Admitted); err != nil {
		return err
	}
	if err := expectThat(fmt.Sprintf("at least %d requests admitted", secondLimit), tally.Admitted >= secondLimit, tally.Admitted); err != nil {
		return err
	}
	s.found("%d of %d requests were answered; %d admitted, and burst + rate * time is %.1f",
		tally.Admitted+tally.Denied, tally.Offered, tally.Admitted, most)
	if err := s.awaitReadyReason(ctx, metav1.ConditionFalse, v1alpha1.ReasonRedisUnavailable); err != nil {
		return err
	}
	_, err := s.kubectl(ctx, "", "-n", namespace, "get", "echorl")
	return err
}

func (s *story) recover(ctx context.Context) error {
	s.title("Let Redis come back: the pods share again by themselves")
	if _, err := s.kubectl(ctx, "", "-n", namespace, "delete", "quota", "no-more-pods"); err != nil {
		return err
	}
	if err := s.awaitReadyReason(ctx, metav1.ConditionTrue, v1alpha1.ReasonEnforced); err != nil {
		return err
	}
	if err := s.awaitStore(ctx, "ok"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "", "-n", namespace, "get", "echorl"); err != nil {
		return err
	}
	return s.samePods(ctx)
}

func (s *story) remove(ctx context.Context) error {
	s.title("Delete the policy: nothing is left, Redis included, for it was the last one")
	if _, err := s.kubectl(ctx, "", "-n", namespace, "delete", "echorl", "checkout"); err != nil {
		return err
	}
	err := await(ctx, func() error {
		left, err := s.kube.Inventory(ctx, namespace)
		if err != nil {
			return err
		}
		return expectThat("an empty namespace", len(left) == 0, left.Names())
	})
	if err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "", "-n", namespace, "get", "all,configmaps,secrets,networkpolicies,poddisruptionbudgets"); err != nil {
		return err
	}
	s.found("the namespace holds only what Kubernetes puts into each")
	return nil
}

// awaitReadyReason waits for the Ready condition's status and reason.
func (s *story) awaitReadyReason(ctx context.Context, status metav1.ConditionStatus, reason string) error {
	return await(ctx, func() error {
		var policy v1alpha1.RateLimitPolicy
		if err := s.kube.Get(ctx, s.policy, &policy); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		ok := ready != nil && ready.Status == status && ready.Reason == reason
		return expectThat(fmt.Sprintf("Ready %s %s", status, reason), ok, harness.Describe(&policy))
	})
}
