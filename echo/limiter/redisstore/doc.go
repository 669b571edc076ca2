// Package redisstore keeps a limiter's buckets in Redis or Valkey, shared by
// every process that uses the same server and policy ID.
//
// A decision is one script call that goes by the server's clock, so processes
// need not agree on the time. The server needs EVAL and EVALSHA and, within the
// script, GET, SET and TIME, on keys that begin with "rl:".
//
// A bucket that Redis loses, by restart, eviction or flush, is a full bucket:
// its client may get up to one burst more.
package redisstore
