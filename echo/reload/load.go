package reload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/echo-operator/echo-operator/echo/config"
)

// Loaded is a limits file that was read and found valid.
type Loaded struct {
	File *config.File
	// Compiled holds the limiter's policy and describes clients.
	Compiled *config.Compiled
	// Hash is over the file's bytes, LimitsHash over what it says about limits.
	Hash, LimitsHash string
	// Generation is the policy's generation, 0 for a file written by hand.
	Generation int64
}

// Parse makes a limits file's bytes ready for use. An invalid file's error is a
// [*config.InvalidError].
func Parse(data []byte) (*Loaded, error) {
	file, err := config.Parse(data)
	if err != nil {
		return nil, err
	}
	limitsHash, err := config.LimitsHash(file)
	if err != nil {
		return nil, err
	}
	compiled, err := file.Compile()
	if err != nil {
		return nil, err
	}
	loaded := &Loaded{File: file, Compiled: compiled, Hash: config.Hash(data), LimitsHash: limitsHash}
	if file.Policy != nil {
		loaded.Generation = file.Policy.Generation
	}
	return loaded, nil
}

// read returns the file's content. A reader that is half way through a link that
// is being swapped finds nothing at its end; the second attempt sees the new one.
func read(path string) ([]byte, error) {
	data, err := readOnce(path)
	if errors.Is(err, fs.ErrNotExist) {
		return readOnce(path)
	}
	return data, err
}

// readOnce never waits for a writer, as opening a pipe would, and never holds
// more than a limits file may have.
func readOnce(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, config.MaxBytes+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if len(data) > config.MaxBytes {
		return nil, fmt.Errorf("%s has more than the %d bytes allowed; use fewer rules, overrides or values", path, config.MaxBytes)
	}
	return data, nil
}
