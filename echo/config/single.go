package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The settings of the one rule that holds without a limits file, by the
// environment variables that set them, and what they are when empty.
const (
	singleRequests = "ECHO_LIMIT_REQUESTS"
	singlePeriod   = "ECHO_LIMIT_PERIOD"
	singleBurst    = "ECHO_LIMIT_BURST"
	singleKey      = "ECHO_LIMIT_KEY"

	DefaultSingleRequests = "100"
	DefaultSinglePeriod   = "60s"
	DefaultSingleKey      = "ip"

	// SingleRuleName is the rule's name, which quota headers show.
	SingleRuleName = "default"
)

// SingleRule returns the File with one rule, from the texts of the
// ECHO_LIMIT_... settings: requests and burst are whole numbers, period a Go
// duration of whole seconds, key is ip, header:NAME or none. Empty texts take
// the defaults above; burst defaults to requests. Errors name the setting.
func SingleRule(requests, period, burst, key string) (*File, error) {
	p := newProblems()
	rule := Rule{Name: SingleRuleName}
	rule.Limit.Requests = p.settingNumber(singleRequests, cmp.Or(requests, DefaultSingleRequests), shapes["Limit.requests"])
	rule.Limit.PeriodSeconds = p.settingSeconds(cmp.Or(period, DefaultSinglePeriod))
	rule.Limit.Burst = rule.Limit.Requests
	if burst != "" {
		rule.Limit.Burst = p.settingNumber(singleBurst, burst, shapes["Limit.burst"])
	}
	rule.Keys = p.settingKeys(cmp.Or(key, DefaultSingleKey))
	if len(p.list) == 0 && rule.Limit.Burst*int64(rule.Limit.PeriodSeconds) > MaxBurstSeconds {
		p.add(singleBurst, fmt.Sprintf("times the seconds of %s must be at most %d", singlePeriod, MaxBurstSeconds), "set a smaller burst or a shorter period")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return validated(&File{Rules: []Rule{rule}})
}

func (p *problems) settingNumber(name, text string, s shape) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < s.min || n > s.max {
		p.add(name, s.wants()+", got "+quote(text), "set e.g. "+name+"="+s.example)
		return 0
	}
	return n
}

func (p *problems) settingSeconds(text string) int32 {
	s := shapes["Limit.periodSeconds"]
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Second != 0 || d < time.Second || d > time.Duration(s.max)*time.Second {
		p.add(singlePeriod,
			fmt.Sprintf("must be a duration of whole seconds between %ds and %ds, got %s", s.min, s.max, quote(text)),
			"set e.g. "+singlePeriod+"=60s")
		return 0
	}
	return int32(d / time.Second)
}

func (p *problems) settingKeys(text string) []Key {
	switch text {
	case "none":
		return nil
	case "ip":
		return []Key{{Source: SourceClientIP}}
	}
	name, ok := strings.CutPrefix(text, "header:")
	s := shapes["Key.name"]
	if what, _ := token(name); !ok || what != "" || int64(len(name)) > s.max {
		p.add(singleKey, "must be ip, none or header:NAME, got "+quote(text), "set e.g. "+singleKey+"=header:x-api-key")
		return nil
	}
	return []Key{{Source: SourceHeader, Name: name}}
}
