package httplimit

import (
	"context"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter"
)

// Decider is the part of a [limiter.Limiter] that a [Gate] needs.
type Decider interface {
	Decide(ctx context.Context, r limiter.Request) limiter.Decision
}

// Gate decides HTTP requests. It is safe for concurrent use.
type Gate struct {
	decider Decider
	key     func(*http.Request) string
	headers atomic.Uint32
}

// Option changes a [Gate].
type Option func(*Gate)

// WithHeaders chooses the header families; without it all are sent.
func WithHeaders(set HeaderSet) Option {
	return func(g *Gate) { g.SetHeaders(set) }
}

// WithKey gives the bucket key for rules without an Identify function. Without
// it all requests share one bucket of such a rule.
func WithKey(key func(*http.Request) string) Option {
	return func(g *Gate) { g.key = key }
}

// New returns a gate in front of decider.
func New(decider Decider, opts ...Option) *Gate {
	g := &Gate{decider: decider}
	g.SetHeaders(AllHeaders)
	for _, opt := range opts {
		opt(g)
	}
	return g
}

// SetHeaders chooses the header families from now on.
func (g *Gate) SetHeaders(set HeaderSet) { g.headers.Store(uint32(set)) }

// Passage is how one request fared at a [Gate].
type Passage struct {
	// Decision is the zero Decision when the request was refused before it was decided.
	Decision limiter.Decision
	// Client is what the rules looked at; its Header function is valid while the request is.
	Client identity.Request
	// Refused is the status of the answer that the gate has written, 0 when the
	// request may go on.
	Refused int
}

// Check decides r and writes the quota headers into w. When the request may not
// go on, the whole answer has been written, and r's body has not been read.
func (g *Gate) Check(w http.ResponseWriter, r *http.Request) Passage {
	var p Passage
	path, err := identity.CanonicalPath(r.URL.EscapedPath())
	if err != nil {
		badPath(err).Write(w, r)
		p.Refused = http.StatusBadRequest
		return p
	}
	p.Client = identity.Request{
		Protocol: identity.HTTP,
		Method:   r.Method,
		Path:     path,
		Peer:     peer(r),
		Header:   headerOf(r),
	}
	req := limiter.Request{Value: &p.Client}
	if g.key != nil {
		req.Key = g.key(r)
	}
	p.Decision = g.decider.Decide(r.Context(), req)
	setQuota(w.Header(), &p.Decision, HeaderSet(g.headers.Load()))
	if refusal, ok := refusalOf(&p.Decision); ok {
		refusal.Write(w, r)
		p.Refused = refusal.Status
	}
	return p
}

// Handler lets through to next what the limiter allows; next finds the decision
// with [FromContext].
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := g.Check(w, r)
		if p.Refused != 0 {
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, &p.Decision)))
	})
}

type contextKey struct{}

// FromContext returns the decision that let a request through [Gate.Handler],
// nil when there is none.
func FromContext(ctx context.Context) *limiter.Decision {
	d, _ := ctx.Value(contextKey{}).(*limiter.Decision)
	return d
}

// peer is the zero Addr for a connection without an IP address, such as a Unix socket.
func peer(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr()
}

// headerOf also finds Host, which net/http keeps elsewhere.
func headerOf(r *http.Request) func(string) []string {
	return func(name string) []string {
		if canonical := http.CanonicalHeaderKey(name); canonical != "Host" {
			return r.Header[canonical]
		}
		if r.Host == "" {
			return nil
		}
		return []string{r.Host}
	}
}
