package limiter_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The package can be imported without bringing anything but the standard library.
func TestStandardLibraryOnly(t *testing.T) {
	const self = "github.com/echo-operator/echo-operator/echo/limiter"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", self)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		if p != self && !strings.HasPrefix(p, self+"/internal/") {
			t.Errorf("it depends on %s", p)
		}
	}
}
