package main

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/echo-operator/echo-operator/echo/config"
	"github.com/echo-operator/echo-operator/echo/httpserver"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/telemetry"
)

// Config is what cannot change without a restart.
type Config struct {
	HTTPAddr, AdminAddr string
	// LimitsFile is empty when Limit has the only rule.
	LimitsFile string
	Limit      LimitSettings
	LogLevel   slog.Level
	// DrainDelay is how long requests are still taken after the signal to end,
	// DrainTimeout how long those under way may then take.
	DrainDelay, DrainTimeout time.Duration
	MaxClients               int64
	// PolicyID names the buckets when the limits file has no policy.
	PolicyID string
	HTTP     httpserver.Settings
	Redis    redisstore.Config
	Pprof    bool
	Pod      config.PodRef
	// Service and Ingress are shown in answers only.
	Service, Ingress string
	Build            telemetry.Build
}

// LimitSettings is the one rule that holds without a limits file, as texts; see
// [config.SingleRule].
type LimitSettings struct{ Requests, Period, Burst, Key string }

// usesRedis reports whether there is a Redis to share buckets through.
func (c *Config) usesRedis() bool { return c.Redis.URL != "" || len(c.Redis.Addrs) > 0 }

// settings returns all settings in the order in which the help shows them.
func settings() []setting {
	return slices.Concat(processSettings(), limitSettings(), redisSettings(), boundSettings(), placeSettings())
}

func processSettings() []setting {
	return []setting{
		{flag: "http-addr", standard: ":8080", usage: "address that HTTP is served on", set: text(func(c *Config) *string { return &c.HTTPAddr })},
		{flag: "admin-addr", standard: ":8081", usage: "address of health, readiness, limits in force and metrics", set: text(func(c *Config) *string { return &c.AdminAddr })},
		{flag: "log-level", standard: "info", usage: "debug, info, warn or error", set: setLogLevel},
		{flag: "drain-delay", standard: "5s", usage: "how long requests are still taken after the signal to end", set: duration(func(c *Config) *time.Duration { return &c.DrainDelay })},
		{flag: "drain-timeout", standard: "20s", usage: "how long requests under way may then take", set: duration(func(c *Config) *time.Duration { return &c.DrainTimeout })},
		{flag: "pprof", standard: "false", usage: "serve profiles on the admin address", boolean: true, set: boolean(func(c *Config) *bool { return &c.Pprof })},
	}
}

func limitSettings() []setting {
	return []setting{
		{flag: "limits", env: "ECHO_LIMITS_FILE", usage: "limits file; read again whenever it changes", set: text(func(c *Config) *string { return &c.LimitsFile })},
		{flag: "limit-requests", usage: "without a limits file: requests a period (" + config.DefaultSingleRequests + ")", set: text(func(c *Config) *string { return &c.Limit.Requests })},
		{flag: "limit-period", usage: "without a limits file: the period (" + config.DefaultSinglePeriod + ")", set: text(func(c *Config) *string { return &c.Limit.Period })},
		{flag: "limit-burst", usage: "without a limits file: requests at once (as many as a period's)", set: text(func(c *Config) *string { return &c.Limit.Burst })},
		{flag: "limit-key", usage: "without a limits file: ip, header:NAME or none (" + config.DefaultSingleKey + ")", set: text(func(c *Config) *string { return &c.Limit.Key })},
		{flag: "max-clients", standard: "262144", usage: "buckets kept in memory", set: number(func(c *Config) *int64 { return &c.MaxClients }, 8, 1<<30)},
		{flag: "policy-id", usage: "name of the shared buckets when the limits file names no policy", set: text(func(c *Config) *string { return &c.PolicyID })},
	}
}

func redisSettings() []setting {
	return []setting{
		{flag: "redis-url", usage: "redis:// or rediss:// URL; without it buckets are in memory", secret: true, set: text(func(c *Config) *string { return &c.Redis.URL })},
		{flag: "redis-mode", standard: string(redisstore.Standalone), usage: "Standalone, Sentinel or Cluster", set: setRedisMode},
		{flag: "redis-addrs", usage: "host:port list of the sentinels or the cluster's nodes", set: list(func(c *Config) *[]string { return &c.Redis.Addrs })},
		{flag: "redis-master-name", usage: "the master's name, for Sentinel", set: text(func(c *Config) *string { return &c.Redis.MasterName })},
		{flag: "redis-username", usage: "user name", set: text(func(c *Config) *string { return &c.Redis.Username })},
		{flag: "redis-password-file", usage: "file with the password; read again for every connection", set: text(func(c *Config) *string { return &c.Redis.PasswordFile })},
		{flag: "redis-sentinel-password-file", usage: "file with the sentinels' password", set: text(func(c *Config) *string { return &c.Redis.SentinelPasswordFile })},
		{flag: "redis-ca-file", usage: "certificates that Redis' is checked against", set: text(func(c *Config) *string { return &c.Redis.CAFile })},
		{flag: "redis-cert-file", usage: "client certificate", set: text(func(c *Config) *string { return &c.Redis.CertFile })},
		{flag: "redis-key-file", usage: "client certificate's key", set: text(func(c *Config) *string { return &c.Redis.KeyFile })},
	}
}

