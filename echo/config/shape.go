package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds that no single field's shape states.
const (
	// MaxBytes is the largest limits file: what a ConfigMap holds.
	MaxBytes = 1 << 20
	// MaxBurstSeconds bounds burst times periodSeconds, so that a bucket's debt
	// stays exact in 64 bits and in a double.
	MaxBurstSeconds int64 = 4_500_000_000_000
	// maxRequests bounds requests, burst and cost.
	maxRequests = 1_000_000_000
)

// shape is what one field may hold. min and max bound a number's value, a
// text's characters or a list's members.
type shape struct {
	required bool
	min, max int64
	oneOf    []string
	check    func(string) (what, remedy string)
	// example is a good value, for the remedy.
	example string
	// private values are never shown in an error.
	private bool
}

// shapes has one entry for each field of the types in types.go, named by its Go
// type and its name in the file; "[]" after a name stands for a list's members.
var shapes = map[string]shape{
	"File.version":  {required: true, min: Version, max: Version, example: "1"},
	"File.policy":   {},
	"File.replicas": {min: 1, max: 100_000, example: "3"},
	"File.mode":     {oneOf: []string{ModeEnforce, ModeShadow}},
	"File.rules":    {required: true, min: 1, max: 64},
	"File.rules[]":  {},
	"File.clientIP": {},
	"File.store":    {},
	"File.headers":  {max: 2},
	"File.headers[]": {
		oneOf: []string{HeadersIETF, HeadersXRateLimit},
	},

	"PolicyRef.name":       {required: true, min: 1, max: 253, check: printable, example: "checkout"},
	"PolicyRef.namespace":  {required: true, min: 1, max: 63, check: label, example: "shop"},
	"PolicyRef.uid":        {required: true, min: 1, max: 63, check: uid, example: "3f1c9a52-7d6e-4b0a-9a52-0c6e7d3f1c9a"},
	"PolicyRef.generation": {min: 0, max: 1<<63 - 1, example: "1"},

	"Rule.name":         {required: true, min: 1, max: 63, check: label, example: "per-client"},
	"Rule.mode":         {oneOf: []string{ModeEnforce, ModeShadow}},
	"Rule.match":        {max: 16},
	"Rule.match[]":      {},
	"Rule.keys":         {max: 4},
	"Rule.keys[]":       {},
	"Rule.onMissingKey": {oneOf: []string{MissingShared, MissingClientIP, MissingDeny}},
	"Rule.limit":        {required: true},
	"Rule.cost":         {min: 1, max: maxRequests, example: "1"},
	"Rule.overrides":    {max: 64},
	"Rule.overrides[]":  {},

	"Match.protocol":  {oneOf: []string{ProtocolHTTP, ProtocolGRPC}},
	"Match.path":      {},
	"Match.methods":   {max: 9},
	"Match.methods[]": {oneOf: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}},

	"PathMatch.type":  {oneOf: []string{PathPrefix, PathExact}},
	"PathMatch.value": {required: true, min: 1, max: 1024, check: printable, example: "/v1"},

	"Key.source": {required: true, oneOf: []string{SourceClientIP, SourceHeader, SourceMetadata, SourcePath, SourceMethod}},
	"Key.name":   {min: 1, max: 256, check: token, example: "x-api-key"},

	"Limit.requests":      {required: true, min: 1, max: maxRequests, example: "100"},
	"Limit.periodSeconds": {required: true, min: 1, max: 31_536_000, example: "60"},
	"Limit.burst":         {min: 1, max: maxRequests, example: "20"},

	"Override.name":     {required: true, min: 1, max: 63, check: label, example: "gold"},
	"Override.values":   {required: true, min: 1, max: 16},
	"Override.values[]": {required: true, min: 1, max: 128, check: keyValue, example: "acme", private: true},
	"Override.action":   {oneOf: []string{ActionLimit, ActionExempt, ActionDeny}},
	"Override.limit":    {},

	"ClientIP.trustedProxies":   {max: 64},
	"ClientIP.trustedProxies[]": {required: true, min: 1, max: 43, check: proxyRange, example: "10.0.0.0/8"},
	"ClientIP.ipv6PrefixLength": {min: 1, max: 128, example: "64"},

	"Store.type":                {oneOf: []string{StoreRedis, StoreMemory}},
	"Store.onOutage":            {oneOf: []string{OutageShare, OutageFull, OutageAllow, OutageDeny}},
	"Store.timeoutMilliseconds": {min: 1, max: 1000, example: "25"},
}

