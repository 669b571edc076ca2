package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// StartSentinel runs a Sentinel that knows primary by name. It ends with the test.
func StartSentinel(t testing.TB, name string, primary *Server) *Server {
	t.Helper()
	config := fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1\n", name, primary.port)
	if primary.password != "" {
		config += fmt.Sprintf("sentinel auth-pass %s %s\n", name, primary.password)
	}
	path := filepath.Join(t.TempDir(), "sentinel.conf")
	// Sentinel writes what it finds out into its own configuration.
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return Start(t, func(s *Server) { s.mode = []string{path, "--sentinel"} })
}
