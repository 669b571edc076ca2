package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// decideSource is the script that makes a decision.
//
//go:embed decide.lua
var decideSource string

const (
	opTake = "take"
	opPeek = "peek"
	// The flags in the script's reply.
	flagNoRoom  = 1
	flagCorrupt = 2
	// argsPerKey and repliesPerKey are the script's.
	argsPerKey    = 6
	repliesPerKey = 3
)

// Store is a [limiter.Store] in Redis. Its methods can be called by many
// goroutines at once.
type Store struct {
	client atomic.Pointer[redis.UniversalClient]
	script *redis.Script
	// link is nil when the client is the caller's.
	link *link
}

var _ limiter.Store = (*Store)(nil)

// New returns a store that uses client, which stays the caller's. So that no
// decision outlasts its deadline, the client's options should have
// ContextTimeoutEnabled set and MaxRetries -1; [Open] makes such a client. With
// a Cluster client a decision fails whose buckets lie in different slots.
func New(client redis.UniversalClient) *Store {
	s := &Store{script: redis.NewScript(decideSource)}
	s.client.Store(&client)
	return s
}

// Name returns "redis".
func (s *Store) Name() string { return "redis" }

// Take decides a batch in one script call. Its error is a [limiter.StoreError].
func (s *Store) Take(ctx context.Context, batch []limiter.Take, answers []limiter.Answer) error {
	return s.decide(ctx, opTake, batch, answers)
}

// Peek fills in the answers and changes nothing.
func (s *Store) Peek(ctx context.Context, batch []limiter.Take, answers []limiter.Answer) error {
	return s.decide(ctx, opPeek, batch, answers)
}

// Reset makes the buckets full.
func (s *Store) Reset(ctx context.Context, keys []limiter.Key) error {
	for i := range keys {
		// An empty value that is gone at once reads as a full bucket, and needs no
		// right to delete.
		if err := (*s.client.Load()).Set(ctx, name(&keys[i]), "", time.Millisecond).Err(); err != nil {
			return s.failed(err)
		}
	}
	return nil
}

// pingTake is a decision on a bucket of the store's own, generous enough never
// to matter.
var pingTake = limiter.Take{
	Key:   limiter.Key{Policy: "probe"},
	Limit: limiter.Limit{Requests: limiter.MaxRequests, Burst: 1_000_000, Period: time.Second},
	Cost:  1,
}

// Ping makes a decision on a bucket that nobody uses: a server that answers but
// is read-only, out of memory or lacks the rights counts as out.
func (s *Store) Ping(ctx context.Context) error {
	var answers [1]limiter.Answer
	return s.Take(ctx, []limiter.Take{pingTake}, answers[:])
}

// CredentialsVersion is the first 12 hexadecimal digits of SHA-256 of the
// password that the password file holds now, which the next connection will
// use; "" when there is no password or no file.
func (s *Store) CredentialsVersion() string {
	if s.link == nil {
		return ""
	}
	return s.link.credentials.current()
}

// Close ends the connections of a store that [Open] made; calls made after it
// fail. It leaves a client given to [New] alone. It returns nil.
func (s *Store) Close() error {
	if s.link != nil {
		s.link.close(s)
	}
	return nil
}

func (s *Store) decide(ctx context.Context, op string, batch []limiter.Take, answers []limiter.Answer) error {
	specs := make([]bucket.Spec, len(batch))
	keys := make([]string, len(batch))
	args := make([]any, 1, 1+argsPerKey*len(batch))
	args[0] = op
	for i := range batch {
		t := &batch[i]
		spec, ok := bucket.Shared(t.Limit.Requests, t.Limit.Burst, t.Limit.Period.Microseconds())
		if !ok {
			return other(fmt.Errorf("limit %+v cannot be counted exactly; see limiter.Limit.Validate", t.Limit))
		}
		specs[i], keys[i] = spec, name(&t.Key)
		args = append(args, spec.Tick, spec.Refill, spec.Token, spec.Burst, t.Cost, shadowArg(t.Shadow))
	}
	reply, err := s.script.Run(ctx, *s.client.Load(), keys, args...).Int64Slice()
	if err != nil {
		return s.failed(err)
	}
	if len(reply) != 1+repliesPerKey*len(batch) {
		return other(fmt.Errorf("the script answered %d numbers for %d buckets", len(reply), len(batch)))
	}
	for i := range batch {
		at := 1 + repliesPerKey*i
		answers[i] = answer(specs[i], reply[0], reply[at:at+repliesPerKey], batch[i].Cost)
	}
	return nil
}

func shadowArg(shadow bool) int {
	if shadow {
		return 1
	}
	return 0
}

// answer turns a bucket's flags, debt and time into what the limiter tells.
func answer(spec bucket.Spec, now int64, reply []int64, cost int64) limiter.Answer {
	st := bucket.State{Debt: reply[1], Last: reply[2]}
	return limiter.Answer{
		Denied:    reply[0]&flagNoRoom != 0,
		Corrupt:   reply[0]&flagCorrupt != 0,
		Remaining: spec.Tokens(st),
		Wait:      micros(spec.Wait(st, cost, now)),
		Full:      micros(spec.Full(st, now)),
	}
}

// maxMicros is what a Duration can hold; longer waits are told as this.
const maxMicros = int64(1<<63-1) / int64(time.Microsecond)

func micros(n int64) time.Duration {
	return time.Duration(min(n, maxMicros)) * time.Microsecond
}

// name is a bucket's Redis key: the part in braces chooses the slot in a Cluster.
func name(k *limiter.Key) string {
	b := make([]byte, 0, len("rl:{.}:")+len(k.Policy)+2+len(k.Digest))
	b = append(b, "rl:{"...)
	b = append(b, k.Policy...)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(k.Partition), 10)
	b = append(b, "}:"...)
	return string(append(b, k.Digest[:]...))
}

// failed classifies an error and, where new credentials may help, has the
// connections made anew.
func (s *Store) failed(err error) error {
	reason := classify(err)
	if reason == limiter.ReasonAuth && s.link != nil {
		s.link.renew()
	}
	return &limiter.StoreError{Reason: reason, Err: err}
}

func other(err error) error {
	return &limiter.StoreError{Reason: limiter.ReasonOther, Err: err}
}

// errCredentials marks a password that could not be read.
var errCredentials = errors.New("redis credentials")
