package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the module's folder, seen from the one that go test runs in.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// row is a table's row: its cells without the space around them.
type row []string

var codeSpan = regexp.MustCompile("`([^`]+)`")

// code returns what stands in backticks in the row's cell of that index.
func (r row) code(cell int) []string {
	var texts []string
	for _, span := range codeSpan.FindAllStringSubmatch(r[cell], -1) {
		texts = append(texts, span[1])
	}
	return texts
}

// table returns the rows of README's table that begins with this header line.
func table(t *testing.T, header string) []row {
	t.Helper()
	_, after, found := strings.Cut(read(t, "README.md"), "\n"+header+"\n")
	if !found {
		t.Fatalf("README.md: no table with the header %q", header)
	}
	columns := strings.Count(header, "|") - 1
	var rows []row
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != columns {
			t.Fatalf("README.md: %d cells, expected %d, in %s", len(cells), columns, line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("README.md: the table with the header %q is empty", header)
	}
	return rows
}

// fenced returns the content of README's code blocks of a language.
func fenced(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	for _, part := range strings.Split(read(t, "README.md"), "\n```"+language+"\n")[1:] {
		block, _, closed := strings.Cut(part, "\n```\n")
		if !closed {
			t.Fatalf("README.md: a block of %s is not closed", language)
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		t.Fatalf("README.md: no block of %s", language)
	}
	return blocks
}
