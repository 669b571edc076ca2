package desired_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
)

// patience is how long a server may take to answer or a store to connect.
const patience = 20 * time.Second

// managedRedis runs redis-server with the configuration and the users that a
// managed instance gets, moved to a folder and a port of the test's own.
func managedRedis(t *testing.T, passwords desired.RedisPasswords) (address string) {
	t.Helper()
	server, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test needs redis-server in PATH: apt-get install redis-server, brew install redis, or build it from source")
	}
	in := desired.RedisInputs{Settings: settings(), Namespace: "shop", Policies: []*v1alpha1.RateLimitPolicy{policy(t, "full")}}
	dir, address := t.TempDir(), freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	conf := strings.NewReplacer(
		"bind * -::*", "bind 127.0.0.1",
		"port 6379", "port "+port,
		"/etc/redis-users", dir,
		"dir /data", "dir "+dir,
	).Replace(desired.Redis(in).ConfigMap.Data["redis.conf"])
	write(t, filepath.Join(dir, "redis.conf"), conf)
	write(t, filepath.Join(dir, "users.acl"), string(desired.RedisSecretData(passwords)["users.acl"]))

	var log strings.Builder
	cmd := exec.CommandContext(t.Context(), server, filepath.Join(dir, "redis.conf"))
	cmd.Stdout, cmd.Stderr = io.Writer(&log), io.Writer(&log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	eventually(t, "redis-server answers", func() bool {
		select {
		case <-exited:
			t.Fatalf("redis-server does not take what is rendered:\n%s", log.String())
		default:
		}
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually asks again until it holds; it ends the test when it never does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

func client(t *testing.T, address, user, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: address, Username: user, Password: password, MaxRetries: -1, DisableIdentity: true, Protocol: 2,
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPodsCanDecide: the pods' user suffices for the very code that decides.
func TestPodsCanDecide(t *testing.T) {
	passwords := desired.RedisPasswords{Operator: "o", Echo: "e"}
	address := managedRedis(t, passwords)
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, passwords.Echo)
	store, err := redisstore.Open(redisstore.Config{
		URL: "redis://" + address, Username: desired.RedisEchoUser, PasswordFile: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if got, want := store.CredentialsVersion(), desired.CredentialsVersion(passwords.Echo); got != want {
		t.Errorf("the pods tell credentials version %q, the operator expects %q", got, want)
	}
	enough := limiter.Limit{Requests: 1e6, Burst: 1e6, Period: time.Hour}
	l, err := limiter.New(limiter.Policy{
		ID: "p", StoreTimeout: time.Second,
		Rules: []limiter.Rule{{Name: "r", Limit: enough}, {Name: "s", Mode: limiter.Shadow, Limit: enough}},
	}, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var last limiter.Decision
	eventually(t, "a decision by the shared buckets", func() bool {
		last = l.Decide(t.Context(), limiter.Request{Key: "k"})
		return last.Source == limiter.SourceStore
	})
	if !last.Allowed() {
		t.Errorf("an almost full bucket refused: %+v", last)
	}
}

// TestUsersCanDoNothingElse: least rights, for everybody.
func TestUsersCanDoNothingElse(t *testing.T) {
	passwords := desired.RedisPasswords{Operator: "o", Echo: "e"}
	address := managedRedis(t, passwords)
	for _, c := range []struct {
		user, password, command, want string
	}{
		{"echo", "e", "set rl:x 1", ""},
		{"echo", "e", "get rl:x", ""},
		{"echo", "e", "ping", ""},
		{"echo", "e", "get other", "NOPERM"},
		{"echo", "e", "set other 1", "NOPERM"},
		{"echo", "e", "del rl:x", "NOPERM"},
		{"echo", "e", "keys *", "NOPERM"},
		{"echo", "e", "flushall", "NOPERM"},
		{"echo", "e", "config get maxmemory", "NOPERM"},
		{"echo", "e", "acl list", "NOPERM"},
		{"echo", "e", "script flush", "NOPERM"},
		{"echo", "e", "publish c m", "NOPERM"},
		{"echo", "e", "info", "NOPERM"},
		{"operator", "o", "info", ""},
		{"operator", "o", "ping", ""},
		{"operator", "o", "get rl:x", "NOPERM"},
		{"operator", "o", "flushall", "NOPERM"},
		{"operator", "o", "config get maxmemory", "NOPERM"},
		{"operator", "o", "shutdown", "NOPERM"},
		{"operator", "e", "ping", "WRONGPASS"},
		{"echo", "o", "ping", "WRONGPASS"},
		{"default", "e", "ping", "WRONGPASS"},
		{"", "", "ping", "NOAUTH"},
	} {
		t.Run(fmt.Sprintf("%s %s", c.user, c.command), func(t *testing.T) {
			err := do(t.Context(), client(t, address, c.user, c.password), strings.Fields(c.command)...)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func do(ctx context.Context, c *redis.Client, words ...string) error {
	args := make([]any, len(words))
	for i, word := range words {
		args[i] = word
	}
	return c.Do(ctx, args...).Err()
}

// TestRotation: the operator's user can make Redis accept a second password and
// then forget the first, without a moment in which none is accepted.
func TestRotation(t *testing.T) {
	passwords := desired.RedisPasswords{Operator: "o", Echo: "old"}
	address := managedRedis(t, passwords)
	operator := client(t, address, desired.RedisOperatorUser, "o")
	accepted := func(password string) bool {
		err := do(t.Context(), client(t, address, desired.RedisEchoUser, password), "get", "rl:x")
		return errors.Is(err, redis.Nil)
	}
	setUser := func(p desired.RedisPasswords) {
		t.Helper()
		if err := do(t.Context(), operator, append([]string{"acl", "setuser", desired.RedisEchoUser}, desired.RedisEchoRules(p)...)...); err != nil {
			t.Fatal(err)
		}
	}
	if !accepted("old") || accepted("new") {
		t.Fatal("before: want the old password only")
	}
	setUser(desired.RedisPasswords{Echo: "new", Previous: "old"})
	if !accepted("old") || !accepted("new") {
		t.Error("meanwhile: want both passwords")
	}
	setUser(desired.RedisPasswords{Echo: "new"})
	if accepted("old") || !accepted("new") {
		t.Error("after: want the new password only")
	}
}

// TestRedisSettings: the server runs with the memory that was asked for, evicts
// what ends soonest and writes no append-only file.
func TestRedisSettings(t *testing.T) {
	address := managedRedis(t, desired.RedisPasswords{Operator: "o", Echo: "e"})
	info, err := client(t, address, desired.RedisOperatorUser, "o").Info(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"maxmemory:268435456", "maxmemory_policy:volatile-ttl", "aof_enabled:0"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO lacks %s", want)
		}
	}
}

// TestSecretKeepsPasswordsApart: what Redis mounts has hashes only, and printing
// the passwords by accident tells none.
func TestSecretKeepsPasswordsApart(t *testing.T) {
	p := desired.RedisPasswords{Operator: "tell-no-operator", Echo: "tell-no-echo", Previous: "tell-no-previous"}
	data := desired.RedisSecretData(p)
	if string(data[desired.PasswordKey]) != p.Echo || string(data[desired.OperatorPasswordKey]) != p.Operator {
		t.Error("the passwords are not under their keys")
	}
	for _, text := range []string{string(data["users.acl"]), fmt.Sprint(p), fmt.Sprintf("%+v %#v", p, &p)} {
		if strings.Contains(text, "tell-no") {
			t.Errorf("a password is told: %s", text)
		}
	}
}
