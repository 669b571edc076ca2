package main

import (
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/echo-operator/echo-operator/echo/httpserver"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
)

// The defaults that this command documents are those of the packages they go to.
func TestDefaults(t *testing.T) {
	c, err := ParseConfig(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.HTTP, httpserver.DefaultSettings()) {
		t.Errorf("got  %+v\nwant %+v", c.HTTP, httpserver.DefaultSettings())
	}
	if c.HTTPAddr != ":8080" || c.AdminAddr != ":8081" || c.LogLevel != slog.LevelInfo || c.DrainDelay != 5*time.Second || c.MaxClients != 262144 || c.usesRedis() {
		t.Errorf("got %+v", c)
	}
}

// Every setting can be made by its flag and by its variable, and both end up in
// the same place, which is not the default's.
func TestEverySettingByFlagAndVariable(t *testing.T) {
	values := map[string]string{"log-level": "debug", "redis-mode": "Cluster", "redis-addrs": "a:1, b:2", "pprof": "true"}
	for _, s := range settings() {
		value, ok := values[s.flag]
		if !ok {
			value = "33554433"
			if strings.HasSuffix(s.standard, "s") {
				value = "11s"
			}
		}
		standard, byFlag, byVariable := Config{}, Config{}, Config{}
		if s.standard != "" {
			if err := s.apply(&standard, "", s.standard); err != nil {
				t.Fatalf("%s: its own default: %v", s.flag, err)
			}
		}
		if err := fromFlags(&byFlag, []setting{s}, []string{"--" + s.flag + "=" + value}); err != nil {
			t.Errorf("--%s: %v", s.flag, err)
		}
		if err := fromEnvironment(&byVariable, []setting{s}, []string{s.variable() + "=" + value}); err != nil {
			t.Errorf("%s: %v", s.variable(), err)
		}
		if !reflect.DeepEqual(byFlag, byVariable) {
			t.Errorf("%s: by flag %+v, by variable %+v", s.flag, byFlag, byVariable)
		}
		if reflect.DeepEqual(byFlag, standard) || reflect.DeepEqual(byFlag, Config{}) {
			t.Errorf("%s: setting it changed nothing", s.flag)
		}
	}
}

// Names are a contract with manifests that are already deployed.
func TestVariableNames(t *testing.T) {
	var got []string
	for _, s := range settings() {
		got = append(got, s.variable())
	}
	want := []string{
		"ECHO_HTTP_ADDR", "ECHO_ADMIN_ADDR", "ECHO_LIMITS_FILE", "ECHO_LOG_LEVEL", "ECHO_DRAIN_DELAY", "ECHO_MAX_CLIENTS", "ECHO_POLICY_ID",
		"ECHO_REDIS_URL", "ECHO_REDIS_USERNAME", "ECHO_REDIS_PASSWORD_FILE", "ECHO_REDIS_CA_FILE", "ECHO_REDIS_CERT_FILE", "ECHO_REDIS_KEY_FILE",
		"ECHO_REDIS_MODE", "ECHO_REDIS_ADDRS", "ECHO_REDIS_MASTER_NAME", "ECHO_REDIS_SENTINEL_PASSWORD_FILE",
		"ECHO_LIMIT_REQUESTS", "ECHO_LIMIT_PERIOD", "ECHO_LIMIT_BURST", "ECHO_LIMIT_KEY", "POD_NAME", "POD_NAMESPACE", "POD_UID",
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != len(got) {
		t.Errorf("a name is used twice: %v", got)
	}
}

func TestPrecedence(t *testing.T) {
	c, err := ParseConfig([]string{"-http-addr", ":1"}, []string{"ECHO_HTTP_ADDR=:2", "ECHO_ADMIN_ADDR=:3", "ECHO_LOG_LEVEL="})
	if err != nil || c.HTTPAddr != ":1" || c.AdminAddr != ":3" || c.LogLevel != slog.LevelInfo {
		t.Errorf("got %+v, %v", c, err)
	}
}

// Whatever cannot be used is refused by name, with what would be right.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		args, environ []string
		want          []string
	}{
		"bad number":              {[]string{"--max-clients=many"}, nil, []string{`--max-clients: got "many"; write a whole number from 8 to`}},
		"bad duration":            {nil, []string{"ECHO_DRAIN_DELAY=5"}, []string{`ECHO_DRAIN_DELAY: got "5"; write a duration that is not below 0, such as 500ms`}},
		"duration below 0":        {[]string{"--drain-delay", "-5s"}, nil, []string{`--drain-delay: got "-5s"`}},
		"bad boolean":             {nil, []string{"ECHO_PPROF=ja"}, []string{"ECHO_PPROF", "write true or false"}},
		"bad level":               {nil, []string{"ECHO_LOG_LEVEL=loud"}, []string{`ECHO_LOG_LEVEL: got "loud"; write debug, info, warn or error`}},
		"bad mode":                {nil, []string{"ECHO_REDIS_MODE=Ring"}, []string{"write Standalone, Sentinel or Cluster"}},
		"mistyped variable":       {nil, []string{"ECHO_HTTP_ADR=:80"}, []string{"ECHO_HTTP_ADR: unknown variable; did you mean ECHO_HTTP_ADDR?"}},
		"unknown variable":        {nil, []string{"ECHO_SOMETHING_ELSE_ENTIRELY=1"}, []string{"ECHO_SOMETHING_ELSE_ENTIRELY: unknown variable; --help lists all"}},
		"gRPC":                    {nil, []string{"ECHO_GRPC_ADDR=:9090"}, []string{"ECHO_GRPC_ADDR: gRPC is not served by this release"}},
		"mistyped flag":           {[]string{"--limts", "x"}, nil, []string{"--limts: unknown flag; did you mean --limits?"}},
		"unknown flag":            {[]string{"--zzzzzzzzzzzz"}, nil, []string{"--zzzzzzzzzzzz: unknown flag; --help lists all"}},
		"flag without value":      {[]string{"--limits"}, nil, []string{"limits"}},
		"argument":                {[]string{"limits.yaml"}, nil, []string{`"limits.yaml": unexpected argument`}},
		"several at once":         {[]string{"--max-delay=x"}, []string{"ECHO_PPROF=x", "ECHO_NO=1"}, []string{"--max-delay", "ECHO_PPROF", "ECHO_NO:"}},
		"bounds that contradict":  {[]string{"--max-delay=40s"}, nil, []string{"ECHO_WRITE_TIMEOUT: must be longer than the longest delay (40s), got 30s"}},
		"file and single limit":   {[]string{"--limits=x", "--limit-requests=5"}, nil, []string{"ECHO_LIMITS_FILE (--limits)", "choose one"}},
		"sentinel without a name": {nil, []string{"ECHO_REDIS_MODE=Sentinel", "ECHO_REDIS_ADDRS=a:1"}, []string{"ECHO_REDIS_MASTER_NAME: must be set"}},
		"cluster without nodes":   {nil, []string{"ECHO_REDIS_MODE=Cluster"}, []string{"ECHO_REDIS_ADDRS: must be set"}},
		"typo among link shapes":  {nil, []string{"ECHO_HTTP_PORT=8080"}, []string{"ECHO_HTTP_PORT: unknown variable; did you mean ECHO_HTTP_ADDR?"}},
	} {
		_, err := ParseConfig(c.args, c.environ)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
	}
}

