package identity

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// One resource has one path, however it is spelt.
func TestCanonicalPath(t *testing.T) {
	for raw, want := range map[string]string{
		"":                    "/",
		"*":                   "/",
		"/":                   "/",
		"/v1":                 "/v1",
		"/v1/":                "/v1/",
		"/v1?x=/../y":         "/v1",
		"/v1?":                "/v1",
		"/v1%3Fx":             "/v1?x",
		"//v1":                "/v1",
		"/v1///x//":           "/v1/x/",
		"/v1/./x":             "/v1/x",
		"/v1/.":               "/v1/",
		"/v1/..":              "/",
		"/v1/x/..":            "/v1/",
		"/a/../v1":            "/v1",
		"/../../v1":           "/v1",
		"/%2e%2E/v1":          "/v1",
		"/a/%2e./v1":          "/v1",
		"/a//../v1":           "/v1",
		"/%76%31":             "/v1",
		"/%252e%252e/v1":      "/%2e%2e/v1",
		"/%252Fv1":            "/%2Fv1",
		"/a%20b":              "/a b",
		"/...":                "/...",
		"/.well-known/x":      "/.well-known/x",
		"/v1/..x":             "/v1/..x",
		"/V1":                 "/V1",
		"/v1;a=b":             "/v1;a=b",
		"/%C3%A4":             "/ä",
		"/echo.v1.Echo/Unary": "/echo.v1.Echo/Unary",
	} {
		got, err := CanonicalPath(raw)
		if err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", raw, got, err, want)
		}
	}
}

// What could mean different things to different readers is refused.
func TestCanonicalPathRefusals(t *testing.T) {
	for raw, want := range map[string]error{
		"v1":                  ErrPathRelative,
		"http://example.com/": ErrPathRelative,
		"**":                  ErrPathRelative,
		"?":                   ErrPathRelative,
		"/a%2Fb":              ErrPathSlash,
		"/a%2fb":              ErrPathSlash,
		"/..%2fv1":            ErrPathSlash,
		"/a%00":               ErrPathNUL,
		"/a\x00":              ErrPathNUL,
		"/a%":                 ErrPathEscape,
		"/a%2":                ErrPathEscape,
		"/a%zz":               ErrPathEscape,
		"/a%2g":               ErrPathEscape,
		"/a%u0041":            ErrPathEscape,
	} {
		if got, err := CanonicalPath(raw); !errors.Is(err, want) {
			t.Errorf("%q became %q (%v), want %v", raw, got, err, want)
		}
	}
}

// FuzzCanonicalPath proves that a canonical path has the form that rules rely
// on, and that escaping it leads back to it.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/", "//a/./b/../c/", "/%2e%2e/%41?x", "/a%2Fb", "/%", "/.a/..b/...", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		path, err := CanonicalPath(raw)
		if err != nil {
			return
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, "\x00") {
			t.Fatalf("%q became %q", raw, path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q became %q, which has a dot segment", raw, path)
			}
		}
		escaped := (&url.URL{Path: path}).EscapedPath()
		if again, err := CanonicalPath(escaped); err != nil || again != path {
			t.Fatalf("%q became %q, but %q became %q (%v)", raw, path, escaped, again, err)
		}
	})
}
