package config

import "slices"

// The values of fields that are left out, where they are not a type's first.
const (
	// DefaultIPv6PrefixLength is what one IPv6 client usually has to itself.
	DefaultIPv6PrefixLength = 64
	// DefaultTimeoutMilliseconds bounds a decision's wait for the store.
	DefaultTimeoutMilliseconds = 25
)

// withDefaults returns a copy that shares nothing with f, has every default
// filled in and nil for every empty list but headers, where empty means none.
func (f *File) withDefaults() *File {
	c := *f
	if f.Policy != nil {
		policy := *f.Policy
		c.Policy = &policy
	}
	fill(&c.Version, Version)
	fill(&c.Replicas, 1)
	fill(&c.Mode, ModeEnforce)
	c.Rules = copies(f.Rules)
	for i := range c.Rules {
		c.Rules[i].fillIn(c.Mode)
	}
	c.ClientIP.TrustedProxies = copies(f.ClientIP.TrustedProxies)
	fill(&c.ClientIP.IPv6PrefixLength, DefaultIPv6PrefixLength)
	fill(&c.Store.Type, StoreRedis)
	fill(&c.Store.OnOutage, OutageShare)
	fill(&c.Store.TimeoutMilliseconds, DefaultTimeoutMilliseconds)
	c.Headers = slices.Clone(f.Headers)
	if f.Headers == nil {
		c.Headers = []string{HeadersIETF, HeadersXRateLimit}
	}
	return &c
}

func (r *Rule) fillIn(mode string) {
	fill(&r.Mode, mode)
	fill(&r.OnMissingKey, MissingShared)
	fill(&r.Cost, 1)
	fill(&r.Limit.Burst, r.Limit.Requests)
	r.Keys = copies(r.Keys)
	r.Match = copies(r.Match)
	for i := range r.Match {
		r.Match[i].fillIn()
	}
	r.Overrides = copies(r.Overrides)
	for i := range r.Overrides {
		r.Overrides[i].fillIn()
	}
}

func (m *Match) fillIn() {
	m.Methods = copies(m.Methods)
	if m.Path != nil {
		path := *m.Path
		fill(&path.Type, PathPrefix)
		m.Path = &path
	}
}

func (o *Override) fillIn() {
	fill(&o.Action, ActionLimit)
	o.Values = copies(o.Values)
	if o.Limit != nil {
		limit := *o.Limit
		fill(&limit.Burst, limit.Requests)
		o.Limit = &limit
	}
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// copies returns a copy of the list, nil when it is empty.
func copies[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
