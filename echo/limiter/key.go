package limiter

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

const (
	// partitions is how many ways a policy's buckets are spread over a sharded store.
	partitions = 64
	// digestLen is how many base64url characters of SHA-256 name a bucket: 132 bits.
	digestLen = 22
	// standaloneID names the buckets of a policy that has no ID.
	standaloneID = "standalone"
	// shortIDLen bounds Key.Policy.
	shortIDLen = 12
	// maxKeptKeyBytes bounds what a key may leave allocated for later decisions.
	maxKeptKeyBytes = 4 << 10
)

// Key names a bucket. It is the same in every process that has the same policy
// ID, rule name and key parts, and tells nothing about the client.
type Key struct {
	// Policy is a short, readable form of the policy's ID, made of letters,
	// digits, '_' and '.', for people who look into a store.
	Policy string
	// Partition, below 64, depends on the client's key alone, so that all rules
	// keyed alike lie together in a sharded store.
	Partition uint8
	// Digest is base64url of SHA-256 over policy ID, rule name and key parts.
	Digest [digestLen]byte
}

// appendPart appends s so that no two lists of parts give the same bytes.
func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// keyPrefix is the part of a digest's input that a rule's buckets share.
func keyPrefix(policyID, rule string) []byte {
	return appendPart(appendPart(nil, policyID), rule)
}

// newKey returns the bucket's name and buf, grown, for the next call.
func newKey(buf []byte, policy string, prefix []byte, parts []string) (Key, []byte) {
	k := Key{Policy: policy}
	buf = append(buf[:0], prefix...)
	for _, p := range parts {
		buf = appendPart(buf, p)
	}
	sum := sha256.Sum256(buf)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	copy(k.Digest[:], text[:])
	k.Partition = partitionOf(buf[len(prefix):])
	if cap(buf) > maxKeptKeyBytes {
		buf = nil
	}
	return k, buf
}

// partitionOf is FNV-1a folded to 6 bits: cheap, and the same everywhere.
func partitionOf(parts []byte) uint8 {
	h := uint64(14695981039346656037)
	for _, c := range parts {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h ^= h >> 16
	return uint8((h ^ h>>8) % partitions)
}

// shortID keeps the first group of a UUID, or the first characters of another
// ID, and nothing that could end a store's hash tag.
func shortID(id string) string {
	id, _, _ = strings.Cut(id, "-")
	id = id[:min(len(id), shortIDLen)]
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			return r
		}
		return '_'
	}, id)
}
