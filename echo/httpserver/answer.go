package httpserver

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// maxPooledBytes keeps one large answer from holding its memory for ever.
const maxPooledBytes = 64 << 10

// answers keeps buffers between requests; it holds nothing that is needed.
var answers = sync.Pool{New: func() any { return new(jsonWriter) }}

// answer writes the echo with the status that the client asked for.
func (e *exchange) answer(status int, query url.Values, received *body) {
	e.status = status
	header := e.w.Header()
	if !hasContent(status) {
		e.w.WriteHeader(status)
		return
	}
	j, ok := answers.Get().(*jsonWriter)
	if !ok {
		j = new(jsonWriter)
	}
	defer func() {
		if cap(j.buf) <= maxPooledBytes {
			answers.Put(j)
		}
	}()
	j.buf = j.buf[:0]
	e.describe(j, query, received)
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(j.buf)))
	e.w.WriteHeader(status)
	if e.r.Method != http.MethodHead {
		// A client that went away is nothing to report.
		_, _ = e.w.Write(j.buf)
	}
}

// hasContent is RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
func hasContent(status int) bool {
	return status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

// describe writes the echo. The members up to pod have the names of the echo
// server that the Gateway API's conformance tests use.
func (e *exchange) describe(j *jsonWriter, query url.Values, received *body) {
	j.open('{')
	j.text("path", e.r.RequestURI)
	j.text("host", e.r.Host)
	j.text("method", e.r.Method)
	j.text("proto", e.r.Proto)
	j.lists("headers", e.r.Header, e.shownHeader)
	j.text("namespace", e.Place.Namespace)
	j.text("ingress", e.Place.Ingress)
	j.text("service", e.Place.Service)
	j.text("pod", e.Place.Pod)
	j.lists("query", query, func(_, value string) string { return value })
	describeBody(j, received)
	e.describeLimits(j)
	j.textUnlessEmpty("traceId", telemetry.TraceID(e.r.Header.Get("Traceparent")))
	j.close('}')
	j.buf = append(j.buf, '\n')
}

func (e *exchange) shownHeader(name, value string) string {
	if e.redact.hides(name) {
		return redactedValue
	}
	return value
}

func describeBody(j *jsonWriter, b *body) {
	kept, truncated := b.kept, b.total > int64(len(b.kept))
	if truncated {
		kept = wholeRunes(kept)
	}
	if isText(kept) {
		j.bytesAsText("body", kept)
		j.text("bodyEncoding", "text")
	} else {
		j.base64("body", b.kept)
		j.text("bodyEncoding", "base64")
	}
	j.number("bodyBytes", b.total)
	j.boolean("bodyTruncated", truncated)
}

// isText also refuses control characters, which JSON would write six times as long.
func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t'
	}) < 0
}

// wholeRunes drops a rune that truncation cut in two.
func wholeRunes(b []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		last := b[len(b)-n:]
		if utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}

// describeLimits tells of the first rule, the one closest to refusing.
func (e *exchange) describeLimits(j *jsonWriter) {
	limits := e.Limits()
	if rules := e.passage.Decision.Rules; len(rules) > 0 {
		quota := rules[0].Quota()
		e.describeClient(j, limits, rules[0].Rule)
		j.key("rateLimit")
		j.open('{')
		j.text("rule", rules[0].Rule)
		j.number("limit", quota.Burst)
		j.number("remaining", quota.Remaining)
		j.number("resetSeconds", quota.ResetSeconds)
		j.textUnlessEmpty("source", sourceName(e.passage.Decision.Source))
		j.text("outcome", outcomeName(e.passage.Decision.Outcome))
		j.close('}')
	}
	j.key("config")
	j.open('{')
	j.number("generation", limits.Generation)
	j.text("hash", limits.Hash)
	j.close('}')
}

// describeClient tells a person which identity a rule counted. Values of headers
// that are not shown are told apart by a digest.
func (e *exchange) describeClient(j *jsonWriter, limits *Limits, rule string) {
	parts := limits.Client(rule, &e.passage.Client)
	identities, sources := make([]string, 0, len(parts)), make([]string, 0, len(parts))
	for _, part := range parts {
		value := part.Value
		if e.redact.hides(http.CanonicalHeaderKey(part.Key.Name)) {
			value = digest(value)
		}
		identities, sources = append(identities, value), append(sources, part.Key.String())
	}
	if len(parts) == 0 {
		sources = append(sources, string(identity.Shared))
	}
	j.key("client")
	j.open('{')
	j.text("identity", strings.Join(identities, ", "))
	j.text("source", strings.Join(sources, ", "))
	j.close('}')
}

func sourceName(s limiter.Source) string {
	switch s {
	case limiter.SourceMemory:
		return "memory"
	case limiter.SourceStore:
		return "redis"
	case limiter.SourceFallback:
		return "fallback"
	}
	return ""
}

func outcomeName(o limiter.Outcome) string {
	switch o {
	case limiter.Allowed:
		return "allowed"
	case limiter.Denied:
		return "denied"
	case limiter.Forbidden:
		return "forbidden"
	}
	return "unidentified"
}
