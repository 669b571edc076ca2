package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// maxPasswordBytes bounds a password file.
const maxPasswordBytes = 4096

// versionDigits is how much of the password's hash is told: enough to compare
// two passwords, too little to be of use to anybody else.
const versionDigits = 12

// credentials reads the password anew for every connection, so that a changed
// file needs no restart.
type credentials struct {
	username string
	// password counts when there is no file.
	password string
	file     string
	version  atomic.Pointer[string]
}

// get is go-redis' credentials callback.
func (c *credentials) get(context.Context) (username, password string, err error) {
	if c.file == "" {
		return c.username, c.password, nil
	}
	password, err = readSecret(c.file)
	if err != nil {
		return "", "", fmt.Errorf("%w: password file: %w", errCredentials, err)
	}
	version := ""
	if password != "" {
		sum := sha256.Sum256([]byte(password))
		version = hex.EncodeToString(sum[:])[:versionDigits]
	}
	c.version.Store(&version)
	return c.username, password, nil
}

// current reads the file again. When it cannot be read, the version of the last
// password that could is told; dialling reports the error.
func (c *credentials) current() string {
	if c.file == "" {
		return ""
	}
	if _, _, err := c.get(context.Background()); err != nil && c.version.Load() == nil {
		return ""
	}
	return *c.version.Load()
}

// readSecret reads a one-line secret.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, maxPasswordBytes+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxPasswordBytes {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxPasswordBytes)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