// What Kubernetes injects for Services whose names begin with echo is not a mistake.
func TestServiceLinksAreIgnored(t *testing.T) {
	links := []string{
		"ECHO_SERVICE_HOST=10.0.0.11", "ECHO_SERVICE_PORT=8080", "ECHO_SERVICE_PORT_HTTP=8080", "ECHO_PORT=tcp://10.0.0.11:8080",
		"ECHO_PORT_8080_TCP=tcp://10.0.0.11:8080", "ECHO_PORT_8080_TCP_PROTO=tcp", "ECHO_PORT_8080_TCP_PORT=8080", "ECHO_PORT_8080_TCP_ADDR=10.0.0.11",
		"ECHO_HTTP_SERVICE_HOST=fd00::1", "ECHO_HTTP_PORT=udp://[fd00::1]:53", "ECHO_HTTP_PORT_53_UDP_ADDR=fd00::1", "HOME=/",
	}
	if _, err := ParseConfig(nil, links); err != nil {
		t.Error(err)
	}
	for _, other := range []string{
		"ECHO_SERVICE_HOST=example.org", "ECHO_SERVICE_PORT=none", "ECHO_SERVICE_PORT=0", "ECHO_PORT=8080", "ECHO_PORT=tcp://10.0.0.11", "ECHO_PORT=http://10.0.0.11:80",
		"ECHO_PORT_8080_TCP_PROTO=8080", "ECHO_PORT_8080_TCP_ADDR=tcp", "ECHO_PORT_X_TCP=tcp://10.0.0.11:80", "ECHO_SERVICE=10.0.0.11",
	} {
		if _, err := ParseConfig(nil, []string{other}); err == nil {
			t.Errorf("%s was taken for a service link", other)
		}
	}
}

// A URL may hold a password, and errors end up in logs.
func TestSecretsAreNotInErrors(t *testing.T) {
	s := setting{flag: "x", secret: true, set: func(*Config, string) error { return errors.New("bad") }}
	if err := s.apply(new(Config), "ECHO_X", "hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	for _, s := range settings() {
		if s.flag == "redis-url" && !s.secret {
			t.Error("redis-url is not marked secret")
		}
	}
}

func TestRedisSettings(t *testing.T) {
	c, err := ParseConfig(nil, []string{"ECHO_REDIS_MODE=Sentinel", "ECHO_REDIS_ADDRS=a:1,b:2", "ECHO_REDIS_MASTER_NAME=m", "ECHO_REDIS_PASSWORD_FILE=/p"})
	want := redisstore.Config{Mode: redisstore.Sentinel, Addrs: []string{"a:1", "b:2"}, MasterName: "m", PasswordFile: "/p"}
	if err != nil || !reflect.DeepEqual(c.Redis, want) || !c.usesRedis() {
		t.Errorf("got %+v, %v", c.Redis, err)
	}
}

func TestUsageListsEverything(t *testing.T) {
	text := usage()
	for _, s := range settings() {
		if !strings.Contains(text, "--"+s.flag+", "+s.variable()+"\n") {
			t.Errorf("--%s is missing", s.flag)
		}
	}
}
