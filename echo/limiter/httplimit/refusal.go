package httplimit

import (
	"fmt"
	"net/http"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit/problem"
)

// refusalOf is the answer to a request that may not go on.
func refusalOf(d *limiter.Decision) (problem.Problem, bool) {
	switch d.Outcome {
	case limiter.Allowed:
		return problem.Problem{}, false
	case limiter.Denied:
		return problem.Problem{
			Type:             problem.TypeQuotaExceeded,
			Title:            "Quota exceeded",
			Status:           http.StatusTooManyRequests,
			ViolatedPolicies: violated(d.Rules),
		}, true
	case limiter.Unidentified:
		return problem.Problem{
			Status: http.StatusBadRequest,
			Detail: fmt.Sprintf("The rule %q needs a key that this request lacks: %s.", d.Rule, d.MissingKey),
		}, true
	}
	return problem.Problem{
		Status: http.StatusForbidden,
		Detail: fmt.Sprintf("The rule %q does not admit this client; waiting does not help.", d.Rule),
	}, true
}

func violated(rules []limiter.RuleDecision) []string {
	var names []string
	for i := range rules {
		if rules[i].Denied {
			names = append(names, rules[i].Rule)
		}
	}
	return names
}

// badPath repeats nothing of the path: the error says what is wrong with it.
func badPath(err error) problem.Problem {
	return problem.Problem{Status: http.StatusBadRequest, Detail: "The path cannot be used: " + err.Error()}
}
