package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// podRights are the rights that the store is documented to need.
var podRights = []string{"~rl:*", "+evalsha", "+eval", "+get", "+set", "+time"}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func version(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])[:12]
}

// eventually waits for a condition, for as long as a slow machine may need.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("timed out: %s", what)
		case <-tick.C:
		}
	}
}

// A user with the documented rights, and no others, can do all that a store does.
func TestRightsAreEnough(t *testing.T) {
	server := redistest.Start(t, redistest.WithUser("pod", append([]string{">secret"}, podRights...)...))
	s := open(t, redisstore.Config{URL: server.URL(), Username: "pod", PasswordFile: writeFile(t, "secret\n")})
	eventually(t, "the store works", func() bool { return s.Ping(t.Context()) == nil })
	decide(t, s, take("k", slow, 1))
	if err := s.Reset(t.Context(), []limiter.Key{key("k")}); err != nil {
		t.Error(err)
	}
	if got := s.CredentialsVersion(); got != version("secret") {
		t.Errorf("credentials version %q, want %q", got, version("secret"))
	}
}

// A password changes under way: the version is told as soon as the file has it,
// and connections are made anew when the server stops accepting the old ones.
func TestPasswordRotation(t *testing.T) {
	rights := append([]string{">old"}, podRights...)
	server := redistest.Start(t, redistest.WithUser("pod", rights...))
	file := writeFile(t, "old")
	s := open(t, redisstore.Config{URL: server.URL(), Username: "pod", PasswordFile: file})
	decide(t, s, take("k", slow, 1))
	if got := s.CredentialsVersion(); got != version("old") {
		t.Fatalf("version %q, want the old password's", got)
	}

	admin := server.Client(t)
	if err := admin.ACLSetUser(t.Context(), "pod", ">new", "<old").Err(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.CredentialsVersion(); got != version("new") {
		t.Errorf("version %q, want the new password's", got)
	}
	// Every connection is cut, so the next ones must log in with the new password.
	if err := admin.ClientKillByFilter(t.Context(), "USER", "pod").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store works with the new password", func() bool { return s.Ping(t.Context()) == nil })
}

// A pod may start before the Secret that holds its password.
func TestPasswordComesLate(t *testing.T) {
	server := redistest.Start(t, redistest.WithUser("pod", append([]string{">late"}, podRights...)...))
	file := filepath.Join(t.TempDir(), "password")
	s := open(t, redisstore.Config{URL: server.URL(), Username: "pod", PasswordFile: file})
	if err := s.Ping(t.Context()); err == nil {
		t.Fatal("it works without its password")
	}
	if got := s.CredentialsVersion(); got != "" {
		t.Errorf("credentials version %q before there is a password", got)
	}
	if err := os.WriteFile(file, []byte("late"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store works once the password is there", func() bool { return s.Ping(t.Context()) == nil })
}

// Connections that the server stops letting in are replaced without a restart.
func TestConnectionsAreRenewed(t *testing.T) {
	server := redistest.Start(t, redistest.WithUser("pod", append([]string{">pw"}, podRights...)...))
	s := open(t, redisstore.Config{URL: server.URL(), Username: "pod", PasswordFile: writeFile(t, "pw")})
	decide(t, s, take("k", slow, 1))
	admin := server.Client(t)
	before := connections(t, admin, "pod")
	if err := admin.ACLSetUser(t.Context(), "pod", "-evalsha", "-eval").Err(); err != nil {
		t.Fatal(err)
	}
	if s.Ping(t.Context()) == nil {
		t.Fatal("a user without the right to run scripts ran one")
	}
	if err := admin.ACLSetUser(t.Context(), "pod", "+evalsha", "+eval").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every old connection is gone", func() bool {
		for id := range connections(t, admin, "pod") {
			if before[id] {
				return false
			}
		}
		return s.Ping(t.Context()) == nil
	})
}

// connections returns the ids of a user's connections.
func connections(t *testing.T, admin *redis.Client, user string) map[string]bool {
	t.Helper()
	list, err := admin.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(list) {
		if strings.Contains(line, " user="+user+" ") {
			id, _, _ := strings.Cut(line, " ")
			ids[id] = true
		}
	}
	return ids
}

// With Sentinels the store finds the primary by its name.
func TestSentinel(t *testing.T) {
	server := redistest.Start(t, redistest.WithPassword("secret"))
	sentinel := redistest.StartSentinel(t, "main", server)
	s := open(t, redisstore.Config{
		Mode: redisstore.Sentinel, Addrs: []string{sentinel.Addr()}, MasterName: "main",
		PasswordFile: writeFile(t, "secret"),
	})
	eventually(t, "the store works", func() bool { return s.Ping(t.Context()) == nil })
	decide(t, s, take("k", slow, 1))
	if n := server.Client(t).DBSize(t.Context()).Val(); n == 0 {
		t.Error("the primary holds no bucket")
	}
}

// What cannot work is refused at once, naming the setting and the way out, and
// never with the password in the text.
func TestOpenRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	cases := map[string]struct {
		config redisstore.Config
		says   string
	}{
		"nothing":            {redisstore.Config{}, "no address"},
		"scheme":             {redisstore.Config{URL: "http://u:hunter2@host"}, "redis://host:6379"},
		"malformed":          {redisstore.Config{URL: "redis://u:hunter2@ho st:x"}, "redis://host:6379"},
		"database":           {redisstore.Config{URL: "redis://u:hunter2@host/x"}, "database number"},
		"mode":               {redisstore.Config{URL: "redis://host", Mode: "Twin"}, "use Standalone or Sentinel"},
		"cluster":            {redisstore.Config{URL: "redis://host", Mode: redisstore.Cluster}, "not supported by this release"},
		"two addresses":      {redisstore.Config{Addrs: []string{"a:1", "b:1"}}, "one address"},
		"no master name":     {redisstore.Config{Addrs: []string{"a:1"}, Mode: redisstore.Sentinel}, "master name"},
		"long password file": {redisstore.Config{URL: "redis://host", PasswordFile: writeFile(t, strings.Repeat("x", 5000))}, "larger than"},
		"no CA":              {redisstore.Config{URL: "redis://host", CAFile: missing}, "CA file"},
		"bad CA":             {redisstore.Config{URL: "redis://host", CAFile: writeFile(t, "x")}, "PEM"},
		"half a pair":        {redisstore.Config{URL: "redis://host", CertFile: missing}, "key file"},
		"bad pair":           {redisstore.Config{URL: "redis://host", CertFile: missing, KeyFile: missing}, "client certificate"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.Open(c.config)
			if err == nil {
				_ = s.Close()
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want it to say %q and no password", err, c.says)
			}
		})
	}
}

