package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeFile makes a file with a mode and a modification time that differs from test to test.
func writeFile(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func entries(t *testing.T, archive []byte) map[string]*tar.Header {
	t.Helper()
	headers := map[string]*tar.Header{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers[header.Name] = header
	}
}

func content(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if header.Name == name {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

func pack(t *testing.T, spec imageSpec) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeImage(&b, spec); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImageIsReproducible(t *testing.T) {
	dir := t.TempDir()
	a := writeFile(t, filepath.Join(dir, "a"), "program", 0o755)
	b := writeFile(t, filepath.Join(dir, "b"), "settings", 0o600)
	spec := imageSpec{name: "example/x:dev", entrypoint: "/a", user: unprivileged,
		files: []imageFile{{a, "/a"}, {b, "/etc/x/b"}}}
	first := pack(t, spec)

	// Order, times and permissions that only the machine has must not matter.
	slices.Reverse(spec.files)
	if err := os.Chtimes(a, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b, 0o640); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, pack(t, spec)) {
		t.Error("the same files gave another archive")
	}

	writeFile(t, a, "another program", 0o755)
	if bytes.Equal(first, pack(t, spec)) {
		t.Error("another file gave the same archive")
	}
}

func TestImageContents(t *testing.T) {
	program := writeFile(t, filepath.Join(t.TempDir(), "echo"), "program", 0o755)
	archive := pack(t, staticImage("example/echo:dev", program))

	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(content(t, archive, "manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{"example/echo:dev"}) {
		t.Fatalf("manifest = %+v", manifest)
	}
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(content(t, archive, manifest[0].Config), &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Config.Entrypoint, []string{"/echo"}) || config.Config.User != "65532:65532" {
		t.Errorf("config = %+v", config.Config)
	}
	layer := content(t, archive, manifest[0].Layers[0])
	sum := sha256.Sum256(layer)
	if want := "sha256:" + hex.EncodeToString(sum[:]); !slices.Equal(config.RootFS.DiffIDs, []string{want}) {
		t.Errorf("diff_ids = %v, the layer's is %s", config.RootFS.DiffIDs, want)
	}
	if header := entries(t, layer)["echo"]; header == nil || header.Mode != 0o755 || header.Uid != 0 {
		t.Errorf("the program's header is %+v", header)
	}
}

func TestLayerHasEachDirectoryOnce(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "f"), "x", 0o644)
	var layer bytes.Buffer
	err := writeLayer(&layer, []imageFile{{file, "/usr/lib/b"}, {file, "/usr/bin/a"}, {file, "/usr/lib/a"}})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for r := tar.NewReader(&layer); ; {
		header, err := r.Next()
		if err != nil {
			break
		}
		order = append(order, header.Name)
	}
	want := []string{"usr/", "usr/bin/", "usr/bin/a", "usr/lib/", "usr/lib/a", "usr/lib/b"}
	if !slices.Equal(order, want) {
		t.Errorf("layer = %v, want %v", order, want)
	}
}

func TestLayerRefusesOneTargetTwice(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "f"), "x", 0o644)
	err := writeLayer(io.Discard, []imageFile{{file, "/a"}, {file, "/a"}})
	if err == nil || !strings.Contains(err.Error(), "/a is given twice") {
		t.Errorf("err = %v", err)
	}
}

func TestFailedImageLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	err := writeImageFile(filepath.Join(dir, "x.tar"), staticImage("example/x:dev", filepath.Join(dir, "missing")))
	if err == nil || !strings.Contains(err.Error(), "example/x:dev") {
		t.Errorf("err = %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFileFlag(t *testing.T) {
	var files fileFlags
	if err := files.Set("bin/x=/usr/bin/x"); err != nil || files[0] != (imageFile{"bin/x", "/usr/bin/x"}) {
		t.Errorf("files = %v, err = %v", files, err)
	}
	for _, bad := range []string{"x", "=/x", "x=", "x=relative", "x=/a/../b", "x=/a/"} {
		if err := files.Set(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseLdd(t *testing.T) {
	const printed = `	linux-vdso.so.1 (0x00007ffd)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f1)
	libjemalloc.so.2 => /usr/lib/../lib/libjemalloc.so.2 (0x00007f2)
	/lib64/ld-linux-x86-64.so.2 (0x00007f3)
`
	want := []string{"/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/libjemalloc.so.2", "/lib64/ld-linux-x86-64.so.2"}
	if got := parseLdd(printed); !slices.Equal(got, want) {
		t.Errorf("parseLdd = %v, want %v", got, want)
	}
	if got := parseLdd("\tnot a dynamic executable\n"); len(got) != 0 {
		t.Errorf("a static program has libraries: %v", got)
	}
}
