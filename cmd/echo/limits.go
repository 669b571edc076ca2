package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/httpserver"
	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/httplimit"
	"github.com/echo-operator/echo-operator/echo/limiter/prom"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/reload"
)

// limitsSource is where limits come from: a watched file, or the settings.
type limitsSource interface {
	// Run takes changes over until ctx ends.
	Run(ctx context.Context) error
	Status() reload.Status
}

// loadLimits puts the first limits into force.
func (s *service) loadLimits() error {
	metrics, err := reload.NewMetrics(s.registry)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if s.config.LimitsFile == "" {
		return s.loadSettings(metrics)
	}
	w := reload.New(s.config.LimitsFile, s.enforce, reload.WithLogger(s.log), reload.WithObserver(metrics))
	s.source = w
	return w.Load()
}

// loadSettings goes by way of the file's form, so that hashes mean the same.
func (s *service) loadSettings(metrics *reload.Metrics) error {
	c := s.config.Limit
	file, err := config.SingleRule(c.Requests, c.Period, c.Burst, c.Key)
	if err != nil {
		return err
	}
	data, err := config.Render(file)
	if err != nil {
		return err
	}
	loaded, err := reload.Parse(data)
	if err != nil {
		return err
	}
	if err := s.enforce(loaded); err != nil {
		return err
	}
	metrics.Loaded(loaded.Hash, loaded.Generation)
	s.source = fixed{Hash: loaded.Hash, LimitsHash: loaded.LimitsHash, LoadedAt: time.Now().UTC()}
	return nil
}

// fixed limits never change.
type fixed reload.Status

func (fixed) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (f fixed) Status() reload.Status { return reload.Status(f) }

// enforce puts limits into force: at the start by making the limiter, afterwards
// by giving it the new policy. On an error nothing has changed.
func (s *service) enforce(loaded *reload.Loaded) error {
	policy := loaded.Compiled.Policy
	if policy.ID == "" {
		policy.ID = s.config.PolicyID
	}
	var err error
	if s.limiter == nil {
		err = s.openLimiter(loaded.File, policy)
	} else {
		err = s.limiter.SetPolicy(policy)
	}
	if err != nil {
		return err
	}
	s.noteStoreType(loaded.File.Store.Type)
	s.gate.SetHeaders(headerSet(loaded.File.Headers))
	s.limits.Store(&httpserver.Limits{Generation: loaded.Generation, Hash: loaded.Hash, Client: loaded.Compiled.Describe})
	return nil
}

// openLimiter also opens the store, so that nothing is connected for a file that
// is not valid.
func (s *service) openLimiter(file *config.File, policy limiter.Policy) error {
	observer, err := prom.New(s.registry)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	var store limiter.Store
	if s.wantsRedis(file) {
		if s.redis, err = redisstore.Open(s.config.Redis); err != nil {
			return fmt.Errorf("ECHO_REDIS_...: %w", err)
		}
		store = s.redis
	}
	s.limiter, err = limiter.New(policy, store,
		limiter.WithObserver(observer),
		limiter.WithLogger(s.log),
		limiter.WithMaxClients(int(s.config.MaxClients)))
	if err != nil {
		return err
	}
	s.gate = httplimit.New(s.limiter)
	return nil
}

// wantsRedis says once, at the start, when the buckets are not where the file
// says. Memory it is then: a pod that can decide is better than none.
func (s *service) wantsRedis(file *config.File) bool {
	if file.Store.Type != config.StoreRedis {
		return false
	}
	if s.config.usesRedis() {
		return true
	}
	level := slog.LevelInfo
	if file.Policy != nil {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "ECHO_REDIS_URL is not set: buckets are kept in this process's memory")
	return false
}

// noteStoreType says when the file asks for another store: the connection is made
// once, so that takes a restart.
func (s *service) noteStoreType(storeType string) {
	if s.storeType != "" && s.storeType != storeType {
		s.log.Warn("store.type changed: the new limits are in force, the store changes with a restart", "from", s.storeType, "to", storeType)
	}
	s.storeType = storeType
}

func headerSet(names []string) httplimit.HeaderSet {
	var set httplimit.HeaderSet
	for _, name := range names {
		switch name {
		case config.HeadersIETF:
			set |= httplimit.IETF
		case config.HeadersXRateLimit:
			set |= httplimit.XRateLimit
		}
	}
	return set
}

// configz is the limits in force as the admin port tells them.
func (s *service) configz() config.Configz {
	status, state := s.source.Status(), s.limiter.State()
	z := config.Configz{
		Pod:        s.config.Pod,
		Hash:       status.Hash,
		LimitsHash: status.LimitsHash,
		Generation: status.Generation,
		LoadedAt:   status.LoadedAt,
		LastError:  status.LastError,
		Store:      config.ConfigzStore{Type: state.Type, State: state.State},
	}
	if s.redis != nil {
		z.Store.CredentialsVersion = s.redis.CredentialsVersion()
	}
	return z
}
