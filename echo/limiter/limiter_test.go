package limiter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// clock is a time that the test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(int64(time.Hour))
	return c
}

func (c *clock) now() time.Duration      { return time.Duration(c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func perSecond(n, burst int64) limiter.Limit {
	return limiter.Limit{Requests: n, Burst: burst, Period: time.Second}
}

func onePolicy(l limiter.Limit) limiter.Policy {
	return limiter.Policy{Rules: []limiter.Rule{{Name: "only", Limit: l}}}
}

func newLimiter(t *testing.T, p limiter.Policy, store limiter.Store, opts ...limiter.Option) *limiter.Limiter {
	t.Helper()
	l, err := limiter.New(p, store, append([]limiter.Option{limiter.WithMaxClients(1024)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// A burst passes, the next request does not, and it passes again exactly when
// the decision said it would.
func TestBurstThenWait(t *testing.T) {
	c := newClock()
	l := newLimiter(t, onePolicy(perSecond(10, 3)), nil, limiter.WithClock(c.now))
	for range 3 {
		if !l.Allow("a") {
			t.Fatal("a request of the burst was refused")
		}
	}
	d := l.Decide(t.Context(), limiter.Request{Key: "a"})
	if d.Outcome != limiter.Denied || d.Source != limiter.SourceMemory || d.RetryAfter != 100*time.Millisecond {
		t.Fatalf("got %+v, want a denial with a wait of 100ms", d)
	}
	if !l.Allow("b") {
		t.Error("another client was refused")
	}
	c.advance(d.RetryAfter - 1)
	if l.Allow("a") {
		t.Error("a request a nanosecond too early passed")
	}
	c.advance(1)
	if !l.Allow("a") {
		t.Error("a request on time was refused")
	}
}

// What several rules do together: all or nothing, told in the order documented.
func TestRulesAreAllOrNothing(t *testing.T) {
	c := newClock()
	l := newLimiter(t, limiter.Policy{Rules: []limiter.Rule{
		{Name: "wide", Limit: perSecond(10, 10)},
		{Name: "slow", Limit: limiter.Limit{Requests: 1, Burst: 2, Period: time.Minute}},
		{Name: "tight", Limit: perSecond(1, 2)},
	}}, nil, limiter.WithClock(c.now))
	for range 2 {
		if !l.Allow("a") {
			t.Fatal("refused within every burst")
		}
	}
	d := l.Decide(t.Context(), limiter.Request{Key: "a"})
	if got := ruleNames(d); !slices.Equal(got, []string{"slow", "tight", "wide"}) {
		t.Errorf("rules in the order %v, want the longest wait first and those with room last", got)
	}
	if d.RetryAfter != time.Minute {
		t.Errorf("RetryAfter = %s, want the longest wait, 1m", d.RetryAfter)
	}
	if wide := d.Rules[2]; wide.Denied || wide.Remaining != 8 {
		t.Errorf("the rule with room lost tokens to a denied request: %+v", wide)
	}
}

func ruleNames(d limiter.Decision) []string {
	var names []string
	for _, r := range d.Rules {
		names = append(names, r.Rule)
	}
	return names
}

// Overrides change a limit, skip a rule or refuse; the first match wins.
func TestOverrides(t *testing.T) {
	rec := &recorder{}
	l := newLimiter(t, limiter.Policy{Rules: []limiter.Rule{
		{Name: "r", Limit: perSecond(1, 1), Overrides: []limiter.Override{
			{Name: "gold", Values: []string{"acme"}, Action: limiter.ActionLimit, Limit: perSecond(5, 5)},
			{Name: "late", Values: []string{"acme", "bad"}, Action: limiter.ActionDeny},
			{Name: "probe", Values: []string{"kube"}, Action: limiter.ActionExempt},
		}},
		{Name: "all", Limit: perSecond(100, 100)},
	}}, nil, limiter.WithClock(newClock().now), limiter.WithObserver(rec))

	if d := l.Decide(t.Context(), limiter.Request{Key: "acme"}); d.Outcome != limiter.Allowed || d.Rules[0].Limit.Burst != 5 {
		t.Errorf("acme: %+v, want the override's burst of 5", d)
	}
	if d := l.Decide(t.Context(), limiter.Request{Key: "bad"}); d.Outcome != limiter.Forbidden || d.Rule != "r" || len(d.Rules) != 0 || d.RetryAfter != 0 {
		t.Errorf("bad: %+v, want Forbidden by r without a wait", d)
	}
	if d := l.Decide(t.Context(), limiter.Request{Key: "kube"}); d.Outcome != limiter.Allowed || !slices.Equal(ruleNames(d), []string{"all"}) {
		t.Errorf("kube: %+v, want only the rule it is not exempt from", d)
	}
	rec.expect(t, map[string]int{"r allowed": 1, "all allowed": 2, "r denied": 1, "r exempt": 1})
}

// A rule's Identify decides whether it concerns a request, and what is missing.
func TestIdentify(t *testing.T) {
	rec := &recorder{}
	byHeader := func(value any, parts []string) ([]string, limiter.Identification) {
		switch v, _ := value.(string); v {
		case "":
			return append(parts, "Header x-api-key"), limiter.KeyMissing
		case "skip":
			return parts, limiter.NotMatched
		default:
			return append(parts, v), limiter.Identified
		}
	}
	l := newLimiter(t, limiter.Policy{Rules: []limiter.Rule{
		{Name: "k", Limit: perSecond(1, 1), Identify: byHeader},
	}}, nil, limiter.WithObserver(rec), limiter.WithClock(newClock().now))

	d := l.Decide(t.Context(), limiter.Request{Value: ""})
	if d.Outcome != limiter.Unidentified || d.Rule != "k" || d.MissingKey != "Header x-api-key" {
		t.Errorf("without a key: %+v", d)
	}
	d = l.Decide(t.Context(), limiter.Request{Value: "skip"})
	if d.Outcome != limiter.Allowed || d.Source != limiter.SourceNone || len(d.Rules) != 0 {
		t.Errorf("no rule matched: %+v, want nothing but Allowed", d)
	}
	rec.expect(t, map[string]int{"k denied": 1})
}

// Shadow rules take only from admitted requests, are counted, and are not shown.
func TestShadow(t *testing.T) {
	rec := &recorder{}
	c := newClock()
	l := newLimiter(t, limiter.Policy{Rules: []limiter.Rule{
		{Name: "watch", Mode: limiter.Shadow, Limit: perSecond(1, 1), Overrides: []limiter.Override{
			{Name: "no", Values: []string{"bad"}, Action: limiter.ActionDeny},
		}},
		{Name: "hold", Limit: perSecond(1, 2)},
	}}, nil, limiter.WithClock(c.now), limiter.WithObserver(rec))
	for i := range 3 {
		d := l.Decide(t.Context(), limiter.Request{Key: "a"})
		if want := i < 2; d.Allowed() != want || !slices.Equal(ruleNames(d), []string{"hold"}) {
			t.Errorf("request %d: %+v", i, d)
		}
	}
	rec.expect(t, map[string]int{"watch allowed": 1, "watch shadow_denied": 1, "hold allowed": 2, "hold denied": 1})
	if !l.Allow("bad") {
		t.Error("a shadow rule's override refused a request")
	}
	rec.expect(t, map[string]int{"watch allowed": 1, "watch shadow_denied": 2, "hold allowed": 3, "hold denied": 1})

	// A request that is refused elsewhere takes nothing from a shadow rule: the
	// single token that a second earns both of them is still there.
	c.advance(time.Second)
	if !l.Allow("a") || l.Allow("a") {
		t.Fatal("the enforced rule does not refill as expected")
	}
	rec.expect(t, map[string]int{"watch allowed": 2, "watch shadow_denied": 2, "hold allowed": 4, "hold denied": 2})
}

// Peek tells the truth and changes nothing.
func TestPeek(t *testing.T) {
	rec := &recorder{}
	l := newLimiter(t, onePolicy(perSecond(1, 2)), nil, limiter.WithClock(newClock().now), limiter.WithObserver(rec))
	for range 3 {
		if d := l.Peek(t.Context(), limiter.Request{Key: "a"}); !d.Allowed() || d.Rules[0].Remaining != 2 {
			t.Fatalf("peek at a full bucket: %+v", d)
		}
	}
	l.Allow("a")
	l.Allow("a")
	if d := l.Peek(t.Context(), limiter.Request{Key: "a"}); d.Outcome != limiter.Denied || d.RetryAfter != time.Second {
		t.Errorf("peek at an empty bucket: %+v", d)
	}
	rec.expect(t, map[string]int{"only allowed": 2})
	if n := l.Stats().TrackedClients; n != 1 {
		t.Errorf("%d clients tracked, want the one that took something", n)
	}
}

// Reset fills a client's buckets and nobody else's.
func TestReset(t *testing.T) {
	l := newLimiter(t, onePolicy(perSecond(1, 1)), nil, limiter.WithClock(newClock().now))
	l.Allow("a")
	l.Allow("b")
	if err := l.Reset(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if !l.Allow("a") || l.Allow("b") {
		t.Error("want a's bucket full and b's empty")
	}
	if n := l.Stats().TrackedClients; n != 2 {
		t.Errorf("%d clients tracked, want 2", n)
	}
}

// A policy that cannot be enforced is refused with the field and the way out,
// and the one before goes on.
func TestBadPolicyIsRefused(t *testing.T) {
	good := perSecond(1, 1)
	cases := map[string]struct {
		policy limiter.Policy
		is     error
		says   string
	}{
		"no requests":   {onePolicy(perSecond(0, 1)), limiter.ErrInvalidLimit, "requests must be from 1"},
		"many requests": {onePolicy(perSecond(1e9+1, 1)), limiter.ErrInvalidLimit, "requests"},
		"negative":      {onePolicy(perSecond(1, -1)), limiter.ErrInvalidLimit, "burst must be from 1"},
		"no period":     {onePolicy(limiter.Limit{Requests: 1, Burst: 1}), limiter.ErrInvalidLimit, "period"},
		"odd period":    {onePolicy(limiter.Limit{Requests: 1, Burst: 1, Period: 1500 * time.Microsecond}), limiter.ErrInvalidLimit, "milliseconds"},
		"overflow":      {onePolicy(limiter.Limit{Requests: 1, Burst: 1e9, Period: 4501 * time.Second}), limiter.ErrInvalidLimit, "lower the burst"},
		"cost":          {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: good, Cost: 2}}}, limiter.ErrCostExceedsBurst, "raise the burst"},
		"negative cost": {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: good, Cost: -1}}}, limiter.ErrInvalidPolicy, "cost"},
		"override cost": {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: perSecond(1, 5), Cost: 2, Overrides: []limiter.Override{
			{Name: "o", Limit: good},
		}}}}, limiter.ErrCostExceedsBurst, `override "o"`},
		"same name":   {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: good}, {Name: "r", Limit: good}}}, limiter.ErrInvalidPolicy, `"r"`},
		"no name":     {limiter.Policy{Rules: []limiter.Rule{{Limit: good}}}, limiter.ErrInvalidPolicy, "rule 0"},
		"mode":        {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: good, Mode: 9}}}, limiter.ErrInvalidPolicy, "mode"},
		"replicas":    {limiter.Policy{Replicas: -1}, limiter.ErrInvalidPolicy, "replicas"},
		"timeout":     {limiter.Policy{StoreTimeout: -1}, limiter.ErrInvalidPolicy, "timeout"},
		"outage":      {limiter.Policy{OnOutage: 9}, limiter.ErrInvalidPolicy, "outage"},
		"bad action":  {limiter.Policy{Rules: []limiter.Rule{{Name: "r", Limit: good, Overrides: []limiter.Override{{Name: "o", Action: 9}}}}}, limiter.ErrInvalidPolicy, "action"},
		"bad in rule": {limiter.Policy{Rules: []limiter.Rule{{Name: "x", Limit: perSecond(1, 0)}}}, limiter.ErrInvalidLimit, `rule "x"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLimiter(t, onePolicy(perSecond(7, 7)), nil)
			err := l.SetPolicy(c.policy)
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.is, c.says)
			}
			if got := l.Policy().Rules[0].Limit.Burst; got != 7 {
				t.Errorf("the refused policy took over: burst %d", got)
			}
			if _, err := limiter.New(c.policy, nil); !errors.Is(err, c.is) {
				t.Errorf("New: %v, want %v", err, c.is)
			}
		})
	}
}

// After Close decisions are still made, and changes are refused.
func TestClosed(t *testing.T) {
	l := newLimiter(t, onePolicy(perSecond(1, 1)), nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.SetPolicy(onePolicy(perSecond(2, 2))); !errors.Is(err, limiter.ErrClosed) {
		t.Errorf("SetPolicy: %v", err)
	}
	if err := l.Reset(context.Background(), "a"); !errors.Is(err, limiter.ErrClosed) {
		t.Errorf("Reset: %v", err)
	}
	if !l.Allow("a") || l.Allow("a") {
		t.Error("a closed limiter must still enforce its limit")
	}
}

// Many goroutines on one key admit the burst exactly while no time passes.
func TestConcurrentAdmitsExactly(t *testing.T) {
	l := newLimiter(t, onePolicy(perSecond(1, 500)), nil, limiter.WithClock(newClock().now))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if l.Allow("hot") {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 500 {
		t.Errorf("admitted %d of 1600, want exactly the burst of 500", n)
	}
}

// recorder counts what an observer is told.
type recorder struct {
	mu        sync.Mutex
	outcomes  map[string]int
	failures  map[limiter.StoreErrorReason]int
	places    map[string]int
	fallbacks []bool
}

func (r *recorder) Attach(func() limiter.Stats) {}

func (r *recorder) PolicyChanged([]string) {}

func (r *recorder) RuleDecided(rule string, o limiter.RuleOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outcomes == nil {
		r.outcomes = map[string]int{}
	}
	r.outcomes[rule+" "+o.String()]++
}

func (r *recorder) DecisionTook(place string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places == nil {
		r.places = map[string]int{}
	}
	r.places[place]++
}

func (r *recorder) StoreFailed(reason limiter.StoreErrorReason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures == nil {
		r.failures = map[limiter.StoreErrorReason]int{}
	}
	r.failures[reason]++
}

func (r *recorder) FallbackChanged(active bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fallbacks = append(r.fallbacks, active)
}

func (r *recorder) expect(t *testing.T, want map[string]int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := fmt.Sprint(r.outcomes); got != fmt.Sprint(want) {
		t.Errorf("counted %s, want %v", got, want)
	}
}

func key(i int) string { return "client-" + strconv.Itoa(i) }
