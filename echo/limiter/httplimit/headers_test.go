package httplimit

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

func perMinute(name string, remaining int64) limiter.RuleDecision {
	return limiter.RuleDecision{
		Rule:       name,
		Limit:      limiter.Limit{Requests: 60, Burst: 20, Period: time.Minute},
		Cost:       1,
		Remaining:  remaining,
		ResetAfter: time.Duration(20-remaining) * time.Second,
	}
}

func refusing(name string, wait time.Duration) limiter.RuleDecision {
	r := perMinute(name, 0)
	r.Denied, r.RetryAfter, r.NextAfter = true, wait, wait
	return r
}

// The exact bytes, for each family and each kind of decision.
func TestHeadersByFamily(t *testing.T) {
	allowed := limiter.Decision{Rules: []limiter.RuleDecision{perMinute("per-key", 19), perMinute("all", 20)}}
	denied := limiter.Decision{
		Outcome:    limiter.Denied,
		RetryAfter: 2500 * time.Millisecond,
		Rules:      []limiter.RuleDecision{refusing("per-key", 2500*time.Millisecond), perMinute("all", 20)},
	}
	ietf := map[string]string{
		"Ratelimit-Policy": `"per-key";q=60;w=60, "all";q=60;w=60`,
		"Ratelimit":        `"per-key";r=19;t=19, "all";r=20;t=20`,
	}
	x := map[string]string{"X-Ratelimit-Limit": "20", "X-Ratelimit-Remaining": "19", "X-Ratelimit-Reset": "1"}
	for name, c := range map[string]struct {
		decision limiter.Decision
		set      HeaderSet
		want     []map[string]string
	}{
		"allowed, all":          {allowed, AllHeaders, []map[string]string{ietf, x}},
		"allowed, IETF":         {allowed, IETF, []map[string]string{ietf}},
		"allowed, X-RateLimit":  {allowed, XRateLimit, []map[string]string{x}},
		"allowed, none":         {allowed, 0, nil},
		"denied, none":          {denied, 0, []map[string]string{{"Retry-After": "3"}}},
		"no rule concerned":     {limiter.Decision{}, AllHeaders, nil},
		"forbidden":             {limiter.Decision{Outcome: limiter.Forbidden, Rule: "a"}, AllHeaders, nil},
		"unidentified":          {limiter.Decision{Outcome: limiter.Unidentified, Rule: "a", MissingKey: "Header x"}, AllHeaders, nil},
		"denied without detail": {limiter.Decision{Outcome: limiter.Denied}, AllHeaders, []map[string]string{{"Retry-After": "1"}}},
		"denied, all": {denied, AllHeaders, []map[string]string{{
			"Ratelimit-Policy":      `"per-key";q=60;w=60, "all";q=60;w=60`,
			"Ratelimit":             `"per-key";r=0;t=3, "all";r=20;t=20`,
			"X-Ratelimit-Limit":     "20",
			"X-Ratelimit-Remaining": "0",
			"X-Ratelimit-Reset":     "20",
			"Retry-After":           "3",
		}}},
	} {
		got, want := http.Header{}, http.Header{}
		for _, headers := range c.want {
			for k, v := range headers {
				want.Set(k, v)
			}
		}
		setQuota(got, &c.decision, c.set)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
}

// A policy of 64 rules sends eight members, the tightest, not five kilobytes.
func TestAtMostEightMembers(t *testing.T) {
	var d limiter.Decision
	for i := range 64 {
		d.Rules = append(d.Rules, perMinute(fmt.Sprint("rule-", i), 1))
	}
	h := http.Header{}
	setQuota(h, &d, IETF)
	for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
		items, err := parseList(h.Get(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(items) != 8 || items[0].name != "rule-0" || items[7].name != "rule-7" {
			t.Errorf("%s: got %v", name, items)
		}
	}
}

func drawRule(t *rapid.T) limiter.RuleDecision {
	r := limiter.RuleDecision{
		Rule: rapid.OneOf(rapid.StringMatching(`[a-z]([a-z0-9-]{0,61}[a-z0-9])?`), rapid.String()).Draw(t, "rule"),
		Limit: limiter.Limit{
			Requests: rapid.Int64Range(1, limiter.MaxRequests).Draw(t, "requests"),
			Burst:    rapid.Int64Range(1, 100_000).Draw(t, "burst"),
			Period:   time.Duration(rapid.Int64Range(1, 31536000).Draw(t, "seconds")) * time.Second,
		},
		Denied: rapid.Bool().Draw(t, "denied"),
	}
	r.Cost = rapid.Int64Range(1, r.Limit.Burst).Draw(t, "cost")
	r.Remaining = rapid.Int64Range(0, r.Limit.Burst).Draw(t, "remaining")
	wait := rapid.Int64Range(0, int64(limiter.MaxPeriod))
	r.RetryAfter = time.Duration(wait.Draw(t, "wait"))
	r.NextAfter = r.RetryAfter
	r.ResetAfter = time.Duration(wait.Draw(t, "reset"))
	return r
}

// Whatever is decided, an RFC 9651 parser reads the values, finds the names
// again and in the same order in both headers, and the numbers keep the draft's
// promises: parameters in order, r <= q, w > 0, never r=0 with t=0.
func TestValuesAreStructuredFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d limiter.Decision
		for range rapid.IntRange(1, 12).Draw(t, "rules") {
			d.Rules = append(d.Rules, drawRule(t))
		}
		h := http.Header{}
		setQuota(h, &d, AllHeaders)
		policies, err := parseList(h.Get("RateLimit-Policy"))
		if err != nil {
			t.Fatalf("RateLimit-Policy: %s: %v", h.Get("RateLimit-Policy"), err)
		}
		limits, err := parseList(h.Get("RateLimit"))
		if err != nil {
			t.Fatalf("RateLimit: %s: %v", h.Get("RateLimit"), err)
		}
		if len(policies) != min(8, len(d.Rules)) || len(limits) != len(policies) {
			t.Fatalf("%d rules, %d policies, %d limits", len(d.Rules), len(policies), len(limits))
		}
		for i := range limits {
			checkMember(t, d.Rules[i].Rule, policies[i], limits[i])
		}
	})
}

