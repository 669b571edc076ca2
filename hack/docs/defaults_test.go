package docs

import (
	"strconv"
	"testing"

	"github.com/echo-operator/echo-operator/echo/config"
)

// What the README calls the defaults inside rules are those that the limits
// file gets.
func TestDefaultsInsideRules(t *testing.T) {
	rendered, err := config.Render(&config.File{Rules: []config.Rule{{
		Name:      "a",
		Keys:      []config.Key{{Source: "ClientIP"}},
		Match:     []config.Match{{Path: &config.PathMatch{Value: "/v1"}}},
		Limit:     config.Limit{Requests: 7, PeriodSeconds: 1},
		Overrides: []config.Override{{Name: "b", Values: []string{"192.0.2.1"}, Limit: &config.Limit{Requests: 9, PeriodSeconds: 1}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse(rendered)
	if err != nil {
		t.Fatal(err)
	}
	rule := file.Rules[0]
	want := map[string]string{
		"spec.rules[].onMissingKey":       rule.OnMissingKey,
		"spec.rules[].cost":               strconv.FormatInt(rule.Cost, 10),
		"spec.rules[].match[].path.type":  rule.Match[0].Path.Type,
		"spec.rules[].overrides[].action": rule.Overrides[0].Action,
	}
	if rule.Limit.Burst == rule.Limit.Requests {
		want["spec.rules[].limit.burst"] = "requests"
	}
	if limit := rule.Overrides[0].Limit; limit.Burst == limit.Requests {
		want["spec.rules[].overrides[].limit.burst"] = "requests"
	}
	for _, r := range table(t, specHeader) {
		path := r.paths()[0]
		if value, known := want[path]; known && r[1] != "`"+value+"`" {
			t.Errorf("%s: README.md says default %s, the limits file gets %s", path, r[1], value)
		}
		delete(want, path)
	}
	for path := range want {
		t.Errorf("README.md does not describe %s; add a row to the table of fields", path)
	}
}
