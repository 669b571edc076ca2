package httpserver

import (
	"fmt"
	"time"
)

// Settings bounds what a client can make the server do. All sizes are in bytes.
type Settings struct {
	// MaxBodyBytes is the largest request body; above it the answer is 413.
	MaxBodyBytes int64
	// MaxEchoedBodyBytes is how much of a body the answer repeats; the rest is counted only.
	MaxEchoedBodyBytes int64
	// MaxHeaderBytes bounds a request's line and headers; above it the answer is 431.
	MaxHeaderBytes int64
	// ReadHeaderTimeout and ReadTimeout bound the wait for the headers and for the whole request.
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	// WriteTimeout bounds a request from its headers to the end of its answer, delay included.
	WriteTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept.
	IdleTimeout time.Duration
	// MaxDelay is the longest delay that a client may ask for.
	MaxDelay time.Duration
	// MaxStreams bounds the requests at once on one HTTP/2 connection.
	MaxStreams int64
	// MaxInFlight bounds the requests at once over all connections; above it the answer is 503.
	MaxInFlight int64
	// BodyBudgetBytes bounds what all request bodies in flight take together; above it the answer is 503.
	BodyBudgetBytes int64
	// RedactedHeaders are never shown in an answer; nil means [DefaultRedactedHeaders].
	RedactedHeaders []string
}

// DefaultSettings returns the bounds that hold where nobody says otherwise.
func DefaultSettings() Settings {
	return Settings{
		MaxBodyBytes:       1 << 20,
		MaxEchoedBodyBytes: 1 << 20,
		MaxHeaderBytes:     16 << 10,
		ReadHeaderTimeout:  2 * time.Second,
		ReadTimeout:        15 * time.Second,
		WriteTimeout:       30 * time.Second,
		IdleTimeout:        60 * time.Second,
		MaxDelay:           10 * time.Second,
		MaxStreams:         250,
		MaxInFlight:        10_000,
		BodyBudgetBytes:    64 << 20,
		RedactedHeaders:    DefaultRedactedHeaders(),
	}
}

// FieldError is a setting that cannot hold.
type FieldError struct {
	// Field is the name in Settings.
	Field string
	// Problem says what is wrong and what would be right.
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// Validate returns a [*FieldError] for the first setting that cannot hold.
func (s *Settings) Validate() error {
	for _, f := range []struct {
		name          string
		value         int64
		least, most   int64
		unit, example string
	}{
		{"MaxBodyBytes", s.MaxBodyBytes, 1, 1 << 30, " bytes", "1048576"},
		{"MaxEchoedBodyBytes", s.MaxEchoedBodyBytes, 0, 1 << 30, " bytes", "1048576"},
		{"MaxHeaderBytes", s.MaxHeaderBytes, 1 << 10, 1 << 20, " bytes", "16384"},
		{"MaxStreams", s.MaxStreams, 1, 100_000, "", "250"},
		{"MaxInFlight", s.MaxInFlight, 1, 10_000_000, "", "10000"},
		{"BodyBudgetBytes", s.BodyBudgetBytes, 1, 1 << 40, " bytes", "67108864"},
	} {
		if f.value < f.least || f.value > f.most {
			return &FieldError{f.name, fmt.Sprintf("must be between %d and %d%s, got %d; write e.g. %s", f.least, f.most, f.unit, f.value, f.example)}
		}
	}
	return s.validateTimes()
}

func (s *Settings) validateTimes() error {
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"ReadHeaderTimeout", s.ReadHeaderTimeout},
		{"ReadTimeout", s.ReadTimeout},
		{"WriteTimeout", s.WriteTimeout},
		{"IdleTimeout", s.IdleTimeout},
	} {
		if f.value <= 0 {
			return &FieldError{f.name, fmt.Sprintf("must be above 0, got %v; write e.g. 15s", f.value)}
		}
	}
	switch {
	case s.MaxDelay < 0:
		return &FieldError{"MaxDelay", fmt.Sprintf("must not be below 0, got %v; write e.g. 10s", s.MaxDelay)}
	case s.WriteTimeout <= s.MaxDelay:
		return &FieldError{"WriteTimeout", fmt.Sprintf("must be longer than the longest delay (%v), got %v", s.MaxDelay, s.WriteTimeout)}
	case s.BodyBudgetBytes < s.MaxBodyBytes:
		return &FieldError{"BodyBudgetBytes", fmt.Sprintf("must hold at least one body of %d bytes, got %d", s.MaxBodyBytes, s.BodyBudgetBytes)}
	}
	return nil
}