// boundSettings are checked against each other by [httpserver.Settings.Validate].
func boundSettings() []setting {
	const most = 1 << 40
	return []setting{
		{flag: "max-body-bytes", standard: "1048576", usage: "largest request body", set: number(func(c *Config) *int64 { return &c.HTTP.MaxBodyBytes }, 1, most)},
		{flag: "max-echoed-body-bytes", standard: "1048576", usage: "how much of a body an answer repeats", set: number(func(c *Config) *int64 { return &c.HTTP.MaxEchoedBodyBytes }, 0, most)},
		{flag: "body-budget-bytes", standard: "67108864", usage: "what all bodies in flight take together", set: number(func(c *Config) *int64 { return &c.HTTP.BodyBudgetBytes }, 1, most)},
		{flag: "max-header-bytes", standard: "16384", usage: "largest request head", set: number(func(c *Config) *int64 { return &c.HTTP.MaxHeaderBytes }, 1, most)},
		{flag: "max-in-flight", standard: "10000", usage: "requests at once", set: number(func(c *Config) *int64 { return &c.HTTP.MaxInFlight }, 1, most)},
		{flag: "max-streams", standard: "250", usage: "requests at once on one HTTP/2 connection", set: number(func(c *Config) *int64 { return &c.HTTP.MaxStreams }, 1, most)},
		{flag: "max-delay", standard: "10s", usage: "longest delay that a client may ask for", set: duration(func(c *Config) *time.Duration { return &c.HTTP.MaxDelay })},
		{flag: "read-header-timeout", standard: "2s", usage: "wait for a request's head", set: duration(func(c *Config) *time.Duration { return &c.HTTP.ReadHeaderTimeout })},
		{flag: "read-timeout", standard: "15s", usage: "wait for a whole request", set: duration(func(c *Config) *time.Duration { return &c.HTTP.ReadTimeout })},
		{flag: "write-timeout", standard: "30s", usage: "from a request's head to the end of its answer", set: duration(func(c *Config) *time.Duration { return &c.HTTP.WriteTimeout })},
		{flag: "idle-timeout", standard: "60s", usage: "how long an unused connection is kept", set: duration(func(c *Config) *time.Duration { return &c.HTTP.IdleTimeout })},
		{flag: "redact-headers", standard: strings.Join(httpserver.DefaultRedactedHeaders(), ","), usage: "headers that answers do not show", set: setRedactedHeaders},
	}
}

func placeSettings() []setting {
	return []setting{
		{flag: "pod-name", env: "POD_NAME", usage: "this pod, as answers and /configz tell it", set: text(func(c *Config) *string { return &c.Pod.Name })},
		{flag: "pod-namespace", env: "POD_NAMESPACE", usage: "its namespace", set: text(func(c *Config) *string { return &c.Pod.Namespace })},
		{flag: "pod-uid", env: "POD_UID", usage: "its UID", set: text(func(c *Config) *string { return &c.Pod.UID })},
		{flag: "service-name", env: "SERVICE_NAME", usage: "the Service in front, as answers tell it", set: text(func(c *Config) *string { return &c.Service })},
		{flag: "ingress-name", env: "INGRESS_NAME", usage: "the ingress in front, as answers tell it", set: text(func(c *Config) *string { return &c.Ingress })},
	}
}

func setLogLevel(c *Config, value string) error {
	level, err := telemetry.ParseLevel(value)
	if err != nil {
		return errors.New("write debug, info, warn or error")
	}
	c.LogLevel = level
	return nil
}

func setRedisMode(c *Config, value string) error {
	switch mode := redisstore.Mode(value); mode {
	case redisstore.Standalone, redisstore.Sentinel, redisstore.Cluster:
		c.Redis.Mode = mode
		return nil
	}
	return errors.New("write Standalone, Sentinel or Cluster")
}

// setRedactedHeaders keeps an empty list apart from none, which would mean the standard.
func setRedactedHeaders(c *Config, value string) error {
	c.HTTP.RedactedHeaders = []string{}
	return list(func(c *Config) *[]string { return &c.HTTP.RedactedHeaders })(c, value)
}
