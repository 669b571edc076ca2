package identity

import (
	"errors"
	"strings"
)

// The reasons why [CanonicalPath] refuses a path; a server answers 400.
var (
	ErrPathRelative = errors.New("the path does not begin with a slash")
	ErrPathEscape   = errors.New("the path holds a percent sign that two hexadecimal digits do not follow")
	ErrPathSlash    = errors.New("the path holds an encoded slash (%2F), which could hide a path element from the rules")
	ErrPathNUL      = errors.New("the path holds a NUL byte")
)

// CanonicalPath returns the one spelling of a request path that rules and keys
// see: percent-decoded once, dot segments removed (RFC 3986 section 5.2.4, never
// above the root), repeated slashes merged, the query dropped. rawPath is the
// path as it was sent, as url.URL.EscapedPath returns it; "" and the "*" of
// OPTIONS are the root. A trailing slash stays. The result always begins with a
// slash.
func CanonicalPath(rawPath string) (string, error) {
	if rawPath == "" || rawPath == "*" {
		return "/", nil
	}
	if rawPath[0] != '/' {
		return "", ErrPathRelative
	}
	path, _, _ := strings.Cut(rawPath, "?")
	path, err := decodeOnce(path)
	if err != nil {
		return "", err
	}
	if isCanonical(path) {
		return path, nil
	}
	return removeDots(path), nil
}

func decodeOnce(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", ErrPathNUL
	}
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		c, err := escaped(s[i+1:])
		if err != nil {
			return "", err
		}
		out = append(out, c)
		i += 2
	}
	return string(out), nil
}

// escaped decodes the two digits that follow a percent sign.
func escaped(digits string) (byte, error) {
	if len(digits) < 2 {
		return 0, ErrPathEscape
	}
	high, ok1 := hexDigit(digits[0])
	low, ok2 := hexDigit(digits[1])
	switch c := high<<4 | low; {
	case !ok1 || !ok2:
		return 0, ErrPathEscape
	case c == '/':
		return 0, ErrPathSlash
	case c == 0:
		return 0, ErrPathNUL
	default:
		return c, nil
	}
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isCanonical spares ordinary paths the copy; "/." also stands before names like
// ".well-known", which removeDots keeps.
func isCanonical(path string) bool {
	return !strings.Contains(path, "//") && !strings.Contains(path, "/.")
}

func removeDots(path string) string {
	var kept []string
	last := ""
	for segment := range strings.SplitSeq(path, "/") {
		last = segment
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	canonical := "/" + strings.Join(kept, "/")
	// What a dot segment or a slash ended is a folder, and its slash stays.
	if folder := last == "" || last == "." || last == ".."; folder && len(kept) > 0 {
		canonical += "/"
	}
	return canonical
}
