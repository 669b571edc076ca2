package admin

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// Bounds on scraping, so that a scraper that never reads costs little.
const (
	metricsTimeout     = 10 * time.Second
	metricsMaxInFlight = 4
)

// Options is what the admin port shows. Readiness, Configz, Registry and Log are needed.
type Options struct {
	Readiness *Readiness
	// Configz says which limits are in force. It is called for every request to
	// /configz, by many goroutines at once, and must not block.
	Configz  func() config.Configz
	Registry *prometheus.Registry
	Build    telemetry.Build
	// Pprof adds /debug/pprof/, which can slow the process down and shows its memory.
	Pprof bool
	Log   *slog.Logger
}

// NewHandler returns the admin port's handler.
func NewHandler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", o.readyz)
	mux.HandleFunc("GET /configz", func(w http.ResponseWriter, _ *http.Request) { o.writeJSON(w, o.Configz()) })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { o.writeJSON(w, o.Build) })
	mux.Handle("GET /metrics", o.metrics())
	if o.Pprof {
		addPprof(mux)
	}
	return secured(mux)
}

func (o Options) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := o.Readiness.Err(); err != nil {
		writeText(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, "ok\n")
}

func (o Options) metrics() http.Handler {
	return promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            o.Registry,
		MaxRequestsInFlight: metricsMaxInFlight,
		Timeout:             metricsTimeout,
		EnableOpenMetrics:   true,
	})
}

// addPprof names the handlers one by one: importing net/http/pprof also puts them
// on http.DefaultServeMux, which nothing here serves.
func addPprof(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (o Options) writeJSON(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		o.Log.Error("encode an admin answer", "error", err)
		writeText(w, http.StatusInternalServerError, "the answer could not be encoded\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that went away is nothing to report.
	_, _ = w.Write(body.Bytes())
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}
