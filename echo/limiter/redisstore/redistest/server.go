// Package redistest runs a real redis-server for tests: on loopback, on a port
// of its own, in a temporary folder, with nothing kept on disk.
package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// startTimeout bounds how long a server may take to answer.
	startTimeout = 20 * time.Second
	// startAttempts is for the port that somebody else takes first.
	startAttempts = 5
	pollInterval  = 5 * time.Millisecond
)

// Server is a redis-server process. Its methods are for one goroutine at a time.
type Server struct {
	t    testing.TB
	dir  string
	port int
	// mode goes before all other arguments.
	mode     []string
	args     []string
	password string
	// tls holds the paths of certificate, key and CA; empty without TLS.
	tls    [3]string
	cmd    *exec.Cmd
	exited chan struct{}
}

// Option changes how [Start] runs the server.
type Option func(*Server)

// WithArgs adds arguments to the command line, such as "--maxmemory", "2mb".
func WithArgs(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// WithPassword makes the server ask for a password of its default user.
func WithPassword(password string) Option {
	return func(s *Server) {
		s.password = password
		s.args = append(s.args, "--requirepass", password)
	}
}

// WithUser adds a user with ACL rules such as ">password", "~rl:*", "+evalsha".
func WithUser(name string, rules ...string) Option {
	return WithArgs(append([]string{"--user", name, "on"}, rules...)...)
}

// WithTLS makes the server speak TLS only, with this certificate, and ask its
// clients for one that caFile vouches for. Its own clients use the same pair.
func WithTLS(certFile, keyFile, caFile string) Option {
	return func(s *Server) {
		s.tls = [3]string{certFile, keyFile, caFile}
		s.args = append(s.args, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", caFile)
	}
}

// Start runs a server that ends with the test. Without redis-server in PATH the
// test fails and says how to get it.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("this test needs redis-server in PATH: apt-get install redis-server, brew install redis, or build it from source")
	}
	s := &Server{t: t, dir: t.TempDir()}
	for _, o := range opts {
		o(s)
	}
	var err error
	for range startAttempts {
		if s.port, err = freePort(); err != nil {
			t.Fatal(err)
		}
		if err = s.run(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatalf("redis-server did not start: %v\n%s", err, s.log())
	return nil
}

// Addr is the server's host:port. It stays the same over a restart.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server's redis:// address, without a password.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Dir is the server's folder, which is gone after the test.
func (s *Server) Dir() string { return s.dir }

// Client returns a client with all rights, which ends with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	c, err := s.newClient()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends the process at once, as a crash would. It is no error to kill twice.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// Restart starts a killed server again, empty and on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		s.t.Fatalf("redis-server did not start again: %v\n%s", err, s.log())
	}
}

// Pause stops the process without closing its connections, as a hang would.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

func (s *Server) newClient() (*redis.Client, error) {
	o := &redis.Options{
		Addr: s.Addr(), Password: s.password,
		MaxRetries: -1, DisableIdentity: true, ContextTimeoutEnabled: true,
	}
	if s.tls[0] != "" {
		pair, err := tls.LoadX509KeyPair(s.tls[0], s.tls[1])
		if err != nil {
			return nil, err
		}
		// The test's own server on loopback: what is tested is the store's client.
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true} //nolint:gosec // see above
	}
	return redis.NewClient(o), nil
}

// ports are the arguments that say where to listen.
func (s *Server) ports() []string {
	port := strconv.Itoa(s.port)
	if s.tls[0] != "" {
		return []string{"--port", "0", "--tls-port", port}
	}
	return []string{"--port", port}
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	out, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the process has its own descriptor
	args := append(slices.Clone(s.mode), s.ports()...)
	args = append(args, "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	args = append(args, s.args...)
	s.cmd = exec.Command("redis-server", args...) //nolint:noctx // ended by Kill
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = processAttributes()
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	exited, cmd := make(chan struct{}), s.cmd
	s.exited = exited
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	if err := s.await(); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// await waits until the server that answers is this one.
func (s *Server) await() error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // of no interest
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		pid, err := c.InfoMap(ctx, "server").Result()
		if err == nil && pid["Server"]["process_id"] == strconv.Itoa(s.cmd.Process.Pid) {
			return nil
		}
		select {
		case <-s.exited:
			return errors.New("the process ended")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

func (s *Server) log() string {
	data, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // only the number is wanted
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%s is no TCP address", l.Addr())
	}
	return addr.Port, nil
}
