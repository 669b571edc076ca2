package httpserver

import (
	"context"
	"log/slog"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// log writes one line a request at debug, and at info at most one line about
// denials a second. Neither has the query, a header or a client's identity.
func (h *handler) log(e *exchange, start time.Time, took time.Duration) {
	ctx := e.r.Context()
	if h.Log.Enabled(ctx, slog.LevelDebug) {
		h.Log.LogAttrs(ctx, slog.LevelDebug, "request", e.attributes(took)...)
		return
	}
	if e.passage.Refused == 0 || e.passage.Decision.Outcome == limiter.Allowed || !h.Log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	h.logDenial(ctx, e, start, took)
}

func (h *handler) logDenial(ctx context.Context, e *exchange, start time.Time, took time.Duration) {
	suppressed, ok := h.denials.Allow(start)
	if !ok {
		return
	}
	h.Log.LogAttrs(ctx, slog.LevelInfo, "denied", append(e.attributes(took), slog.Int64("suppressed", suppressed))...)
}

func (e *exchange) attributes(took time.Duration) []slog.Attr {
	d := &e.passage.Decision
	attrs := []slog.Attr{
		slog.String("method", e.r.Method),
		slog.String("path", e.r.URL.Path),
		slog.Int("status", e.status),
		slog.String("outcome", outcomeName(d.Outcome)),
		slog.Duration("took", took),
	}
	switch {
	case d.Rule != "":
		attrs = append(attrs, slog.String("rule", d.Rule))
	case len(d.Rules) > 0:
		attrs = append(attrs, slog.String("rule", d.Rules[0].Rule))
	}
	if id := telemetry.TraceID(e.r.Header.Get("Traceparent")); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	return attrs
}
