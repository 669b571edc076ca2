package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const (
	// maxValueBytes is the longest value that is kept as it is; a longer one is
	// replaced by its digest.
	maxValueBytes = 256
	// reserved begins every bucket part that is no request's own value. No header
	// may hold a NUL; a value that begins with one all the same is digested.
	reserved = "\x00"

	sharedPart    = reserved + "missing"
	addressPrefix = reserved + "ip:"
)

// combined returns the one spelling of a header's or metadata key's values. They
// are a list of elements between commas, however many lines carry it (RFC 9110
// section 5.3), so elements are trimmed, sorted and kept once: repeating,
// reordering, padding or folding what was sent leads to the same client.
func combined(values []string) string {
	if len(values) == 1 && strings.IndexByte(values[0], ',') < 0 {
		return trim(values[0])
	}
	var elements []string
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			if element = trim(element); element != "" {
				elements = append(elements, element)
			}
		}
	}
	slices.Sort(elements)
	return strings.Join(slices.Compact(elements), ",")
}

// trim drops optional white space (RFC 9110 section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// needsDigest reports whether a value is too long to keep, or could be taken for
// a part that no request may name.
func needsDigest(value string) bool {
	return len(value) > maxValueBytes || strings.HasPrefix(value, reserved)
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
