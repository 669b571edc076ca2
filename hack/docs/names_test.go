package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources returns the Go code below folders, tests and generated files left out.
func sources(t *testing.T, folders ...string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			name := filepath.Base(path)
			if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_") {
				return err
			}
			data, err := os.ReadFile(path)
			all.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// matches returns the set of what the expression's group finds.
func matches(expression, text string) map[string]bool {
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return found
}

// sameNames: what the code has and what the README says are the same names.
func sameNames(t *testing.T, kind string, inCode, inReadme map[string]bool) {
	t.Helper()
	if len(inCode) == 0 || len(inReadme) == 0 {
		t.Fatalf("%s: %d found in the code and %d in README.md: the test does not understand them any more", kind, len(inCode), len(inReadme))
	}
	for name := range inReadme {
		if !inCode[name] {
			t.Errorf("README.md names the %s %s, which the code does not have; remove or rename it", kind, name)
		}
	}
	for name := range inCode {
		if !inReadme[name] {
			t.Errorf("README.md does not name the %s %s; add it", kind, name)
		}
	}
}

// The metrics in the README are those of the code, all of them.
func TestMetrics(t *testing.T) {
	sameNames(t, "metric",
		matches(`"((?:echo|ratelimit)_[a-z_]+)"`, sources(t, "echo", "controllers")),
		matches("`((?:echo|ratelimit)_[a-z_]+)[`{]", read(t, "README.md")))
}

// The reasons in the table of conditions are those that the operator gives.
func TestReasons(t *testing.T) {
	given := map[string]bool{}
	constants := sources(t, "api/v1alpha1")
	for name := range matches(`v1alpha1\.(Reason[A-Za-z]+)`, sources(t, "controllers")) {
		for value := range matches(name+` += "([A-Za-z]+)"`, constants) {
			given[value] = true
		}
	}
	listed := map[string]bool{}
	for _, r := range table(t, "| condition | `True` | `False` or `Unknown` |") {
		for value := range matches("`([A-Z][A-Za-z]+)`", r[1]+r[2]) {
			listed[value] = true
		}
	}
	for _, other := range []string{"True", "Share", "Memory"} { // values of something else
		delete(listed, other)
	}
	sameNames(t, "reason", given, listed)
}

// The condition types are those of the API.
func TestConditions(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range table(t, "| condition | `True` | `False` or `Unknown` |") {
		listed[r.code(0)[0]] = true
	}
	sameNames(t, "condition", matches(`Condition[A-Za-z]+ += "([A-Za-z]+)"`, sources(t, "api/v1alpha1")), listed)
}

// The headers in the table of answers are those that are sent.
func TestHeaders(t *testing.T) {
	sent := map[string]bool{}
	for name := range matches(`h\.Set\("([A-Za-z-]+)"`, sources(t, "echo/limiter/httplimit")) {
		sent[strings.ToLower(name)] = true
	}
	listed := map[string]bool{}
	for _, r := range table(t, "| header | on | value |") {
		for _, name := range r.code(0) {
			listed[strings.ToLower(name)] = true
		}
	}
	sameNames(t, "header", sent, listed)
}

// Every make target that a README names exists.
func TestMakeTargets(t *testing.T) {
	targets := matches(`(?m)^([a-z][a-z0-9-]*):`, read(t, "Makefile"))
	for _, file := range []string{"README.md", "config/README.md"} {
		for name := range matches("(?:`|KEEP=1 )make ([a-z][a-z0-9-]*)", read(t, file)) {
			if !targets[name] {
				t.Errorf("%s names make %s, which the Makefile does not have", file, name)
			}
		}
	}
}

// The test command is marked as such, and is what .ci/run begins with.
func TestTestCommand(t *testing.T) {
	marked := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\*\\*The test command\\.\\*\\*").FindStringSubmatch(read(t, "README.md"))
	if marked == nil {
		t.Fatal("README.md: no row that says **The test command.**")
	}
	steps := regexp.MustCompile(`(?m)^step \w+ (.*)$`).FindStringSubmatch(read(t, ".ci/run"))
	if len(steps) != 2 || steps[1] != marked[1] {
		t.Errorf(".ci/run begins with %q, README.md's test command is %q", steps, marked[1])
	}
}

var (
	link = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	// A path of the module: not one in a URL, an import or an image.
	modulePath = regexp.MustCompile(`(?:^|[\s` + "`" + `(])(?:\./)?((?:api|controllers|cmd|config|echo|hack|\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_-])`)
)

// Every link to a file, and every path of the module, leads to something.
func TestPaths(t *testing.T) {
	for _, file := range []string{"README.md", "config/README.md", "hack/cluster/README.md"} {
		text := read(t, file)
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(found[1], "://") {
				exists(t, file, filepath.Join(filepath.Dir(file), found[1]))
			}
		}
		if file == "README.md" {
			for _, found := range modulePath.FindAllStringSubmatch(text, -1) {
				exists(t, file, found[1])
			}
		}
	}
}

func exists(t *testing.T, file, path string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		t.Errorf("%s names %s, which does not exist", file, path)
	}
}

var notInAnchors = regexp.MustCompile(`[^a-z0-9 -]`)

// anchors returns the anchors of a page's headings, as GitHub makes them.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for title := range matches(`(?m)^#+ (.*)$`, read(t, file)) {
		all[strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
	}
	return all
}

// Every link into a page leads to one of its headings.
func TestAnchors(t *testing.T) {
	anchored := regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	for _, file := range []string{"README.md", "config/README.md"} {
		for _, found := range anchored.FindAllStringSubmatch(read(t, file), -1) {
			page := file
			if found[1] != "" {
				page = filepath.Join(filepath.Dir(file), found[1])
			}
			if !anchors(t, page)[found[2]] {
				t.Errorf("%s links to #%s, which is no heading of %s", file, found[2], page)
			}
		}
	}
}