// Close ends every goroutine of a store, with the server up or down, and can be
// called twice.
func TestCloseLeavesNothing(t *testing.T) {
	server := redistest.Start(t)
	ignore := goleak.IgnoreCurrent()
	for range 2 {
		s, err := redisstore.Open(redisstore.Config{URL: server.URL()})
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Ping(t.Context())
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		server.Kill()
	}
	goleak.VerifyNone(t, ignore)
}

// Over TLS the server is checked against the CA file and is shown the client's
// certificate.
func TestTLS(t *testing.T) {
	certFile, keyFile := certificate(t)
	server := redistest.Start(t, redistest.WithTLS(certFile, keyFile, certFile))
	url := strings.Replace(server.URL(), "redis://", "rediss://", 1)
	s := open(t, redisstore.Config{URL: url, CAFile: certFile, CertFile: certFile, KeyFile: keyFile})
	eventually(t, "the store works over TLS", func() bool { return s.Ping(t.Context()) == nil })

	for name, c := range map[string]redisstore.Config{
		"without the client's certificate": {URL: url, CAFile: certFile},
		"without trust in the server":      {URL: url, CertFile: certFile, KeyFile: keyFile},
		"without TLS":                      {URL: server.URL()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if open(t, c).Ping(ctx) == nil {
				t.Error("the server was reached")
			}
		})
	}
}

// certificate writes a self-signed certificate for 127.0.0.1 that is also its own CA.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "redis"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
}
