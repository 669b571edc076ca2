package limiter

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// keyOf is a key whose bucket lies anywhere.
func keyOf(i int) Key {
	var k Key
	binary.LittleEndian.PutUint64(k.Digest[:], uint64(i))
	return k
}

func testPlan(t *table, l Limit) *plan {
	spec, err := l.spec()
	if err != nil {
		panic(err)
	}
	return &plan{limit: l, local: spec, id: t.specs.id(spec)}
}

func takeOne(t *table, p *plan, k Key, cost, now int64) Answer {
	var b batch
	b.add(Take{Key: k, Limit: p.limit, Cost: cost}, p)
	t.decide(&b, t.epoch.Load(), now, false)
	return b.answers[0]
}

var hourly = Limit{Requests: 10, Burst: 10, Period: time.Hour}

// A table never holds more than it is made for, and says what it forgot.
func TestTableIsBounded(t *testing.T) {
	tab := newTable(1000)
	p := testPlan(tab, hourly)
	const clients = 100_000
	for i := range clients {
		takeOne(tab, p, keyOf(i), 1, 0)
	}
	s := tab.stats()
	if s.MaxClients != 1000 || s.TrackedClients != 1000 {
		t.Errorf("%d of %d clients tracked, want 1000", s.TrackedClients, s.MaxClients)
	}
	if s.EvictedLossy != clients-1000 || s.EvictedLossless != 0 {
		t.Errorf("evictions %+v, want %d lossy ones", s, clients-1000)
	}
}

// An entry has no pointer and is as small as is documented.
func TestEntrySize(t *testing.T) {
	if n := unsafe.Sizeof(set{}); n > 40*ways {
		t.Errorf("%d bytes for %d entries, want at most 40 each", n, ways)
	}
}

// Full buckets make room first, and nobody can tell (P12); else the one with the
// least debt goes.
func TestLeastDebtMakesRoom(t *testing.T) {
	tab := newTable(ways)
	p := testPlan(tab, hourly)
	hour := int64(time.Hour)
	for i := range ways {
		takeOne(tab, p, keyOf(i), int64(ways-i), 0) // the last owes 1 token, the first 8
	}
	takeOne(tab, p, keyOf(100), 10, 0)
	if s := tab.stats(); s.EvictedLossy != 1 || s.EvictedLossless != 0 {
		t.Fatalf("evictions %+v, want one lossy", s)
	}
	if a := takeOne(tab, p, keyOf(0), 1, 0); a.Remaining != 10-ways-1 {
		t.Errorf("the bucket with the most debt has %d tokens, want it kept", a.Remaining)
	}
	takeOne(tab, p, keyOf(101), 10, hour/2) // five tokens are paid back: some are full
	if s := tab.stats(); s.EvictedLossy != 1 || s.EvictedLossless != 1 {
		t.Errorf("evictions %+v, want a full bucket to go", s)
	}
}

// A batch does not evict the buckets that it has just made, though they owe least.
func TestBatchKeepsItsOwnBuckets(t *testing.T) {
	tab := newTable(ways)
	p := testPlan(tab, hourly)
	for i := range ways {
		takeOne(tab, p, keyOf(i), 5, 0)
	}
	var b batch
	for i := range 3 {
		b.add(Take{Key: keyOf(100 + i), Limit: hourly, Cost: 1}, p)
	}
	tab.decide(&b, 0, 0, false)
	for i := range 3 {
		if a := takeOne(tab, p, keyOf(100+i), 1, 0); a.Remaining != 8 {
			t.Errorf("bucket %d has %d tokens, want 8: it was forgotten", i, a.Remaining)
		}
	}
}

// More buckets in a batch than entries are no trouble.
func TestBatchLargerThanTable(t *testing.T) {
	tab := newTable(ways)
	p := testPlan(tab, hourly)
	var b batch
	for i := range 3 * ways {
		b.add(Take{Key: keyOf(i), Limit: hourly, Cost: 1}, p)
	}
	if !tab.decide(&b, 0, 0, false) {
		t.Fatal("not decided")
	}
	for i, a := range b.answers {
		if a.Denied || a.Remaining != 9 {
			t.Fatalf("bucket %d: %+v", i, a)
		}
	}
	if s := tab.stats(); s.TrackedClients != ways {
		t.Errorf("%d tracked", s.TrackedClients)
	}
}

// Batches that need the same sets in different orders do not wait for each other.
func TestBatchesDoNotDeadlock(t *testing.T) {
	tab := newTable(1024)
	p := testPlan(tab, hourly)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				var b batch
				for j := range 16 {
					b.add(Take{Key: keyOf((i*7 + j*(2*g+1)) % 32), Limit: hourly, Cost: 1}, p)
				}
				tab.decide(&b, 0, int64(i), false)
			}
		})
	}
	wg.Wait()
	if n := tab.stats().TrackedClients; n != 32 {
		t.Errorf("%d clients tracked, want the 32 that asked", n)
	}
}

