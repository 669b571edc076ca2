// Package problem writes refusals as application/problem+json (RFC 9457), so
// that a client can tell one refusal from another without reading prose.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Problem types registered at IANA; a problem without a type of its own is
// about:blank, which says no more than its status (RFC 9457 section 4.2.1).
const (
	TypeQuotaExceeded            = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	TypeTemporaryReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
	typeBlank                    = "about:blank"
)

// Problem is one refusal. Status is needed; an empty Type is about:blank and an
// empty Title the status's own phrase.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what was wrong with this request and what would be right.
	Detail string `json:"detail,omitempty"`
	// ViolatedPolicies names the rules that refused, for TypeQuotaExceeded.
	ViolatedPolicies []string `json:"violated-policies,omitempty"`
}

// Write answers r with p. It does not read the request's body: where HTTP/1
// would have to read it before the next request, the connection is closed.
func (p Problem) Write(w http.ResponseWriter, r *http.Request) {
	body := p.body()
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		header.Set("Connection", "close")
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		// A client that went away is nothing to report.
		_, _ = w.Write(body)
	}
}

func (p Problem) body() []byte {
	if p.Type == "" {
		p.Type = typeBlank
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	body, err := json.Marshal(p)
	if err != nil {
		// Strings and numbers always encode; should that change, the status still goes out.
		return []byte("{}\n")
	}
	return append(body, '\n')
}
