package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// slow is a limit whose bucket does not refill while a test runs.
var slow = limiter.Limit{Requests: 1, Burst: 3, Period: 24 * time.Hour}

func key(name string) limiter.Key {
	k := limiter.Key{Policy: "test", Partition: 7}
	copy(k.Digest[:], name+strings.Repeat("-", len(k.Digest)))
	return k
}

func take(name string, l limiter.Limit, cost int64) limiter.Take {
	return limiter.Take{Key: key(name), Limit: l, Cost: cost}
}

func decide(t *testing.T, s *redisstore.Store, batch ...limiter.Take) []limiter.Answer {
	t.Helper()
	answers := make([]limiter.Answer, len(batch))
	if err := s.Take(t.Context(), batch, answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// A batch takes from all its buckets or from none, and a bucket with room keeps
// its tokens when another refuses.
func TestBatchIsAllOrNothing(t *testing.T) {
	s := redisstore.New(redistest.Start(t).Client(t))
	one := limiter.Limit{Requests: 1, Burst: 1, Period: time.Hour}
	a := decide(t, s, take("wide", slow, 1), take("tight", one, 1))
	if a[0].Denied || a[1].Denied || a[0].Remaining != 2 || a[1].Remaining != 0 {
		t.Fatalf("first: %+v", a)
	}
	a = decide(t, s, take("wide", slow, 1), take("tight", one, 1))
	if a[0].Denied || !a[1].Denied || a[0].Remaining != 2 {
		t.Errorf("second: %+v, want the tight one to refuse and the wide one to keep its 2", a)
	}
	if a[1].Wait <= 59*time.Minute || a[1].Wait > time.Hour {
		t.Errorf("wait %s, want nearly an hour", a[1].Wait)
	}
	if a[0].Full <= 23*time.Hour || a[0].Full > 24*time.Hour {
		t.Errorf("full in %s, want nearly a day", a[0].Full)
	}
}

// A shadow bucket refuses nobody, takes when the others admit, and takes nothing
// when they do not.
func TestShadowTakesByItself(t *testing.T) {
	s := redisstore.New(redistest.Start(t).Client(t))
	one := limiter.Limit{Requests: 1, Burst: 1, Period: time.Hour}
	shadow := func(name string, l limiter.Limit) limiter.Take {
		tk := take(name, l, 1)
		tk.Shadow = true
		return tk
	}
	decide(t, s, shadow("watch", one), take("hold", slow, 1))
	a := decide(t, s, shadow("watch", one), take("hold", slow, 1))
	if !a[0].Denied || a[1].Denied || a[1].Remaining != 1 {
		t.Errorf("%+v, want the shadow refused and the other taken", a)
	}
	a = decide(t, s, shadow("watch2", one), take("hold", slow, 3))
	if a[0].Remaining != 1 || !a[1].Denied {
		t.Errorf("%+v, want a refusal that costs the shadow nothing", a)
	}
}

// Keys have the form that is promised, live only as long as their debt, and a
// refusal writes nothing.
func TestKeysAndTimeToLive(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	minute := limiter.Limit{Requests: 60, Burst: 60, Period: time.Minute}
	decide(t, s, take("k", minute, 30))
	const name = "rl:{test.7}:k---------------------"
	if keys := c.Keys(t.Context(), "*").Val(); len(keys) != 1 || keys[0] != name {
		t.Fatalf("keys %q, want only %q", keys, name)
	}
	ttl := c.PTTL(t.Context(), name).Val()
	if ttl <= 25*time.Second || ttl > 30*time.Second+2*time.Millisecond {
		t.Errorf("time to live %s, want the 30s until the bucket is full", ttl)
	}
	before := c.Get(t.Context(), name).Val()
	decide(t, s, take("k", minute, 60))
	if c.Get(t.Context(), name).Val() != before {
		t.Error("a refused request changed the stored value")
	}
}

// A limit that changed is taken over at the first touch, even when that touch is
// refused: the value then carries the new limit.
func TestChangeIsWrittenOnRefusal(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	decide(t, s, take("k", slow, 3))
	before := c.Get(t.Context(), "rl:{test.7}:k---------------------").Val()
	faster := limiter.Limit{Requests: 10, Burst: 3, Period: 24 * time.Hour}
	if a := decide(t, s, take("k", faster, 1)); !a[0].Denied {
		t.Fatal("the change of limits gave tokens away")
	}
	after := c.Get(t.Context(), "rl:{test.7}:k---------------------").Val()
	if after == before {
		t.Error("the refused request left the old limit in the value")
	}
}

// A value that cannot be read counts as an empty bucket and says so, once.
func TestCorruptValueRefuses(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	const name = "rl:{test.7}:k---------------------"
	for what, spoil := range map[string]func() error{
		"text":       func() error { return c.Set(t.Context(), name, "17", 0).Err() },
		"other type": func() error { return c.LPush(t.Context(), name, "x").Err() },
	} {
		t.Run(what, func(t *testing.T) {
			c.Del(t.Context(), name)
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			a := decide(t, s, take("k", slow, 1))
			if !a[0].Corrupt || !a[0].Denied || a[0].Wait > 24*time.Hour {
				t.Errorf("%+v, want a refusal that says corrupt, with a wait of a token's time", a[0])
			}
			if a = decide(t, s, take("k", slow, 1)); a[0].Corrupt || !a[0].Denied {
				t.Errorf("%+v, want it replaced by an empty bucket", a[0])
			}
		})
	}
}

// Peek tells and changes nothing; Reset fills.
func TestPeekAndReset(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	a := make([]limiter.Answer, 1)
	batch := []limiter.Take{take("k", slow, 1)}
	if err := s.Peek(t.Context(), batch, a); err != nil || a[0].Denied || a[0].Remaining != 3 {
		t.Fatalf("peek at nothing: %+v %v", a, err)
	}
	if n := c.DBSize(t.Context()).Val(); n != 0 {
		t.Fatalf("peek wrote %d keys", n)
	}
	decide(t, s, take("k", slow, 3))
	if err := s.Peek(t.Context(), batch, a); err != nil || !a[0].Denied {
		t.Errorf("peek at an empty bucket: %+v %v", a, err)
	}
	if err := s.Reset(t.Context(), []limiter.Key{key("k")}); err != nil {
		t.Fatal(err)
	}
	if a := decide(t, s, take("k", slow, 3)); a[0].Denied {
		t.Error("the bucket is not full after a reset")
	}
}

// A server that lost its scripts is given them again within the same decision.
func TestScriptIsLoadedAgain(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	decide(t, s, take("k", slow, 1))
	if err := c.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if a := decide(t, s, take("k", slow, 1)); a[0].Remaining != 1 {
		t.Errorf("%+v, want the second token taken", a[0])
	}
}

// Many goroutines on one bucket, through the server's own clock, admit the burst
// and what the time earned, and no more.
func TestConcurrentAdmitsExactly(t *testing.T) {
	server := redistest.Start(t)
	c := server.Client(t)
	s := redisstore.New(c)
	l := limiter.Limit{Requests: 1000, Burst: 100, Period: time.Second}
	begin := c.Time(t.Context()).Val()
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			a := make([]limiter.Answer, 1)
			for range 500 {
				if err := s.Take(context.Background(), []limiter.Take{take("hot", l, 1)}, a); err != nil {
					t.Error(err)
					return
				}
				if !a[0].Denied {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	elapsed := c.Time(t.Context()).Val().Sub(begin)
	bound := 100 + elapsed.Seconds()*1000
	if n := float64(admitted.Load()); n > bound || n < 100 {
		t.Errorf("admitted %v in %s, want from 100 to %v", n, elapsed, bound)
	}
}

// Failures carry their reason, and a failed call returns by its deadline.
func TestFailuresHaveReasons(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, s *redistest.Server)
		want  limiter.StoreErrorReason
	}{
		"killed": {func(_ *testing.T, s *redistest.Server) { s.Kill() }, limiter.ReasonConnection},
		"hung":   {func(_ *testing.T, s *redistest.Server) { s.Pause() }, limiter.ReasonTimeout},
		"out of memory": {func(t *testing.T, s *redistest.Server) {
			configure(t, s, "maxmemory", "1")
		}, limiter.ReasonMemory},
		"read-only": {func(t *testing.T, s *redistest.Server) {
			if err := s.Client(t).ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
				t.Fatal(err)
			}
		}, limiter.ReasonReadOnly},
		"no rights": {func(t *testing.T, s *redistest.Server) {
			if err := s.Client(t).ACLSetUser(t.Context(), "default", "-evalsha", "-eval").Err(); err != nil {
				t.Fatal(err)
			}
		}, limiter.ReasonAuth},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, redisstore.Config{URL: server.URL()})
			decide(t, s, take("k", slow, 1))
			c.spoil(t, server)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := s.Ping(ctx)
			var se *limiter.StoreError
			if !errors.As(err, &se) || se.Reason != c.want {
				t.Errorf("got %v, want the reason %s", err, c.want)
			}
		})
	}
}

func configure(t *testing.T, s *redistest.Server, name, value string) {
	t.Helper()
	if err := s.Client(t).ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, c redisstore.Config) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A store over somebody else's client does not close it.
func TestCloseLeavesCallersClient(t *testing.T) {
	c := redistest.Start(t).Client(t)
	s := redisstore.New(c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the caller's client was closed: %v", err)
	}
}
