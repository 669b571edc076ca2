package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
)

// Compiled is a limits file made ready to decide with. It is immutable and safe
// for concurrent use.
type Compiled struct {
	// Policy has an Identify function for every rule, whose Request.Value is an *identity.Request.
	Policy   limiter.Policy
	matchers map[string]*identity.Matcher
}

// Describe returns what identifies r's client to the rule of that name, to show
// it: nil when there is no such rule, or when it has no keys or refuses r. The
// values may be secret, as the keys' names tell.
func (c *Compiled) Describe(rule string, r *identity.Request) []identity.Part {
	matcher, ok := c.matchers[rule]
	if !ok {
		return nil
	}
	return matcher.Describe(r)
}

// LimiterPolicy returns the limiter's policy for f; see [File.Compile].
func (f *File) LimiterPolicy() (limiter.Policy, error) {
	c, err := f.Compile()
	if err != nil {
		return limiter.Policy{}, err
	}
	return c.Policy, nil
}

// Compile makes f ready to decide with. Its error is an [*InvalidError], which a
// File that [Parse] returned never has. Policy.ID is the policy's UID, empty for
// a file written by hand.
func (f *File) Compile() (*Compiled, error) {
	full, err := validated(f)
	if err != nil {
		return nil, err
	}
	addresses, err := full.ClientIP.addresses()
	if err != nil {
		return nil, fmt.Errorf("clientIP: %w", err)
	}
	c := &Compiled{
		Policy: limiter.Policy{
			Replicas:     int(full.Replicas),
			OnOutage:     outages[full.Store.OnOutage],
			StoreTimeout: time.Duration(full.Store.TimeoutMilliseconds) * time.Millisecond,
		},
		matchers: make(map[string]*identity.Matcher, len(full.Rules)),
	}
	if full.Policy != nil {
		c.Policy.ID = full.Policy.UID
	}
	for i := range full.Rules {
		if err := c.add(&full.Rules[i], addresses); err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	return c, nil
}

func (c *Compiled) add(r *Rule, addresses *identity.Addresses) error {
	matcher, err := identity.NewMatcher(r.identityRule(), addresses)
	if err != nil {
		return err
	}
	overrides, err := r.limiterOverrides(addresses)
	if err != nil {
		return err
	}
	c.matchers[r.Name] = matcher
	c.Policy.Rules = append(c.Policy.Rules, limiter.Rule{
		Name:      r.Name,
		Mode:      modes[r.Mode],
		Limit:     r.Limit.limiterLimit(),
		Cost:      r.Cost,
		Overrides: overrides,
		Identify:  matcher.Identify,
	})
	return nil
}

// limiterOverrides spells the values as the requests' are spelt.
func (r *Rule) limiterOverrides(addresses *identity.Addresses) ([]limiter.Override, error) {
	var list []limiter.Override
	for i := range r.Overrides {
		o := &r.Overrides[i]
		values := make([]string, len(o.Values))
		for j, value := range o.Values {
			canonical, err := addresses.Canonical(identity.Source(r.Keys[0].Source), value)
			if err != nil {
				return nil, fmt.Errorf("overrides[%d].values[%d]: %w", i, j, err)
			}
			values[j] = canonical
		}
		override := limiter.Override{Name: o.Name, Values: values, Action: actions[o.Action]}
		if o.Limit != nil {
			override.Limit = o.Limit.limiterLimit()
		}
		list = append(list, override)
	}
	return list, nil
}

func (r *Rule) identityRule() identity.Rule {
	rule := identity.Rule{OnMissing: identity.OnMissing(r.OnMissingKey)}
	for _, m := range r.Match {
		match := identity.Match{Protocol: identity.Protocol(m.Protocol), Methods: m.Methods}
		if m.Path != nil {
			match.Path, match.Prefix = m.Path.Value, m.Path.Type == PathPrefix
		}
		rule.Match = append(rule.Match, match)
	}
	for _, k := range r.Keys {
		rule.Keys = append(rule.Keys, identity.Key{Source: identity.Source(k.Source), Name: k.Name})
	}
	return rule
}

func (l Limit) limiterLimit() limiter.Limit {
	return limiter.Limit{
		Requests: l.Requests,
		Burst:    l.Burst,
		Period:   time.Duration(l.PeriodSeconds) * time.Second,
	}
}

func (c ClientIP) addresses() (*identity.Addresses, error) {
	trusted := make([]netip.Prefix, len(c.TrustedProxies))
	for i, s := range c.TrustedProxies {
		prefix, err := identity.ParseProxyRange(s)
		if err != nil {
			return nil, fmt.Errorf("trustedProxies[%d]: %w", i, err)
		}
		trusted[i] = prefix
	}
	return identity.NewAddresses(trusted, int(c.IPv6PrefixLength))
}

var (
	modes = map[string]limiter.Mode{
		ModeEnforce: limiter.Enforce,
		ModeShadow:  limiter.Shadow,
	}
	actions = map[string]limiter.Action{
		ActionLimit:  limiter.ActionLimit,
		ActionExempt: limiter.ActionExempt,
		ActionDeny:   limiter.ActionDeny,
	}
	outages = map[string]limiter.OutageBehaviour{
		OutageShare: limiter.OutageShare,
		OutageFull:  limiter.OutageFull,
		OutageAllow: limiter.OutageAllow,
		OutageDeny:  limiter.OutageDeny,
	}
)
