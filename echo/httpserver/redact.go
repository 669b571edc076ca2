package httpserver

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

const redactedValue = "[redacted]"

// digestLength is how many hex digits tell one redacted identity from another.
const digestLength = 12

// DefaultRedactedHeaders returns the headers that commonly carry a secret.
func DefaultRedactedHeaders() []string {
	return []string{
		"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie",
		"X-Api-Key", "X-Auth-Token", "X-Access-Token", "X-Amz-Security-Token",
		"X-Csrf-Token", "X-Forwarded-Access-Token", "X-Goog-Iap-Jwt-Assertion",
		"X-Ms-Token-Aad-Access-Token", "X-Vault-Token",
	}
}

// redactor knows which headers are never shown.
type redactor map[string]struct{}

func newRedactor(names []string) redactor {
	r := make(redactor, len(names))
	for _, name := range names {
		r[http.CanonicalHeaderKey(name)] = struct{}{}
	}
	return r
}

// hides takes a canonical header name.
func (r redactor) hides(name string) bool {
	_, ok := r[name]
	return ok
}

// digest names a secret without telling it.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])[:digestLength]
}
