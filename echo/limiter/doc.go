// Package limiter decides, per client and exactly, whether a request may pass:
// token buckets kept as integer debt, several rules all or nothing, in memory or
// shared by many processes through a store such as Redis.
//
// The package imports the standard library only.
package limiter
