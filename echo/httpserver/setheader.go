package httpserver

import (
	"fmt"
	"net/http"
	"strings"
)

// Bounds on X-Echo-Set-Header.
const maxSetHeaders = 32

// headerField is one header that a client asked for; the name is canonical.
type headerField struct{ name, value string }

// refusedHeaders cannot be set by a client: hop-by-hop and framing names, what
// decides how a browser treats the answer, and what this server itself vouches
// for. The names of rate limits are refused by prefix in refused.
var refusedHeaders = map[string]struct{}{
	"Connection":                          {},
	"Keep-Alive":                          {},
	"Proxy-Connection":                    {},
	"Te":                                  {},
	"Trailer":                             {},
	"Transfer-Encoding":                   {},
	"Upgrade":                             {},
	"Content-Encoding":                    {},
	"Content-Length":                      {},
	"Content-Range":                       {},
	"Content-Type":                        {},
	"Set-Cookie":                          {},
	"Set-Cookie2":                         {},
	"Cache-Control":                       {},
	"Clear-Site-Data":                     {},
	"Content-Security-Policy":             {},
	"Content-Security-Policy-Report-Only": {},
	"Strict-Transport-Security":           {},
	"Vary":                                {},
	"X-Content-Type-Options":              {},
	"Retry-After":                         {},
}

// setHeaderControl reads "Name:value" pairs, several to a line where a comma is
// followed by another name and colon; any other comma belongs to the value.
func setHeaderControl(lines []string) ([]headerField, error) {
	var fields []headerField
	for _, line := range lines {
		lineStart := len(fields)
		for piece := range strings.SplitSeq(line, ",") {
			name, value, isPair := strings.Cut(piece, ":")
			name = strings.TrimSpace(name)
			if isPair && isToken(name) {
				fields = append(fields, headerField{http.CanonicalHeaderKey(name), value})
			} else if len(fields) > lineStart {
				fields[len(fields)-1].value += "," + piece
			} else {
				return nil, fmt.Errorf("%s: must be Name:value, got %s", setHeaderHeader, quoted(piece))
			}
			if len(fields) > maxSetHeaders {
				return nil, fmt.Errorf("%s: sets more than %d headers", setHeaderHeader, maxSetHeaders)
			}
		}
	}
	for i := range fields {
		fields[i].value = strings.TrimSpace(fields[i].value)
		if err := fields[i].check(); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func (f headerField) check() error {
	if refused(f.name) {
		return fmt.Errorf("%s: %s cannot be set by a client; choose another header", setHeaderHeader, f.name)
	}
	if !isFieldValue(f.value) {
		return fmt.Errorf("%s: the value of %s has a control character", setHeaderHeader, f.name)
	}
	return nil
}

func refused(name string) bool {
	if _, ok := refusedHeaders[name]; ok {
		return true
	}
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "ratelimit") || strings.HasPrefix(lower, "x-ratelimit") || strings.HasPrefix(lower, "x-rate-limit")
}

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue is RFC 9110 section 5.5 without the obsolete folding.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
