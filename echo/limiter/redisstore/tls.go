package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

// applyTLS turns TLS on when the URL or a file asks for it.
func (c *Config) applyTLS(o *redis.UniversalOptions) error {
	if o.TLSConfig == nil && c.CAFile == "" && c.CertFile == "" && c.KeyFile == "" {
		return nil
	}
	if o.TLSConfig == nil || len(c.Addrs) > 0 {
		// Without a name here each server is checked against the name it is dialled by.
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.CAFile != "" {
		pool, err := readCertificates(c.CAFile)
		if err != nil {
			return fmt.Errorf("redis CA file: %w", err)
		}
		o.TLSConfig.RootCAs = pool
	}
	return c.applyClientCertificate(o.TLSConfig)
}

func readCertificates(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// applyClientCertificate reads the pair at each handshake, so that a renewed
// certificate needs no restart.
func (c *Config) applyClientCertificate(t *tls.Config) error {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return errors.New("redis: a client certificate needs both the certificate file and the key file")
	}
	if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
		return fmt.Errorf("redis client certificate: %w", err)
	}
	certFile, keyFile := c.CertFile, c.KeyFile
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("redis client certificate: %w", err)
		}
		return &pair, nil
	}
	return nil
}
