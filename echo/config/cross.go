package config

import (
	"fmt"
	"strings"

	"github.com/echo-operator/echo-operator/echo/identity"
)

// crossCheck reports what is wrong between fields. It leaves out the parts of
// the file in which single fields are wrong already, since what it would say of
// them could only confuse.
func crossCheck(p *problems, f *File) {
	unique(p, "headers", f.Headers, "remove it")
	names := make([]string, len(f.Rules))
	for i := range f.Rules {
		names[i] = f.Rules[i].Name
		if path := item("rules", i); p.clean(path) {
			crossCheckRule(p, path, &f.Rules[i], f)
		}
	}
	uniqueNames(p, "rules", names)
}

func crossCheckRule(p *problems, path string, r *Rule, f *File) {
	for i := range r.Match {
		crossCheckMatch(p, join(path, item("match", i)), &r.Match[i])
	}
	for i := range r.Keys {
		crossCheckKey(p, join(path, item("keys", i)), r.Keys[i])
	}
	crossCheckLimit(p, join(path, "limit"), r.Limit)
	crossCheckCost(p, path, "", r.Limit, r.Cost)
	names := make([]string, len(r.Overrides))
	for i := range r.Overrides {
		names[i] = r.Overrides[i].Name
		crossCheckOverride(p, path, i, r)
	}
	uniqueNames(p, join(path, "overrides"), names)
	if p.clean(join(path, "keys")) && f.ClientIP.IPv6PrefixLength > 0 {
		crossCheckValues(p, path, r, f)
	}
}

func crossCheckMatch(p *problems, path string, m *Match) {
	if m.Protocol == ProtocolGRPC && len(m.Methods) > 0 {
		p.add(join(path, "methods"), "must be absent with protocol GRPC, whose calls are all POST",
			"remove it and match the gRPC method by path: /package.Service/Method")
	}
	unique(p, join(path, "methods"), m.Methods, "remove it")
	if m.Path != nil {
		crossCheckPath(p, join(path, "path.value"), m.Path.Value)
	}
}

// crossCheckPath refuses a value in which part would be dropped without a word.
func crossCheckPath(p *problems, field, value string) {
	canonical, err := identity.CanonicalPath(value)
	switch {
	case strings.Contains(value, "?"):
		p.add(field, "must not hold a query, since rules look at the path only, got "+quote(value), "remove it from the question mark on")
	case value[0] != '/':
		p.add(field, "must begin with a slash, got "+quote(value), "write e.g. value: /v1")
	case err == nil && canonical != value && !strings.Contains(value, "%"):
		p.add(field, "must be a path without repeated slashes and dot segments, got "+quote(value), "write value: "+canonical)
	case err != nil:
		p.add(field, "is no path that a request can have: "+err.Error()+", got "+quote(value), "write e.g. value: /v1, and a percent sign as %25")
	}
}

func crossCheckKey(p *problems, path string, k Key) {
	named := k.Source == SourceHeader || k.Source == SourceMetadata
	field := join(path, "name")
	switch {
	case named && k.Name == "":
		p.add(field, "is missing, and source "+k.Source+" needs it", "write e.g. name: x-api-key")
	case !named && k.Name != "":
		p.add(field, "must be absent with source "+k.Source, "remove it, or use source Header or Metadata")
	}
}

func crossCheckLimit(p *problems, path string, l Limit) {
	if product := l.Burst * int64(l.PeriodSeconds); product > MaxBurstSeconds {
		p.add(join(path, "burst"),
			fmt.Sprintf("times periodSeconds must be at most %d, got %d x %d", MaxBurstSeconds, l.Burst, l.PeriodSeconds),
			"write a smaller burst (it defaults to requests) or a shorter period with as many fewer requests")
	}
}

// crossCheckCost refuses a cost that a bucket can never hold: such requests
// would be refused for ever. of names the override whose limit is meant.
func crossCheckCost(p *problems, path, of string, l Limit, cost int64) {
	if cost > l.Burst {
		whose := "the rule's limit"
		if of != "" {
			whose = of
		}
		p.add(join(path, "cost"),
			fmt.Sprintf("must be at most the burst of %s, %d, got %d", whose, l.Burst, cost),
			"write a smaller cost or a larger burst")
	}
}

func crossCheckOverride(p *problems, path string, i int, r *Rule) {
	o, at := &r.Overrides[i], join(path, item("overrides", i))
	limit := join(at, "limit")
	switch {
	case o.Action == ActionLimit && o.Limit == nil:
		p.add(limit, "is missing, and action Limit needs it", "write e.g. limit: {requests: 1000, periodSeconds: 60}, or action: Exempt or Deny")
	case o.Action != ActionLimit && o.Limit != nil:
		p.add(limit, "must be absent with action "+o.Action, "remove it, or write action: Limit")
	case o.Limit != nil:
		crossCheckLimit(p, limit, *o.Limit)
		crossCheckCost(p, path, item("overrides", i), *o.Limit, r.Cost)
	}
	if len(r.Keys) == 0 {
		p.add(at, "can never apply, since the rule has no keys to compare its values with", "give the rule a key or remove the override")
	}
}

// crossCheckValues brings values into the form in which requests' are compared
// and finds those that could never match or that two overrides name.
func crossCheckValues(p *problems, path string, r *Rule, f *File) {
	if len(r.Keys) == 0 {
		return
	}
	addresses, err := identity.NewAddresses(nil, int(f.ClientIP.IPv6PrefixLength))
	if err != nil {
		return // ipv6PrefixLength is out of range, and reported.
	}
	seen := map[string]string{}
	for i := range r.Overrides {
		for j, value := range r.Overrides[i].Values {
			field := join(path, item(join(item("overrides", i), "values"), j))
			canonical, err := addresses.Canonical(identity.Source(r.Keys[0].Source), value)
			if err != nil {
				p.add(field, err.Error(), "its rule's first key is "+r.Keys[0].Source)
				continue
			}
			if first, twice := seen[canonical]; twice {
				p.add(field, "is the same value as "+first, "remove one of them: the first override would always win")
				continue
			}
			seen[canonical] = field
		}
	}
}

func uniqueNames(p *problems, list string, names []string) {
	first := map[string]int{}
	for i, name := range names {
		if j, twice := first[name]; twice && name != "" {
			p.add(join(item(list, i), "name"), quote(name)+" is also the name of "+item(list, j), "give each a name of its own")
			continue
		}
		first[name] = i
	}
}

func unique(p *problems, list string, values []string, remedy string) {
	first := map[string]int{}
	for i, value := range values {
		if j, twice := first[value]; twice {
			p.add(item(list, i), quote(value)+" is listed already at "+item(list, j), remedy)
			continue
		}
		first[value] = i
	}
}

func proxyRange(s string) (string, string) {
	if _, err := identity.ParseProxyRange(s); err != nil {
		what, remedy, _ := strings.Cut(err.Error(), "; ")
		return what, remedy
	}
	return "", ""
}
