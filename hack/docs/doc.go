// Package docs has only tests: they hold README.md and the manifests of config
// against the code, so that neither can say what is not so.
package docs
