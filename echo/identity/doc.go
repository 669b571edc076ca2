// Package identity finds out which client a request belongs to: by header,
// metadata, address through trusted proxies, path or method. What it returns
// names a bucket, so two spellings of one client must give one identity.
package identity
