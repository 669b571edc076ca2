package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// unprivileged is the user that images run as unless told otherwise. It has no entry in any passwd file, which is
// why it is a number: a pod with runAsNonRoot can be checked.
const unprivileged = "65532:65532"

// imageSpec describes an image of one layer.
type imageSpec struct {
	name       string
	entrypoint string
	user       string
	files      []imageFile
}

// imageFile is a file of the machine and where it lies in the image.
type imageFile struct {
	source, target string
}

// staticImage holds one static program and nothing else.
func staticImage(name, program string) imageSpec {
	target := "/" + filepath.Base(program)
	return imageSpec{name: name, entrypoint: target, user: unprivileged, files: []imageFile{{program, target}}}
}

// writeImageFile writes the archive beside its place first, so that nobody reads half of one.
func writeImageFile(file string, spec imageSpec) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	scratch, err := os.CreateTemp(filepath.Dir(file), ".image-")
	if err != nil {
		return err
	}
	defer func() { _ = removeIfThere(scratch.Name()) }() // nothing is there any more after the rename
	err = writeImage(scratch, spec)
	if err := errors.Join(err, scratch.Close()); err != nil {
		return fmt.Errorf("packing image %s: %w", spec.name, err)
	}
	return os.Rename(scratch.Name(), file)
}

// writeImage writes the format of `docker save`. The same files give the same bytes: names are sorted, and times
// and owners are fixed.
func writeImage(w io.Writer, spec imageSpec) error {
	var layer bytes.Buffer
	if err := writeLayer(&layer, spec.files); err != nil {
		return err
	}
	sum := sha256.Sum256(layer.Bytes())
	config, err := imageConfig(spec, hex.EncodeToString(sum[:]))
	if err != nil {
		return err
	}
	configSum := sha256.Sum256(config)
	configName := hex.EncodeToString(configSum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": []string{spec.name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, part := range []struct {
		name string
		text []byte
	}{{"manifest.json", manifest}, {configName, config}, {"layer.tar", layer.Bytes()}} {
		if err := addBytes(archive, part.name, 0o644, part.text); err != nil {
			return err
		}
	}
	return archive.Close()
}

func imageConfig(spec imageSpec, layer string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      "1970-01-01T00:00:00Z",
		"config": map[string]any{
			"Entrypoint": []string{spec.entrypoint},
			"User":       spec.user,
			"WorkingDir": "/",
			"Env":        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layer}},
	})
}

// writeLayer writes the files, and before each the directories that it lies in.
func writeLayer(w io.Writer, files []imageFile) error {
	sorted := slices.Clone(files)
	slices.SortFunc(sorted, func(a, b imageFile) int { return cmp.Compare(a.target, b.target) })
	layer := tar.NewWriter(w)
	written := map[string]bool{}
	for _, file := range sorted {
		if err := addDirs(layer, path.Dir(file.target), written); err != nil {
			return err
		}
		if written[file.target] {
			return fmt.Errorf("%s is given twice", file.target)
		}
		written[file.target] = true
		if err := addFile(layer, file); err != nil {
			return err
		}
	}
	return layer.Close()
}

func addDirs(layer *tar.Writer, dir string, written map[string]bool) error {
	if dir == "/" || dir == "." || written[dir] {
		return nil
	}
	if err := addDirs(layer, path.Dir(dir), written); err != nil {
		return err
	}
	written[dir] = true
	return layer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755,
		ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
}

// addFile follows links: what an image needs is the file.
func addFile(layer *tar.Writer, file imageFile) error {
	text, err := os.ReadFile(file.source)
	if err != nil {
		return err
	}
	info, err := os.Stat(file.source)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return addBytes(layer, strings.TrimPrefix(file.target, "/"), mode, text)
}

func addBytes(w *tar.Writer, name string, mode int64, text []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text)),
		ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}
