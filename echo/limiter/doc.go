// Package limiter decides, per client and exactly, whether a request may pass:
// token buckets kept as integer debt, several rules all or nothing, in memory or
// shared by many processes through a store such as Redis.
//
// # What holds
//
// In any stretch of time W a client gets at most Burst + Requests*W/Period
// tokens, and a request is refused only when that many are gone: decisions are
// those of exact fractions, whatever the number of goroutines. The clock is
// read in nanoseconds, or in microseconds when Burst times Period is above
// 4.5e9 seconds; in Redis in microseconds and milliseconds. A clock that stands
// or steps back earns nothing and takes nothing away.
//
// With a [Store] the bound holds over all processes that share it and the
// policy's ID. While the store is out a process decides alone, as
// Policy.OnOutage says, and [Decision].Source tells. With [OutageShare] each
// enforces its part, Requests and Burst divided by Replicas but never less than
// one request, so that together they keep to the limit when all lost the store.
// Each beginning or end of an outage, and each loss of the store's data, may
// give a client up to one more burst.
//
// In memory a bucket may be forgotten when more clients are active than
// [WithMaxClients] allows. Full buckets go first, unnoticed; [Stats] counts the
// others, whose clients may get up to one more burst.
//
// # Reload
//
// [Limiter.SetPolicy] takes effect at once and keeps each bucket's tokens, cut to
// the new burst. Until a client's next request its bucket refills at the old rate.
//
// The package imports the standard library only and starts no goroutine until a
// store fails.
package limiter
