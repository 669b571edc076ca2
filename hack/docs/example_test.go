package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's program compiles, vets clean and prints what the README says.
func TestExample(t *testing.T) {
	program := fenced(t, "go")[0]
	_, comment, found := strings.Cut(program, "// Output:\n")
	if !found {
		t.Fatal("README.md: the program does not say what it prints; end it with // Output:")
	}
	want := strings.ReplaceAll(strings.TrimSpace(comment), "// ", "")

	// Named by its file, a program is built with the module it is built from.
	file := filepath.Join(t.TempDir(), "main.go")
	write(t, file, []byte(program))
	goTool(t, "vet", file)
	if got := strings.TrimSpace(goTool(t, "run", file)); got != want {
		t.Errorf("README.md's program prints\n%s\nand says that it prints\n%s", got, want)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
