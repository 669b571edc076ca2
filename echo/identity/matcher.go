package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// Source says where a part of a client's identity comes from.
type Source string

// The sources. Header and Metadata read the same values: metadata on gRPC,
// headers on HTTP.
const (
	ClientIP Source = "ClientIP"
	Header   Source = "Header"
	Metadata Source = "Metadata"
	Path     Source = "Path"
	Method   Source = "Method"
	// Shared is the source of a missing key's stand-in; no rule may ask for it.
	Shared Source = "Shared"
)

// Key is one part of a client's identity; Name is for Header and Metadata only.
type Key struct {
	Source Source
	Name   string
}

// String returns the key as an error names it: "Header x-api-key".
func (k Key) String() string {
	if k.Name == "" {
		return string(k.Source)
	}
	return string(k.Source) + " " + k.Name
}

// OnMissing says what stands in for a key that a request lacks.
type OnMissing string

const (
	// MissingShared is one stand-in for all requests that lack the key.
	MissingShared OnMissing = "Shared"
	// MissingClientIP is the client's address, which no value of the key can name.
	MissingClientIP OnMissing = "ClientIP"
	// MissingDeny lets nothing stand in: the request is refused.
	MissingDeny OnMissing = "Deny"
)

// Match selects requests; every part that is set must fit.
type Match struct {
	Protocol Protocol
	// Path is compared in its canonical form, whole or by path elements.
	Path   string
	Prefix bool
	// Methods are compared as they are; HEAD is not GET.
	Methods []string
}

// Rule says which requests a matcher concerns (all, when Match is empty) and
// what identifies their clients (nothing, when Keys is empty).
type Rule struct {
	Match     []Match
	Keys      []Key
	OnMissing OnMissing
}

// Matcher identifies the clients of one rule. It is immutable and safe for
// concurrent use.
type Matcher struct {
	rule      Rule
	addresses *Addresses
}

// NewMatcher refuses paths that [CanonicalPath] refuses and sources that it does not know.
func NewMatcher(rule Rule, addresses *Addresses) (*Matcher, error) {
	m := &Matcher{
		rule:      Rule{Match: slices.Clone(rule.Match), Keys: slices.Clone(rule.Keys), OnMissing: rule.OnMissing},
		addresses: addresses,
	}
	for i := range m.rule.Match {
		if err := m.rule.Match[i].compile(); err != nil {
			return nil, err
		}
	}
	known := []Source{ClientIP, Header, Metadata, Path, Method}
	for _, key := range rule.Keys {
		if !slices.Contains(known, key.Source) {
			return nil, fmt.Errorf("unknown key source %q", key.Source)
		}
	}
	return m, nil
}

// compile brings the path into the form that matches compares with; a prefix
// loses its trailing slash, so that /v1/ also means /v1.
func (m *Match) compile() error {
	if m.Path == "" {
		return nil
	}
	path, err := CanonicalPath(m.Path)
	if err != nil {
		return fmt.Errorf("path %q: %w", m.Path, err)
	}
	if m.Prefix && path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	m.Path = path
	return nil
}

func (m *Match) matches(r *Request) bool {
	return (m.Protocol == "" || m.Protocol == r.Protocol) &&
		(m.Path == "" || m.matchesPath(r.Path)) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, r.Method))
}

func (m *Match) matchesPath(path string) bool {
	if !m.Prefix || m.Path == path {
		return m.Path == path
	}
	rest, ok := strings.CutPrefix(path, m.Path)
	return ok && (m.Path == "/" || strings.HasPrefix(rest, "/"))
}

// Matches reports whether the rule concerns r.
func (m *Matcher) Matches(r *Request) bool {
	if len(m.rule.Match) == 0 {
		return true
	}
	for i := range m.rule.Match {
		if m.rule.Match[i].matches(r) {
			return true
		}
	}
	return false
}

// Identify is a [limiter.IdentifyFunc]; value must be a *Request. Anything else
// counts as a missing key, so that a wiring mistake cannot switch limits off.
func (m *Matcher) Identify(value any, parts []string) ([]string, limiter.Identification) {
	r, ok := value.(*Request)
	if !ok || r == nil {
		return append(parts, "request"), limiter.KeyMissing
	}
	if !m.Matches(r) {
		return parts, limiter.NotMatched
	}
	for _, key := range m.rule.Keys {
		part, ok := m.part(r, key)
		if !ok {
			return append(parts, key.String()), limiter.KeyMissing
		}
		parts = append(parts, part.bucket())
	}
	return parts, limiter.Identified
}
