package httpserver

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/echo-operator/echo-operator/echo/identity"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit/problem"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// statusClientGone counts requests whose client left before the answer. Nobody
// gets it as an answer.
const statusClientGone = 499

const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// denialLogInterval bounds the log lines about denials.
const denialLogInterval = time.Second

// Gate decides requests; [httplimit.Gate] is one.
type Gate interface {
	Check(w http.ResponseWriter, r *http.Request) httplimit.Passage
}

// Metrics counts answered requests; [telemetry.HTTP] does.
type Metrics interface {
	Observe(method string, code int, took time.Duration)
}

// Limits is the limits in force, as an answer tells them.
type Limits struct {
	Generation int64
	Hash       string
	// Client returns what identifies a request's client to a rule; empty for a
	// rule that has one bucket for all.
	Client func(rule string, r *identity.Request) []identity.Part
}

// Place is where the service runs, as an answer tells it; any part may be empty.
type Place struct{ Namespace, Ingress, Service, Pod string }

// Options is what a handler needs; all of it must be set.
type Options struct {
	Settings Settings
	Gate     Gate
	Metrics  Metrics
	// Limits is called once a request and must not block.
	Limits func() *Limits
	// Draining reports that the process will end soon: HTTP/1 clients are then told
	// to open their next connection elsewhere, so that none is cut off in use.
	Draining func() bool
	Place    Place
	Log      *slog.Logger
}

type handler struct {
	Options
	redact   redactor
	requests *capacity
	bodies   bodyReader
	denials  *telemetry.Sampler
}

// NewHandler returns the echo. The error is a [*FieldError] of the settings.
func NewHandler(o Options) (http.Handler, error) {
	if err := o.Settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if o.Settings.RedactedHeaders == nil {
		o.Settings.RedactedHeaders = DefaultRedactedHeaders()
	}
	return &handler{
		Options:  o,
		redact:   newRedactor(o.Settings.RedactedHeaders),
		requests: newCapacity(o.Settings.MaxInFlight),
		bodies: bodyReader{
			maxBytes: o.Settings.MaxBodyBytes,
			maxKept:  min(o.Settings.MaxEchoedBodyBytes, o.Settings.MaxBodyBytes),
			budget:   newCapacity(o.Settings.BodyBudgetBytes),
		},
		denials: telemetry.NewSampler(denialLogInterval),
	}, nil
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	e := exchange{handler: h, w: w, r: r}
	e.serve()
	took := time.Since(start)
	h.Metrics.Observe(r.Method, e.status, took)
	h.log(&e, start, took)
}

// exchange is one request on its way to its answer.
type exchange struct {
	*handler
	w       http.ResponseWriter
	r       *http.Request
	passage httplimit.Passage
	status  int
}

func (e *exchange) serve() {
	e.vouch()
	if e.r.Method == http.MethodTrace || e.r.Method == http.MethodConnect {
		e.w.Header().Set("Allow", allowedMethods)
		e.refuse(&problem.Problem{Status: http.StatusMethodNotAllowed, Detail: "This service answers " + allowedMethods + " and other methods, but no " + e.r.Method + "."})
		return
	}
	if !e.requests.take(1) {
		e.refuse(&problem.Problem{
			Type:   problem.TypeTemporaryReducedCapacity,
			Title:  "Temporary reduced capacity",
			Status: http.StatusServiceUnavailable,
			Detail: "Too many requests are being answered at once; try again in a moment.",
		})
		return
	}
	defer e.requests.give(1)
	if e.passage = e.Gate.Check(e.w, e.r); e.passage.Refused != 0 {
		e.status = e.passage.Refused
		return
	}
	e.echo()
}

// vouch sets what holds for every answer.
func (e *exchange) vouch() {
	header := e.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", "Accept")
	// net/http drops a Content-Length that contradicts Transfer-Encoding and would
	// serve what follows; RFC 9112 section 6.3 asks for the connection's end.
	if e.r.ProtoMajor == 1 && (len(e.r.TransferEncoding) > 0 || e.Draining()) {
		header.Set("Connection", "close")
	}
}

// echo answers an admitted request.
func (e *exchange) echo() {
	query := e.r.URL.Query()
	asked, err := parseControls(e.r, e.passage.Client.Path, query, e.Settings.MaxDelay)
	if err != nil {
		e.refuse(&problem.Problem{Status: http.StatusBadRequest, Detail: err.Error()})
		return
	}
	received, p := e.bodies.read(e.r)
	defer e.bodies.release(&received)
	if p != nil {
		e.refuse(p)
		return
	}
	if !e.wait(asked.delay) {
		e.status = statusClientGone
		return
	}
	for _, f := range asked.set {
		e.w.Header().Add(f.name, f.value)
	}
	e.answer(asked.status, query, &received)
}

// wait reports false when the client left before the delay was over.
func (e *exchange) wait(delay time.Duration) bool {
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.r.Context().Done():
		return false
	}
}

func (e *exchange) refuse(p *problem.Problem) {
	e.status = p.Status
	p.Write(e.w, e.r)
}
