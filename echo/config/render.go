package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

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
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(full); err != nil {
		return nil, fmt.Errorf("render the limits file: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("render the limits file: %w", err)
	}
	if out.Len() > MaxBytes {
		return nil, &InvalidError{Problems: []*Problem{tooLarge(out.Len())}}
	}
	return out.Bytes(), nil
}

func tooLarge(size int) *Problem {
	return &Problem{
		What:   fmt.Sprintf("the limits file has %d bytes, more than the %d allowed", size, MaxBytes),
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
