package controllers

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// Proves, on a real server, that what is exported is what Redis says, and that
// nothing is exported of an instance that does not answer or is gone.
func TestRedisMeter(t *testing.T) {
	server := redistest.Start(t, redistest.WithUser("operator", "on", ">secret", "+info", "+ping"), redistest.WithArgs("--maxmemory", "8388608"))
	meter := newRedisMeter(NetworkRedisAdmin{Address: func(namespace string) string {
		if namespace == "shop" {
			return server.Addr()
		}
		return "127.0.0.1:1"
	}})
	meter.watch("shop", "secret")
	meter.watch("broken", "secret")
	meter.readAll(t.Context())
	if n := testutil.CollectAndCount(meter); n != 3 {
		t.Errorf("%d series, want the 3 of the instance that answers", n)
	}
	want := `# HELP echo_operator_redis_memory_max_bytes Memory that the namespace's managed Redis may use for buckets.
# TYPE echo_operator_redis_memory_max_bytes gauge
echo_operator_redis_memory_max_bytes{namespace="shop"} 8.388608e+06
`
	if err := testutil.CollectAndCompare(meter, strings.NewReader(want), "echo_operator_redis_memory_max_bytes"); err != nil {
		t.Error(err)
	}
	if used := meter.byNamespace["shop"].usage.UsedBytes; used < 100_000 {
		t.Errorf("used memory is told as %d bytes", used)
	}
	server.Kill()
	meter.readAll(t.Context())
	if n := testutil.CollectAndCount(meter); n != 0 {
		t.Errorf("%d series of an instance that is down, want none", n)
	}
}