// remedy says what to write for the field, by its last name.
func (s shape) remedy(field string) string {
	name := field[strings.LastIndex(field, ".")+1:]
	example := s.example
	if example == "" && len(s.oneOf) > 0 {
		example = s.oneOf[0]
	}
	switch {
	case example == "":
		return ""
	case strings.HasSuffix(name, "]"):
		return "write e.g. " + example
	default:
		return fmt.Sprintf("write e.g. %s: %s", name, example)
	}
}

// wants describes a number or an enumerated text.
func (s shape) wants() string {
	switch {
	case len(s.oneOf) > 0:
		return "must be " + oneOf(s.oneOf)
	case s.min == s.max:
		return fmt.Sprintf("must be %d", s.min)
	default:
		return fmt.Sprintf("must be a whole number between %d and %d", s.min, s.max)
	}
}

func (s shape) checkNumber(p *problems, path string, n int64) {
	if n < s.min || n > s.max {
		p.add(path, fmt.Sprintf("%s, got %d", s.wants(), n), s.remedy(path))
	}
}

func (s shape) checkText(p *problems, path, text string) {
	if len(s.oneOf) > 0 {
		if !slices.Contains(s.oneOf, text) {
			p.add(path, s.wants()+", got "+quote(text), s.enumRemedy(path, text))
		}
		return
	}
	if n := int64(utf8.RuneCountInString(text)); n < s.min || n > s.max {
		p.add(path, fmt.Sprintf("must have %d to %d characters, has %d", s.min, s.max, n), s.remedy(path))
		return
	}
	if what, remedy := s.check(text); what != "" {
		if !s.private {
			what += ", got " + quote(text)
		}
		p.add(path, what, cmp.Or(remedy, s.remedy(path)))
	}
}

// enumRemedy proposes the member that text most likely stands for.
func (s shape) enumRemedy(path, text string) string {
	if near := nearest(text, s.oneOf); near != "" {
		s.example = near
	}
	return s.remedy(path)
}

func (s shape) checkCount(p *problems, path string, n int) {
	if int64(n) < s.min || int64(n) > s.max {
		p.add(path, fmt.Sprintf("must have %d to %d members, has %d", s.min, s.max, n), "")
	}
}

func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

var (
	labelPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	uidPattern   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$`)
	tokenPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

func label(s string) (string, string) {
	if labelPattern.MatchString(s) {
		return "", ""
	}
	return "must be lower-case letters, digits and inner hyphens", ""
}

func uid(s string) (string, string) {
	if uidPattern.MatchString(s) {
		return "", ""
	}
	return "must be letters, digits and inner hyphens", ""
}

// token is RFC 9110 section 5.6.2; metadata names are a part of it.
func token(s string) (string, string) {
	if tokenPattern.MatchString(s) {
		return "", ""
	}
	return "must be a header or metadata name: letters, digits and !#$%&'*+-.^_`|~", ""
}

func printable(s string) (string, string) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "must be UTF-8 text without control characters", ""
	}
	return "", ""
}

// keyValue refuses what no request can ever be identified by.
func keyValue(s string) (string, string) {
	if what, remedy := printable(s); what != "" {
		return what, remedy
	}
	if strings.Trim(s, " ") != s {
		return "must not begin or end with a space, since requests' values are compared without", "remove the space"
	}
	return "", ""
}
