package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// The limit of policy.yaml, and what the demo makes of it.
const (
	firstLimit  = 20
	secondLimit = 60
)

func (s *story) apply(ctx context.Context) error {
	s.title("Apply a policy: the operator makes the pods, their limits and a Redis that they share")
	s.quote(policyYAML)
	began := time.Now()
	if _, err := s.kubectl(ctx, policyYAML, "-n", namespace, "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "", "-n", namespace, "wait", "--for=condition=Ready", "--timeout=110s", "echorl/checkout"); err != nil {
		return err
	}
	table, err := s.kubectl(ctx, "", "-n", namespace, "get", "echorl")
	if err != nil {
		return err
	}
	row := strings.Fields(lastLine(table))
	if err := expectThat("a row that says checkout True Enforced 3 3", strings.HasPrefix(strings.Join(row, " "), "checkout True Enforced 3 3"), row); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "", "-n", namespace, "get", "pods"); err != nil {
		return err
	}
	if s.pods, err = s.kube.Pods(ctx, s.policy); err != nil {
		return err
	}
	if err := expect("echo pods", len(s.pods), replicas); err != nil {
		return err
	}
	s.found("ready %.1f s after the first command", time.Since(began).Seconds())
	return nil
}

func (s *story) spend(ctx context.Context) error {
	s.title(fmt.Sprintf("Send requests until the bucket is empty: %d pass, whichever pod answers", firstLimit))
	if err := s.warm(ctx); err != nil {
		return err
	}
	s.say("   $ curl -i -H 'X-Api-Key: acme' http://checkout-echo.%s:8080/", namespace)
	admitted := 0
	for {
		reply, err := s.kube.Ask(ctx, &s.pods[admitted%replicas], "acme")
		if err != nil {
			return err
		}
		if admitted == 0 || reply.Status != http.StatusOK {
			s.answer(reply)
		}
		if reply.Status != http.StatusOK {
			if err := expect("status of the last answer", reply.Status, http.StatusTooManyRequests); err != nil {
				return err
			}
			if err := expectThat("a Retry-After header", reply.Header.Get("Retry-After") != "", "none"); err != nil {
				return err
			}
			break
		}
		if admitted == 0 {
			s.say("     ... and so on")
		}
		admitted++
		if err := expectThat("a 429 by now", admitted <= firstLimit+5, fmt.Sprintf("%d times 200", admitted)); err != nil {
			return err
		}
	}
	// A token comes back every three seconds, and this takes less.
	if err := expectThat(fmt.Sprintf("%d or %d requests admitted", firstLimit, firstLimit+1), admitted == firstLimit || admitted == firstLimit+1, admitted); err != nil {
		return err
	}
	s.found("%d were admitted by three pods together, then 429", admitted)
	// The nodes learn of a Service's pods a moment after these are ready.
	err := await(ctx, func() error {
		reply, err := s.kube.AskService(ctx, s.policy, "globex")
		if err != nil {
			return err
		}
		return expect("status of another client's answer", reply.Status, http.StatusOK)
	})
	if err == nil {
		s.found("another client, through the Service: 200")
	}
	return err
}

// warm makes each pod decide once with Redis: the first connection takes longer
// than a decision waits, and what a pod decides meanwhile it does not share.
func (s *story) warm(ctx context.Context) error {
	return s.awaitStore(ctx, "ok")
}

func (s *story) awaitStore(ctx context.Context, state string) error {
	return await(ctx, func() error {
		for i := range s.pods {
			if _, err := s.kube.Ask(ctx, &s.pods[i], "somebody"); err != nil {
				return err
			}
			answer, err := s.kube.Configz(ctx, &s.pods[i])
			if err != nil {
				return err
			}
			if err := expect("what pod "+s.pods[i].Name+" says of its way to Redis", answer.Store.State, state); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *story) edit(ctx context.Context) error {
	s.title(fmt.Sprintf("Edit the limit to %d: the pods take it over without a restart", secondLimit))
	follower, err := s.kube.Follow(ctx, s.policy)
	if err != nil {
		return err
	}
	defer follower.Stop()
	patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/rules/0/limit/requests","value":%d}]`, secondLimit)
	if _, err := s.kubectl(ctx, "", "-n", namespace, "patch", "echorl", "checkout", "--type=json", "-p", patch); err != nil {
		return err
	}
	written := time.Now()
	var policy v1alpha1.RateLimitPolicy
	if err := s.kube.Get(ctx, s.policy, &policy); err != nil {
		return err
	}
	_, seen, err := follower.Await(ctx, "Enforced for the edit", harness.EnforcedAt(policy.Generation))
	if err != nil {
		return err
	}
	replies, err := s.kube.AskAll(ctx, s.pods, "initech")
	if err != nil {
		return err
	}
	limit := harness.LimitOf(secondLimit, 60, secondLimit)
	for i, reply := range replies {
		if err := reply.Shows(limit); err != nil {
			return fmt.Errorf("pod %s, after status said Enforced: %w", s.pods[i].Name, err)
		}
		s.say("   pod %s answers with X-RateLimit-Limit: %s", s.pods[i].Name, reply.Header.Get("X-RateLimit-Limit"))
	}
	s.found("status said Enforced %d ms after kubectl was done, and all pods agreed", max(0, seen.Sub(written).Milliseconds()))
	return s.samePods(ctx)
}

func (s *story) samePods(ctx context.Context) error {
	now, err := s.kube.Pods(ctx, s.policy)
	if err != nil {
		return err
	}
	if err := expectThat("the same pods, without a restart", harness.SamePods(s.pods, now), "other pods, or restarts"); err != nil {
		return err
	}
	s.found("no pod was replaced or restarted")
	return nil
}

func (s *story) refuse(ctx context.Context) error {
	s.title("Make a mistake: the API server refuses it and says what would be right")
	text, err := s.tryKubectl(ctx, "", "-n", namespace, "patch", "echorl", "checkout", "--type=merge",
		"-p", `{"spec":{"store":{"type":"Memory"},"redis":{"type":"Managed"}}}`)
	if err := expectThat("kubectl to fail", err != nil, "success"); err != nil {
		return err
	}
	const message = "redis must be absent with store.type Memory"
	return expectThat("a message that says "+message, strings.Contains(text, message), text)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
