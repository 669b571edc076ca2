package httpserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What a client may put into its request to choose its answer.
const (
	statusHeader    = "X-Echo-Status"
	delayHeader     = "X-Echo-Delay"
	setHeaderHeader = "X-Echo-Set-Header"
	statusPath      = "/status/"
	delayQuery      = "delay"
)

const (
	minStatus = 200
	maxStatus = 599
)

// controls is what a client asked its answer to be.
type controls struct {
	status int
	delay  time.Duration
	set    []headerField
}

// parseControls reads the controls of a request. path is the canonical path. The
// error names the control, what was wrong and what would be right, and repeats
// what the client sent only quoted.
func parseControls(r *http.Request, path string, query url.Values, maxDelay time.Duration) (controls, error) {
	c := controls{status: http.StatusOK}
	var err error
	if c.status, err = statusControl(r.Header, path); err != nil {
		return c, err
	}
	if c.delay, err = delayControl(r.Header, query, maxDelay); err != nil {
		return c, err
	}
	c.set, err = setHeaderControl(r.Header[setHeaderHeader])
	return c, err
}

// statusControl prefers the header, so that a client can ask for a status on any path.
func statusControl(h http.Header, path string) (int, error) {
	if values := h[statusHeader]; len(values) > 0 {
		if len(values) > 1 {
			return 0, fmt.Errorf("%s: must be sent once, came %d times", statusHeader, len(values))
		}
		return parseStatus(statusHeader, values[0])
	}
	if code, ok := strings.CutPrefix(path, statusPath); ok && code != "" && !strings.Contains(code, "/") {
		return parseStatus(statusPath+"{code}", code)
	}
	return http.StatusOK, nil
}

func parseStatus(what, text string) (int, error) {
	code, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || code < minStatus || code > maxStatus {
		return 0, fmt.Errorf("%s: must be a whole number from %d to %d, got %s", what, minStatus, maxStatus, quoted(text))
	}
	return code, nil
}

// delayControl takes the header or else the query parameter.
func delayControl(h http.Header, query url.Values, most time.Duration) (time.Duration, error) {
	what, values := delayHeader, h[delayHeader]
	if len(values) == 0 {
		what, values = delayQuery, query[delayQuery]
	}
	switch len(values) {
	case 0:
		return 0, nil
	case 1:
		return parseDelay(what, values[0], most)
	}
	return 0, fmt.Errorf("%s: must be sent once, came %d times", what, len(values))
}

func parseDelay(what, text string, most time.Duration) (time.Duration, error) {
	delay, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: must be a duration such as 150ms or 2s, got %s", what, quoted(text))
	}
	if delay < 0 || delay > most {
		return 0, fmt.Errorf("%s: must be from 0s to %v, got %s", what, most, quoted(text))
	}
	return delay, nil
}

const maxQuoted = 64

// quoted shows what a client sent without letting it fill the answer.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
