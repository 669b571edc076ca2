package redisstore

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore/redistest"
)

// probeScript is the script with the test's clock in the place of the server's,
// and with the time to live written beside the value instead of being applied,
// since it would pass in real time.
func probeScript(t testing.TB) *redis.Script {
	t.Helper()
	replaced := func(text, old, with string) string {
		t.Helper()
		if strings.Count(text, old) != 1 {
			t.Fatalf("the script must have %q once", old)
		}
		return strings.Replace(text, old, with, 1)
	}
	text := replaced(decideSource, "redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
	text = replaced(text, "redis.call('SET', key, raw, 'PX', string.format('%.0f', ms))",
		"redis.call('MSET', key, raw, key .. ':ttl', string.format('%.0f', ms))")
	return redis.NewScript(text)
}

// drawScaled draws from 1 to most, small and huge numbers alike.
func drawScaled(t *rapid.T, most int64, label string) int64 {
	bits := rapid.IntRange(0, 40).Draw(t, label+" bits")
	return rapid.Int64Range(1, min(most, 1<<bits)).Draw(t, label)
}

// extremes are ordinary quotas and the corners of both grains.
var extremes = [][3]int64{
	{1, 1, 1000},
	{100, 20, 60_000_000},
	{1, 1, 86_400_000_000},
	{100_000, 100_000, 86_400_000_000},
	{1_000_000, 1_000_000, 86_400_000_000},
	{999_999_937, 142_694, 31_536_000_000_000},
	{1, 1, 31_536_000_000_000},
	{1, 1_000_000_000, 4_500_000_000},
	{999_999_937, 1_000_000_000, 4_500_000_000},
	{7, 1_000_000_000, 4_500_000},
	{7, 1_000_000_000, 4_501_000},
}

func drawSpec(t *rapid.T) bucket.Spec {
	var l [3]int64
	if i := rapid.IntRange(0, 2*len(extremes)).Draw(t, "extreme"); i < len(extremes) {
		l = extremes[i]
	} else {
		periodMillis := drawScaled(t, 31_536_000_000, "period ms")
		l = [3]int64{
			drawScaled(t, 1_000_000_000, "requests"),
			drawScaled(t, min(1_000_000_000, 4_500_000_000_000_000/periodMillis), "burst"),
			periodMillis * 1000,
		}
	}
	s, ok := bucket.Shared(l[0], l[1], l[2])
	if !ok {
		t.Fatalf("%v has no spec", l)
	}
	return s
}

// The script and the model agree on every decision, every debt, every stored
// byte and every time to live (P9): random limits of both grains, batches with
// shadows, limits that change under way, clocks that stand, run and step back,
// and values that are not the script's.
func TestScriptEqualsModel(t *testing.T) {
	client := redistest.Start(t).Client(t)
	script := probeScript(t)
	if err := script.Load(t.Context(), client).Err(); err != nil {
		t.Fatal(err)
	}
	decisions, conversions := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if err := client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		m := model{}
		specs := []bucket.Spec{drawSpec(t), drawSpec(t), drawSpec(t)}
		now := rapid.Int64Range(0, 1<<51).Draw(t, "start")
		// rapid draws the shape and shrinks it; the many steps come from a seed.
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 250 {
			takes := randomTakes(r, specs)
			now = randomStep(r, m, takes[0], now)
			for _, tk := range takes {
				if old, _, ok := decode(m[tk.key].raw); ok && old != tk.spec {
					conversions++
				}
			}
			compare(t, client, script, m, r.IntN(8) > 0, now, takes)
			decisions++
			if r.IntN(100) == 0 {
				spoil(t, r, client, m, takes[0].key)
			}
		}
	})
	t.Logf("%d decisions, %d changes of limits", decisions, conversions)
	if decisions < 20_000 {
		t.Errorf("only %d decisions", decisions)
	}
}

func randomTakes(r *rand.Rand, specs []bucket.Spec) []modelTake {
	takes := make([]modelTake, 1+r.IntN(4))
	first := r.IntN(6)
	for i := range takes {
		s := specs[0]
		if r.IntN(4) == 0 {
			s = specs[r.IntN(len(specs))]
		}
		cost := s.Burst
		if r.IntN(4) > 0 {
			cost = 1 + r.Int64N(1+(s.Burst-1)/int64(1+r.IntN(16)))
		}
		takes[i] = modelTake{key: "rl:{p.0}:" + strconv.Itoa((first+i)%6), spec: s, cost: cost, shadow: r.IntN(4) == 0}
	}
	return takes
}

