package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/echo-operator/echo-operator/echo/admin"
	"github.com/echo-operator/echo-operator/echo/httpserver"
	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// adminShutdownTimeout bounds the end of the admin port, where nothing takes long.
const adminShutdownTimeout = time.Second

// Run serves until ctx ends, then drains. Its error is a [*StartError] when what
// the user gave cannot be used.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	s, err := newService(ctx, c, log)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// StartError says that flags, environment or limits file cannot be used.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// service is one process's parts.
type service struct {
	config    Config
	log       *slog.Logger
	registry  *prometheus.Registry
	readiness admin.Readiness
	draining  atomic.Bool

	source  limitsSource
	limits  atomic.Pointer[httpserver.Limits]
	limiter *limiter.Limiter
	gate    *httplimit.Gate
	// redis is nil when buckets are in memory.
	redis *redisstore.Store
	// storeType is what the limits in force ask for; reloads alone read and write it.
	storeType string

	http, admin endpoint
}

// endpoint is a server and the socket it serves.
type endpoint struct {
	name     string
	server   *http.Server
	listener net.Listener
}

// newService puts the limits into force and opens the sockets. On an error
// nothing is left open.
func newService(ctx context.Context, c Config, log *slog.Logger) (_ *service, err error) {
	s := &service{config: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.registry, err = telemetry.NewRegistry(c.Build); err != nil {
		return nil, err
	}
	if err := s.loadLimits(); err != nil {
		return nil, &StartError{err}
	}
	if s.http, err = s.openHTTP(ctx); err != nil {
		return nil, err
	}
	s.admin, err = s.openAdmin(ctx)
	return s, err
}

func (s *service) openHTTP(ctx context.Context) (endpoint, error) {
	metrics, err := telemetry.NewHTTP(s.registry)
	if err != nil {
		return endpoint{}, err
	}
	handler, err := httpserver.NewHandler(httpserver.Options{
		Settings: s.config.HTTP,
		Gate:     s.gate,
		Metrics:  metrics,
		Limits:   s.limits.Load,
		Draining: s.draining.Load,
		Place: httpserver.Place{
			Namespace: s.config.Pod.Namespace,
			Ingress:   s.config.Ingress,
			Service:   s.config.Service,
			Pod:       s.config.Pod.Name,
		},
		Log: s.log,
	})
	if err != nil {
		return endpoint{}, &StartError{err}
	}
	return listen(ctx, "HTTP", s.config.HTTPAddr, httpserver.NewServer(handler, s.config.HTTP, s.log))
}

func (s *service) openAdmin(ctx context.Context) (endpoint, error) {
	handler := admin.NewHandler(admin.Options{
		Readiness: &s.readiness,
		Configz:   s.configz,
		Registry:  s.registry,
		Build:     s.config.Build,
		Pprof:     s.config.Pprof,
		Log:       s.log,
	})
	return listen(ctx, "admin", s.config.AdminAddr, admin.NewServer(handler, s.log))
}

func listen(ctx context.Context, name, addr string, server *http.Server) (endpoint, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return endpoint{}, fmt.Errorf("%s address %q: %w", name, addr, err)
	}
	return endpoint{name, server, listener}, nil
}

// serve returns nil once the server was shut down.
func (e *endpoint) serve() error {
	if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", e.name, err)
	}
	return nil
}

// shutdown waits for the requests under way, and cuts off those that take too long.
func (e *endpoint) shutdown(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := e.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("%s: requests were cut off after %v: %w", e.name, timeout, err), e.server.Close())
	}
	return nil
}

// run serves until ctx ends or a part fails, and leaves nothing running.
func (s *service) run(ctx context.Context) error {
	// The parts outlive ctx: while draining, everything still works.
	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	running := newGroup()
	running.start(s.admin.serve)
	running.start(s.http.serve)
	running.start(func() error { return s.source.Run(parts) })
	s.readiness.Serve()
	s.log.Info("serving", "http", s.http.listener.Addr().String(), "admin", s.admin.listener.Addr().String(), "version", s.config.Build.Version)

	var failure error
	select {
	case <-ctx.Done():
		failure = s.drain(running)
	case failure = <-running.failed:
		s.log.Error("a part failed; ending", "error", failure)
	}
	s.readiness.Drain()
	failure = errors.Join(failure, s.http.shutdown(s.config.DrainTimeout))
	stop()
	if err := s.admin.shutdown(adminShutdownTimeout); err != nil {
		// Nobody's request is lost with a scrape.
		s.log.Debug("admin port closed", "error", err)
	}
	failure = errors.Join(failure, running.wait(), s.close())
	s.log.Info("ended")
	return failure
}

// drain tells those who ask that this process will end, and goes on serving until
// they have stopped sending requests here.
func (s *service) drain(running *group) error {
	s.readiness.Drain()
	s.draining.Store(true)
	s.log.Info("draining", "delay", s.config.DrainDelay.String())
	timer := time.NewTimer(s.config.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-running.failed:
		return err
	}
}

// close releases what newService opened and no server has closed.
func (s *service) close() error {
	var errs []error
	for _, e := range []endpoint{s.http, s.admin} {
		if e.listener != nil {
			if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.limiter != nil {
		errs = append(errs, s.limiter.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	return errors.Join(errs...)
}
