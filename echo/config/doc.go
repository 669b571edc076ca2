// Package config is the limits file: its types, strict parsing, validation,
// deterministic rendering and hashes, and the way from a file to the limiter's
// policy. The operator renders with it what the pod reads with it, so a file
// that one writes and the other refuses cannot come about.
package config