// randomStep moves the clock: often to just before or at the moment when the
// first bucket has room.
func randomStep(r *rand.Rand, m model, t modelTake, now int64) int64 {
	step := int64(0)
	switch r.IntN(8) {
	case 0, 1:
		step = r.Int64N(2000)
	case 2, 3, 4:
		st, _, _ := m.load(t, now)
		step = max(0, t.spec.Wait(st, t.cost, now)-r.Int64N(3))
	case 5:
		step = r.Int64N(1 << (1 + r.IntN(45)))
	case 6:
		step = -r.Int64N(min(now+1, 2_000_000))
	}
	if now+step > 1<<53-1 {
		return now
	}
	return now + step
}

func compare(t *rapid.T, c *redis.Client, script *redis.Script, m model, change bool, now int64, takes []modelTake) {
	op := opPeek
	if change {
		op = opTake
	}
	keys, args := []string{}, []any{op}
	for _, tk := range takes {
		keys = append(keys, tk.key)
		args = append(args, tk.spec.Tick, tk.spec.Refill, tk.spec.Token, tk.spec.Burst, tk.cost, shadowArg(tk.shadow))
	}
	args = append(args, now/1_000_000, now%1_000_000)
	got, err := script.EvalSha(t.Context(), c, keys, args...).Int64Slice()
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{now}
	for _, r := range m.call(change, now, takes) {
		want = append(want, r.flags, r.debt, r.last)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s %+v at %d:\nscript %v\nmodel  %v", op, takes, now, got, want)
	}
	for _, tk := range takes {
		compareStored(t, c, m, tk.key)
	}
}

func compareStored(t *rapid.T, c *redis.Client, m model, key string) {
	got, err := c.MGet(t.Context(), key, key+":ttl").Result()
	if err != nil {
		t.Fatal(err)
	}
	value, known := m[key]
	if known != (got[0] != nil) {
		t.Fatalf("%s: stored %v, model has it: %v", key, got[0], known)
	}
	if known && (got[0] != value.raw || value.ttlMillis > 0 && got[1] != strconv.FormatInt(value.ttlMillis, 10)) {
		t.Fatalf("%s: stored %x for %v ms\nmodel %x for %d ms", key, got[0], got[1], value.raw, value.ttlMillis)
	}
}

// spoil stores something that the script did not write.
func spoil(t *rapid.T, r *rand.Rand, c *redis.Client, m model, key string) {
	raw := []byte(m[key].raw)
	switch {
	case len(raw) == 0 || r.IntN(4) == 0:
		raw = []byte("text")
	case r.IntN(4) == 0:
		raw = raw[:len(raw)-1]
	default:
		raw[r.IntN(len(raw))] ^= byte(1 + r.IntN(255))
	}
	m[key] = modelValue{raw: string(raw)}
	if err := c.Set(t.Context(), key, raw, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// Whatever bytes a key holds, the script reads them as the model does, answers
// numbers within bounds, and leaves a value that it can read.
func FuzzValue(f *testing.F) {
	spec, _ := bucket.Shared(100, 20, 60_000_000)
	coarse, _ := bucket.Shared(1, 1_000_000_000, 4_500_000_000)
	f.Add([]byte(""))
	f.Add([]byte("7:3:1"))
	f.Add([]byte(encode(spec, bucket.State{Debt: 5 * spec.Token, Last: 1_700_000_000_000_000})))
	f.Add([]byte(encode(coarse, bucket.State{Debt: coarse.Cap(), Last: 1_700_000_000_000_000})))
	f.Add([]byte(encode(spec, bucket.State{Debt: spec.Cap() + 1, Last: 0})))
	f.Add(append([]byte{2}, encode(spec, bucket.State{})[1:]...))
	client := redistest.Start(f).Client(f)
	script := probeScript(f)
	const now = 1_700_000_100_123_456
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx := t.Context()
		const key = "rl:{fuzz.0}:k"
		if err := client.Set(ctx, key, raw, 0).Err(); err != nil {
			t.Fatal(err)
		}
		m := model{key: {raw: string(raw)}}
		want := m.call(true, now, []modelTake{{key: key, spec: spec, cost: 1}})[0]
		got, err := script.Run(ctx, client, []string{key}, opTake,
			spec.Tick, spec.Refill, spec.Token, spec.Burst, 1, 0, now/1_000_000, now%1_000_000).Int64Slice()
		if err != nil {
			t.Fatal(err)
		}
		if (modelReply{got[1], got[2], got[3]}) != want {
			t.Fatalf("%x: script %v, model %+v", raw, got, want)
		}
		if got[2] < 0 || got[2] > spec.Cap() {
			t.Fatalf("%x: debt %d is out of bounds", raw, got[2])
		}
		if stored := client.Get(ctx, key).Val(); stored != m[key].raw {
			t.Fatalf("%x: left %x, model %x", raw, stored, m[key].raw)
		}
	})
}
