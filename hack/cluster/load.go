package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func loadVerb(c *command) func(context.Context) error {
	return func(ctx context.Context) error {
		if c.flags.NArg() == 0 {
			return errors.New("load needs NAME=BINARY, which packs a static program, or the path of an image archive")
		}
		return withCluster(ctx, c, func(r runDir) error {
			for _, arg := range c.flags.Args() {
				archive, err := r.archiveOf(arg)
				if err != nil {
					return err
				}
				if err := r.load(ctx, c.log, archive); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// withCluster runs something on a cluster that is up, while no other verb changes it.
func withCluster(ctx context.Context, c *command, action func(runDir) error) error {
	r, err := newRunDir(c.name)
	if err != nil {
		return err
	}
	unlock, err := r.lock(ctx, c.log)
	if err != nil {
		return err
	}
	defer unlock()
	if err := r.mustBeUp(); err != nil {
		return err
	}
	return action(r)
}

// archiveOf gives the archive behind an argument of load, packing it if need be.
func (r runDir) archiveOf(arg string) (string, error) {
	name, program, packed := strings.Cut(arg, "=")
	if !packed {
		return arg, nil
	}
	archive := r.archivePath(name)
	return archive, writeImageFile(archive, staticImage(name, program))
}

// archivePath is where the archive of an image is kept, by its name without characters that mean something in paths.
func (r runDir) archivePath(image string) string {
	return r.path("images", strings.NewReplacer("/", "_", ":", "_").Replace(image)+".tar")
}

func (r runDir) load(ctx context.Context, log *progress, archive string) error {
	if r.backend() == backendKind {
		log.say("loading %s", filepath.Base(archive))
		return r.loadKind(ctx, archive)
	}
	imported, err := r.importArchive(ctx, archive)
	if err != nil {
		return err
	}
	state := "is there already"
	if imported {
		state = "imported"
	}
	log.say("%s: %s", filepath.Base(archive), state)
	return nil
}

// importArchive gives an archive to containerd, unless this very one was given to it before. The kubelet removes no
// images here, so what was imported is still there.
func (r runDir) importArchive(ctx context.Context, archive string) (imported bool, err error) {
	text, err := os.ReadFile(archive)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	mark := filepath.Join("loaded", filepath.Base(archive))
	if r.note(mark) == digest {
		return false, nil
	}
	if _, err := r.ctr(ctx, "images", "import", archive); err != nil {
		return false, fmt.Errorf("importing %s: %w", archive, err)
	}
	return true, r.write(mark, digest)
}