// Limits that nothing uses any more are forgotten, and one that a bucket still
// needs is not.
func TestUnusedSpecsAreForgotten(t *testing.T) {
	tab := newTable(64)
	policy := func(requests int64) *compiled {
		c, err := compile(Policy{Rules: []Rule{{Name: "r", Limit: Limit{Requests: requests, Burst: 10, Period: MaxPeriod}}}}, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := policy(1)
	tab.publish(first, 0, func(*compiled) {})
	takeOne(tab, &first.rules[0].limit, keyOf(1), 4, 0)
	var last *compiled
	for i := range int64(10_000) {
		last = policy(i + 2)
		tab.publish(last, 0, func(*compiled) {})
	}
	if n := tab.specs.size(); n > sweepAbove+1 {
		t.Errorf("%d limits are kept, want at most %d", n, sweepAbove+1)
	}
	if n := len(*tab.specs.specs.Load()); n > sweepAbove+2 {
		t.Errorf("numbers go up to %d: freed ones are not used again", n)
	}
	if a := takeOne(tab, &last.rules[0].limit, keyOf(1), 1, 0); a.Remaining != 5 {
		t.Errorf("%d tokens left, want the bucket of the first limit carried over with 5", a.Remaining)
	}
	// A decision that still holds a policy from before a sweep must start over.
	var b batch
	b.add(Take{Key: keyOf(2), Limit: hourly, Cost: 1}, &first.rules[0].limit)
	if tab.decide(&b, first.epoch, 0, false) {
		t.Error("a policy from before a sweep was decided by")
	}
}

// The names of buckets are a contract between processes and releases.
func TestKeyIsStable(t *testing.T) {
	k, _ := newKey(nil, shortID("3f1c2ab4-0000-4000-8000-000000000000"),
		keyPrefix("3f1c2ab4-0000-4000-8000-000000000000", "per-key"), []string{"acme", "GET"})
	const want = "3f1c2ab4.18:Q4pRjuzdVYb7rYQVb6gy-f"
	if got := k.Policy + "." + string(rune('0'+k.Partition/10)) + string(rune('0'+k.Partition%10)) + ":" + string(k.Digest[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// No two lists of parts, nor a part that moves between rule and key, share a bucket.
func TestKeysAreUnambiguous(t *testing.T) {
	seen := map[Key]string{}
	for _, c := range []struct {
		id, rule string
		parts    []string
	}{
		{"p", "r", nil},
		{"p", "r", []string{""}},
		{"p", "r", []string{"", ""}},
		{"p", "r", []string{"ab"}},
		{"p", "r", []string{"a", "b"}},
		{"p", "r", []string{"\x01a"}},
		{"p", "ra", []string{"b"}},
		{"pr", "", []string{"ab"}},
		{"p", "", []string{"r", "ab"}},
	} {
		k, _ := newKey(nil, "x", keyPrefix(c.id, c.rule), c.parts)
		k.Partition = 0
		name := c.id + "/" + c.rule
		if other, taken := seen[k]; taken {
			t.Errorf("%s %q has the bucket of %s", name, c.parts, other)
		}
		seen[k] = name
	}
}

// Rules that are keyed alike lie in one partition, and clients are spread evenly.
func TestPartitions(t *testing.T) {
	var counts [partitions]int
	const clients = 64_000
	for i := range clients {
		part := []string{"client-" + string(rune('a'+i%26)) + time.Duration(i).String()}
		a, _ := newKey(nil, "x", keyPrefix("p", "one"), part)
		b, _ := newKey(nil, "x", keyPrefix("p", "two"), part)
		if a.Partition != b.Partition {
			t.Fatal("two rules put one client in two partitions")
		}
		counts[a.Partition]++
	}
	for i, n := range counts {
		if n < clients/partitions*8/10 || n > clients/partitions*12/10 {
			t.Errorf("partition %d holds %d of %d clients", i, n, clients)
		}
	}
}

// The short ID is readable and cannot break out of a store's hash tag.
func TestShortID(t *testing.T) {
	for id, want := range map[string]string{
		"3f1c2ab4-0000-4000-8000-000000000000": "3f1c2ab4",
		"standalone":                           "standalone",
		"a}b{c:d":                              "a_b_c_d",
		"averylongpolicyidentifier":            "averylongpol",
		"-x":                                   "",
		"müller":                               "m_ller",
	} {
		if got := shortID(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

// A giant key is decided like any other and leaves no giant buffer behind.
func TestGiantKey(t *testing.T) {
	k, buf := newKey(nil, "x", nil, []string{string(make([]byte, 1<<20))})
	if cap(buf) > maxKeptKeyBytes {
		t.Errorf("%d bytes are kept", cap(buf))
	}
	if k.Digest == (Key{}).Digest {
		t.Error("no digest")
	}
}