func checkMember(t *rapid.T, rule string, policy, limit sfItem) {
	if policy.name != limit.name || isLabel(rule) && policy.name != rule {
		t.Fatalf("names %q and %q for rule %q", policy.name, limit.name, rule)
	}
	if policy.params[0].key != "q" || policy.params[1].key != "w" || limit.params[0].key != "r" || limit.params[1].key != "t" {
		t.Fatalf("parameters %v and %v", policy.params, limit.params)
	}
	q, _ := policy.param("q")
	w, _ := policy.param("w")
	r, _ := limit.param("r")
	wait, _ := limit.param("t")
	if r > q || w <= 0 || r < 0 || wait < 0 || r == 0 && wait == 0 {
		t.Fatalf("q=%d w=%d r=%d t=%d", q, w, r, wait)
	}
}

func isLabel(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" }

// Two rules never look the same, whatever an importer calls them.
func TestNamesStayApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "%", "25", "%25", "%00", `"`, `\`, "é", "\x00", "C3", "\x7f"})
		a := strings.Join(rapid.SliceOf(piece).Draw(t, "a"), "")
		b := strings.Join(rapid.SliceOf(piece).Draw(t, "b"), "")
		if a != b && bytes.Equal(appendString(nil, a), appendString(nil, b)) {
			t.Fatalf("%q and %q are both %s", a, b, appendString(nil, a))
		}
	})
}

func TestPercentStandsForItselfOnlyEncoded(t *testing.T) {
	for name, want := range map[string]string{"\x00": `"%00"`, "%00": `"%2500"`, "é": `"%C3%A9"`, `a"b\c`: `"a\"b\\c"`, "per-key": `"per-key"`} {
		if got := string(appendString(nil, name)); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func FuzzStringIsAStructuredFieldString(f *testing.F) {
	f.Add("per-key")
	f.Add("\"\\%\x00é")
	f.Fuzz(func(t *testing.T, name string) {
		if _, rest, err := parseString(string(appendString(nil, name))); err != nil || rest != "" {
			t.Errorf("%q: %v, rest %q", name, err, rest)
		}
	})
}
