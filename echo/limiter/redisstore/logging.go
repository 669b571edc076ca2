package redisstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogClient sends what the Redis client library logs about its connections to
// logger, at debug level, instead of to standard error. It holds for the whole
// process and is meant to be called once, by a program's start.
func LogClient(logger *slog.Logger) {
	redis.SetLogger(clientLogger{logger})
}

type clientLogger struct{ to *slog.Logger }

// Printf implements the client library's logger.
func (l clientLogger) Printf(ctx context.Context, format string, args ...any) {
	if l.to.Enabled(ctx, slog.LevelDebug) {
		l.to.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
	}
}
