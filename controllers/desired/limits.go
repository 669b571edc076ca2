package desired

import (
	"fmt"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

// Limits is a rendered limits file.
type Limits struct {
	// Data is the file, at most config.MaxBytes long, as every pod reads it.
	Data []byte
	// Hash is config.Hash of Data.
	Hash string
	// LimitsHash is config.LimitsHash of the file.
	LimitsHash string
}

// RenderLimits renders the policy's limits file for that many pods and reads it
// back, so that a file that a pod could not read is never written. An error is
// an [*InvalidError].
func RenderLimits(p *v1alpha1.RateLimitPolicy, replicas int32) (Limits, error) {
	data, err := config.Render(LimitsFile(p, replicas))
	if err != nil {
		return Limits{}, fromConfig(err)
	}
	file, err := config.Parse(data)
	if err != nil {
		return Limits{}, fromConfig(fmt.Errorf("read back what was rendered: %w", err))
	}
	hash, err := config.LimitsHash(file)
	if err != nil {
		return Limits{}, fromConfig(err)
	}
	return Limits{Data: data, Hash: config.Hash(data), LimitsHash: hash}, nil
}

// LimitsFile is the policy as a limits file, not yet validated. What the policy
// leaves out stays out: package config knows the defaults.
func LimitsFile(p *v1alpha1.RateLimitPolicy, replicas int32) *config.File {
	spec := &p.Spec
	return &config.File{
		Version: config.Version,
		Policy: &config.PolicyRef{
			Name: p.Name, Namespace: p.Namespace, UID: string(p.UID), Generation: p.Generation,
		},
		Replicas: replicas,
		Mode:     string(spec.Mode),
		Rules:    each(spec.Rules, ruleOf),
		ClientIP: config.ClientIP{
			TrustedProxies:   texts(spec.ClientIP.TrustedProxies),
			IPv6PrefixLength: spec.ClientIP.IPv6PrefixLength,
		},
		Store: config.Store{
			Type:                string(spec.Store.Type),
			OnOutage:            string(spec.Store.OnOutage),
			TimeoutMilliseconds: spec.Store.TimeoutMilliseconds,
		},
		Headers: texts(spec.Headers),
	}
}

func ruleOf(r v1alpha1.Rule) config.Rule {
	return config.Rule{
		Name:         r.Name,
		Mode:         string(r.Mode),
		Match:        each(r.Match, matchOf),
		Keys:         each(r.Keys, keyOf),
		OnMissingKey: string(r.OnMissingKey),
		Limit:        limitOf(r.Limit),
		Cost:         orZero(r.Cost),
		Overrides:    each(r.Overrides, overrideOf),
	}
}

func matchOf(m v1alpha1.Match) config.Match {
	match := config.Match{Protocol: string(m.Protocol), Methods: texts(m.Methods)}
	if m.Path != nil {
		match.Path = &config.PathMatch{Type: string(m.Path.Type), Value: m.Path.Value}
	}
	return match
}

func keyOf(k v1alpha1.Key) config.Key {
	return config.Key{Source: string(k.Source), Name: k.Name}
}

func limitOf(l v1alpha1.Limit) config.Limit {
	return config.Limit{Requests: l.Requests, PeriodSeconds: l.PeriodSeconds, Burst: orZero(l.Burst)}
}

func overrideOf(o v1alpha1.Override) config.Override {
	override := config.Override{Name: o.Name, Values: texts(o.Values), Action: string(o.Action)}
	if o.Limit != nil {
		limit := limitOf(*o.Limit)
		override.Limit = &limit
	}
	return override
}

// each maps a list; nil stays nil and an empty list stays empty, since the two
// differ for headers.
func each[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, item := range list {
		converted[i] = convert(item)
	}
	return converted
}

func texts[T ~string](list []T) []string {
	return each(list, func(item T) string { return string(item) })
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
