// Package admin is the port that operators and probes talk to: health,
// readiness, the limits in force, metrics, version and, by choice, profiles. It
// is never rate-limited, and nothing on it depends on Redis.
package admin
