package limiter

import (
	"fmt"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// maxReplicas bounds Policy.Replicas so that a limit divided by it stays exact.
const maxReplicas = 100_000

// compiled is a policy in the form that decisions read. It is never changed.
type compiled struct {
	policy  Policy
	shortID string
	rules   []compiledRule
	// epoch is the table's when the specs below were interned; see [table.intern].
	epoch uint64
}

type compiledRule struct {
	rule   *Rule
	prefix []byte
	cost   int64
	limit  plan
	// override finds the first override that names a key; plans is parallel to
	// rule.Overrides.
	override map[string]int
	plans    []plan
}

// plan is a limit and how this process enforces it when it decides alone.
type plan struct {
	limit Limit
	local bucket.Spec
	// id is local's number in the table.
	id uint32
}

// compile checks the policy and prepares it; shared says that a store exists,
// so that a local decision is one of many processes' in an outage.
func compile(p Policy, shared bool) (*compiled, error) {
	if err := checkPolicy(&p); err != nil {
		return nil, err
	}
	id := p.ID
	if id == "" {
		id = standaloneID
	}
	if p.StoreTimeout == 0 {
		p.StoreTimeout = DefaultStoreTimeout
	}
	replicas := 1
	if shared && p.OnOutage == OutageShare {
		replicas = max(1, p.Replicas)
	}
	c := &compiled{policy: p, shortID: shortID(id), rules: make([]compiledRule, len(p.Rules))}
	for i := range p.Rules {
		r, err := compileRule(&p.Rules[i], replicas)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", p.Rules[i].Name, err)
		}
		r.prefix = keyPrefix(id, p.Rules[i].Name)
		c.rules[i] = r
	}
	return c, nil
}

func checkPolicy(p *Policy) error {
	if p.Replicas < 0 || p.Replicas > maxReplicas {
		return fmt.Errorf("%w: replicas must be from 0 to %d, got %d", ErrInvalidPolicy, maxReplicas, p.Replicas)
	}
	if p.StoreTimeout < 0 {
		return fmt.Errorf("%w: store timeout must not be negative, got %s", ErrInvalidPolicy, p.StoreTimeout)
	}
	if p.OnOutage > OutageDeny {
		return fmt.Errorf("%w: outage behaviour %d is unknown", ErrInvalidPolicy, p.OnOutage)
	}
	seen := make(map[string]bool, len(p.Rules))
	for i := range p.Rules {
		name := p.Rules[i].Name
		if name == "" {
			return fmt.Errorf("%w: rule %d has no name", ErrInvalidPolicy, i)
		}
		if seen[name] {
			return fmt.Errorf("%w: two rules are named %q; buckets are named after rules, so names must differ", ErrInvalidPolicy, name)
		}
		seen[name] = true
	}
	return nil
}

func compileRule(r *Rule, replicas int) (compiledRule, error) {
	c := compiledRule{rule: r, cost: r.Cost, plans: make([]plan, len(r.Overrides))}
	if r.Cost < 0 {
		return c, fmt.Errorf("%w: cost must be at least 1, got %d", ErrInvalidPolicy, r.Cost)
	}
	if r.Mode > Shadow {
		return c, fmt.Errorf("%w: mode %d is unknown", ErrInvalidPolicy, r.Mode)
	}
	if c.cost == 0 {
		c.cost = 1
	}
	var err error
	if c.limit, err = newPlan(r.Limit, c.cost, replicas); err != nil {
		return c, err
	}
	err = c.addOverrides(replicas)
	return c, err
}

func (c *compiledRule) addOverrides(replicas int) error {
	c.override = make(map[string]int, len(c.plans))
	for i := range c.rule.Overrides {
		o := &c.rule.Overrides[i]
		for _, v := range o.Values {
			if _, taken := c.override[v]; !taken {
				c.override[v] = i
			}
		}
		switch o.Action {
		case ActionExempt, ActionDeny:
		case ActionLimit:
			var err error
			if c.plans[i], err = newPlan(o.Limit, c.cost, replicas); err != nil {
				return fmt.Errorf("override %q: %w", o.Name, err)
			}
		default:
			return fmt.Errorf("%w: override %q: action %d is unknown", ErrInvalidPolicy, o.Name, o.Action)
		}
	}
	return nil
}

func newPlan(l Limit, cost int64, replicas int) (plan, error) {
	if err := l.Validate(); err != nil {
		return plan{}, err
	}
	if cost > l.Burst {
		return plan{}, fmt.Errorf("%w: cost %d, burst %d: such a request could never pass; raise the burst or lower the cost", ErrCostExceedsBurst, cost, l.Burst)
	}
	var local bucket.Spec
	var err error
	if replicas > 1 {
		local, err = l.share(replicas, cost)
	} else {
		local, err = l.spec()
	}
	return plan{limit: l, local: local}, err
}

// intern numbers the local specs of every plan.
func (c *compiled) intern(number func(bucket.Spec) uint32) {
	for i := range c.rules {
		r := &c.rules[i]
		r.limit.id = number(r.limit.local)
		for j := range r.plans {
			if r.rule.Overrides[j].Action == ActionLimit {
				r.plans[j].id = number(r.plans[j].local)
			}
		}
	}
}

func (c *compiled) ruleNames() []string {
	names := make([]string, len(c.rules))
	for i := range c.rules {
		names[i] = c.rules[i].rule.Name
	}
	return names
}
