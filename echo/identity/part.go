package identity

import (
	"errors"
	"fmt"
)

// Part is one part of a client's identity, for people to read.
type Part struct {
	// Key is where the value came from. Its source is Shared when all requests
	// that lack InsteadOf are one client.
	Key Key
	// Value is the client's value, or "sha256:" and a digest when it is too long
	// to keep; it may be a secret, as the key's name tells.
	Value string
	// InsteadOf is the key that the request lacks, the zero Key when it lacks none.
	InsteadOf Key

	digested bool
}

// Describe returns the parts that identify r's client to the rule, whether or
// not the rule concerns r; nil when the rule has no keys or refuses r.
func (m *Matcher) Describe(r *Request) []Part {
	var parts []Part
	for _, key := range m.rule.Keys {
		part, ok := m.part(r, key)
		if !ok {
			return nil
		}
		parts = append(parts, part)
	}
	return parts
}

// bucket returns the part of the bucket's key. Values stand for themselves;
// everything else begins with what no value begins with.
func (p *Part) bucket() string {
	switch {
	case p.Key.Source == Shared:
		return sharedPart
	case p.InsteadOf != Key{}:
		return addressPrefix + p.Value
	case p.digested:
		return reserved + p.Value
	default:
		return p.Value
	}
}

// part returns false when the request lacks the key and the rule refuses that.
func (m *Matcher) part(r *Request, key Key) (Part, bool) {
	value := m.value(r, key)
	switch {
	case needsDigest(value):
		return Part{Key: key, Value: "sha256:" + digest(value), digested: true}, true
	case value != "":
		return Part{Key: key, Value: value}, true
	case m.rule.OnMissing == MissingDeny:
		return Part{}, false
	}
	if m.rule.OnMissing == MissingClientIP {
		if address := m.value(r, Key{Source: ClientIP}); address != "" {
			return Part{Key: Key{Source: ClientIP}, Value: address, InsteadOf: key}, true
		}
	}
	return Part{Key: Key{Source: Shared}, InsteadOf: key}, true
}

// value returns "" when the request lacks the key.
func (m *Matcher) value(r *Request, key Key) string {
	switch key.Source {
	case ClientIP:
		if client := m.addresses.Client(r); client.IsValid() {
			return m.addresses.Name(client)
		}
	case Header, Metadata:
		if r.Header != nil {
			return combined(r.Header(key.Name))
		}
	case Path:
		return r.Path
	case Method:
		return r.Method
	}
	return ""
}

// Canonical returns the spelling in which a source's value is compared, so that
// a value that someone wrote down by hand equals the one that requests carry.
func (a *Addresses) Canonical(source Source, value string) (string, error) {
	switch source {
	case ClientIP:
		return a.parseName(value)
	case Path:
		path, err := CanonicalPath(value)
		if err != nil {
			return "", fmt.Errorf("must be a path that requests can have: %w", err)
		}
		return path, nil
	case Header, Metadata:
		if value = combined([]string{value}); value == "" {
			return "", errors.New("must hold more than commas and spaces")
		}
	}
	return value, nil
}
