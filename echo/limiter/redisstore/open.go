package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Mode is how a Redis deployment is reached.
type Mode string

const (
	// Standalone is one server; the default.
	Standalone Mode = "Standalone"
	// Sentinel asks Sentinels for the current primary.
	Sentinel Mode = "Sentinel"
	// Cluster is Redis Cluster, which [Open] refuses: a decision over several
	// rules is one script call, and its keys may lie on different nodes.
	Cluster Mode = "Cluster"
)

// Config says how to reach Redis.
type Config struct {
	// URL is redis://[user[:password]@]host[:port][/db] or rediss:// for TLS.
	URL string
	// Mode is Standalone when empty.
	Mode Mode
	// Addrs are host:port pairs, of Sentinels in that mode. They replace URL's
	// host; URL may then be left out.
	Addrs []string
	// MasterName is the primary's name at the Sentinels.
	MasterName string
	// Username and PasswordFile replace what URL has. The file is read again for
	// every connection.
	Username     string
	PasswordFile string
	// SentinelPasswordFile is read once.
	SentinelPasswordFile string
	// CAFile holds the certificates to trust instead of the system's; CertFile
	// and KeyFile are the client's own, read again for every connection. Any of
	// them turns TLS on.
	CAFile   string
	CertFile string
	KeyFile  string
}

// How the client is set: no retries and no dialling beyond a decision's
// deadline, which every call has in its context. The other timeouts only bound
// connections that are made in the background.
const (
	dialTimeout  = 100 * time.Millisecond
	ioTimeout    = time.Second
	poolSize     = 32
	minIdleConns = 4
)

// Open returns a store with a client of its own, which [Store.Close] ends. It
// reads the files that c names and does not connect: a server that is out is the
// limiter's business. The error names the setting that is wrong and never
// contains a password.
func Open(c Config) (*Store, error) {
	o, creds, err := c.options()
	if err != nil {
		return nil, err
	}
	dial, err := c.dialer(o)
	if err != nil {
		return nil, err
	}
	s := New(dial())
	s.link = newLink(creds, dial)
	s.link.start(s)
	return s, nil
}

func (c *Config) options() (*redis.UniversalOptions, *credentials, error) {
	o := &redis.UniversalOptions{
		Addrs:                    c.Addrs,
		MasterName:               c.MasterName,
		MaxRetries:               -1,
		ContextTimeoutEnabled:    true,
		DialTimeout:              dialTimeout,
		DialerRetries:            1,
		ReadTimeout:              ioTimeout,
		WriteTimeout:             ioTimeout,
		PoolTimeout:              ioTimeout,
		PoolSize:                 poolSize,
		MinIdleConns:             minIdleConns,
		PipelinePoolSize:         -1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	creds := &credentials{username: c.Username, file: c.PasswordFile}
	if err := c.applyURL(o, creds); err != nil {
		return nil, nil, err
	}
	if len(o.Addrs) == 0 {
		return nil, nil, errors.New("redis: no address; set a URL such as redis://redis:6379, or addresses")
	}
	if err := c.applyFiles(o, creds); err != nil {
		return nil, nil, err
	}
	o.CredentialsProviderContext = creds.get
	return o, creds, nil
}

// applyURL takes over what the URL has and Config does not replace.
func (c *Config) applyURL(o *redis.UniversalOptions, creds *credentials) error {
	if c.URL == "" {
		return nil
	}
	// The parser's errors quote the URL, which may hold a password.
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" {
		return errors.New("redis: the URL must look like redis://host:6379, or rediss://host:6379 for TLS")
	}
	p, err := redis.ParseURL(c.URL)
	if err != nil {
		return errors.New("redis: the URL must look like redis://host:6379/0, its path a database number")
	}
	if len(o.Addrs) == 0 {
		o.Addrs = []string{p.Addr}
	}
	o.DB, o.TLSConfig = p.DB, p.TLSConfig
	if creds.username == "" {
		creds.username = p.Username
	}
	creds.password = p.Password
	return nil
}

// applyFiles reads every file once, so that a wrong one is found at the start. A
// password that is not there yet is no error: a Secret may come after the pod,
// which decides in fallback until a dial finds it.
func (c *Config) applyFiles(o *redis.UniversalOptions, creds *credentials) error {
	if _, _, err := creds.get(context.Background()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.SentinelPasswordFile != "" {
		password, err := readSecret(c.SentinelPasswordFile)
		if err != nil {
			return fmt.Errorf("%w: sentinel password file: %w", errCredentials, err)
		}
		o.SentinelPassword = password
	}
	return c.applyTLS(o)
}

// dialer returns what makes the client, now and when its connections must be
// made anew.
func (c *Config) dialer(o *redis.UniversalOptions) (func() redis.UniversalClient, error) {
	switch c.Mode {
	case Standalone, "":
		if len(o.Addrs) != 1 {
			return nil, fmt.Errorf("redis: mode Standalone takes one address, got %d: %s", len(o.Addrs), strings.Join(o.Addrs, ", "))
		}
		return func() redis.UniversalClient { return redis.NewClient(o.Simple()) }, nil
	case Sentinel:
		if c.MasterName == "" {
			return nil, errors.New("redis: mode Sentinel needs the primary's name; set the master name")
		}
		return func() redis.UniversalClient { return redis.NewFailoverClient(o.Failover()) }, nil
	case Cluster:
		return nil, errors.New("redis: mode Cluster is not supported by this release; use Standalone or Sentinel")
	default:
		return nil, fmt.Errorf("redis: unknown mode %q; use Standalone or Sentinel", c.Mode)
	}
}
