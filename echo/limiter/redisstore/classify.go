package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// classify names an error's cause for metrics and logs.
func classify(err error) limiter.StoreErrorReason {
	switch {
	case errors.Is(err, errCredentials), redis.IsAuthError(err), redis.IsPermissionError(err):
		return limiter.ReasonAuth
	case redis.IsOOMError(err):
		return limiter.ReasonMemory
	case redis.IsReadOnlyError(err), hasPrefix(err, "READONLY", "MISCONF", "NOREPLICAS"):
		return limiter.ReasonReadOnly
	case redis.IsLoadingError(err), redis.IsMasterDownError(err), hasPrefix(err, "BUSY", "CLUSTERDOWN", "TRYAGAIN"):
		return limiter.ReasonLoading
	case isTimeout(err):
		return limiter.ReasonTimeout
	case isConnection(err):
		return limiter.ReasonConnection
	}
	return limiter.ReasonOther
}

func hasPrefix(err error, prefixes ...string) bool {
	text := err.Error()
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) ||
		errors.As(err, &ne) && ne.Timeout()
}

func isConnection(err error) bool {
	var oe *net.OpError
	return errors.As(err, &oe) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, redis.ErrClosed)
}
