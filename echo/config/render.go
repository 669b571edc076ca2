package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Render returns the limits file for f, the same bytes for the same limits,
// with every default written out so that another release reads what this one
// meant. [Parse] reads it back. An invalid f is an [*InvalidError]; so is a file
// above [MaxBytes].
func Render(f *File) ([]byte, error) {
	full, err := validated(f)
	if err != nil {
		return nil, err
	}
	var out bounded
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err = encoder.Encode(full)
	if closeErr := encoder.Close(); err == nil {
		err = closeErr
	}
	switch {
	case out.full:
		return nil, &InvalidError{Problems: []*Problem{tooLarge()}}
	case err != nil:
		return nil, fmt.Errorf("render the limits file: %w", err)
	}
	return out.Bytes(), nil
}

// bounded stops the encoder as soon as the file is too large, since a policy
// within its bounds can ask for many times the size.
type bounded struct {
	bytes.Buffer
	full bool
}

// Write implements [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	if b.full || b.Len()+len(p) > MaxBytes {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.Buffer.Write(p)
}

func tooLarge() *Problem {
	return &Problem{
		What:   fmt.Sprintf("the limits file has more than the %d bytes allowed", MaxBytes),
		Remedy: "use fewer rules, overrides or values",
	}
}

// Hash names the bytes of a limits file: "sha256:" and 64 hexadecimal digits.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// LimitsHash names what f says about limits, in the form of [Hash]. It leaves
// out policy.generation and replicas, so that editing something else or scaling
// does not change it, and it does not depend on how the file was written down.
//
// It is taken over the JSON form with its defaults: releases agree on it as long
// as a field that a release adds is omitted from JSON while it is not used.
func LimitsHash(f *File) (string, error) {
	full, err := validated(f)
	if err != nil {
		return "", err
	}
	full.Replicas = 0
	if full.Policy != nil {
		full.Policy.Generation = 0
	}
	data, err := json.Marshal(full)
	if err != nil {
		return "", fmt.Errorf("hash the limits: %w", err)
	}
	return Hash(data), nil
}
