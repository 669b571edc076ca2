package redisstore

import (
	"encoding/binary"
	"math"

	"github.com/echo-operator/echo-operator/echo/limiter/internal/bucket"
)

// This is the script's behaviour written a second time, over the arithmetic that
// decides in memory. The tests compare the two bit for bit.

const (
	modelSize     = 34
	modelStepBack = 1_000_000
)

// modelTake is one bucket's part in a modelled call.
type modelTake struct {
	key    string
	spec   bucket.Spec
	cost   int64
	shadow bool
}

// modelReply is what the script says of one bucket.
type modelReply struct {
	flags, debt, last int64
}

// model is the content of a modelled Redis.
type model map[string]modelValue

type modelValue struct {
	raw string
	// ttlMillis is what the value was last written with.
	ttlMillis int64
}

func (m model) call(change bool, now int64, takes []modelTake) []modelReply {
	states := make([]bucket.State, len(takes))
	replies := make([]modelReply, len(takes))
	dirty := make([]bool, len(takes))
	admitted := true
	for i, t := range takes {
		states[i], replies[i].flags, dirty[i] = m.load(t, now)
		if !t.spec.HasRoom(states[i], t.cost) {
			replies[i].flags |= flagNoRoom
			admitted = admitted && t.shadow
		}
	}
	for i, t := range takes {
		if change && admitted && replies[i].flags&flagNoRoom == 0 {
			states[i], dirty[i] = t.spec.Take(states[i], t.cost), true
		}
		if change && dirty[i] {
			m[t.key] = modelValue{encode(t.spec, states[i]), ttlMillis(t.spec, states[i], now)}
		}
		replies[i].debt, replies[i].last = states[i].Debt, states[i].Last
	}
	return replies
}

func (m model) load(t modelTake, now int64) (st bucket.State, flags int64, dirty bool) {
	value, ok := m[t.key]
	if !ok || value.raw == "" {
		return t.spec.Fresh(now), 0, false
	}
	old, st, ok := decode(value.raw)
	switch {
	case !ok:
		return t.spec.Empty(now), flagCorrupt, true
	case old == t.spec:
		return settle(old, st, now), 0, false
	default:
		return t.spec.Convert(settle(old, st, now), old, now), 0, true
	}
}

// settle is bucket's, and takes over a clock that was set back by a second or more.
func settle(s bucket.Spec, st bucket.State, now int64) bucket.State {
	if at := now - now%s.Tick; at-st.Last <= -modelStepBack {
		return bucket.State{Debt: st.Debt, Last: at}
	}
	return s.Settle(st, now)
}

func encode(s bucket.Spec, st bucket.State) string {
	b := []byte{1, 0}
	if s.Tick == 1000 {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint32(b, uint32(s.Refill))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Burst))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Token))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Debt))
	return string(binary.BigEndian.AppendUint64(b, uint64(st.Last)))
}

func decode(raw string) (s bucket.Spec, st bucket.State, ok bool) {
	b := []byte(raw)
	if len(b) != modelSize || b[0] != 1 || b[1] > 1 {
		return s, st, false
	}
	s.Tick = 1
	if b[1] == 1 {
		s.Tick = 1000
	}
	refill, burst := uint64(binary.BigEndian.Uint32(b[2:])), uint64(binary.BigEndian.Uint32(b[6:]))
	token, debt, last := binary.BigEndian.Uint64(b[10:]), binary.BigEndian.Uint64(b[18:]), binary.BigEndian.Uint64(b[26:])
	const maxDebt, maxCount, maxTime = 4_500_000_000_000_000, 1_000_000_000, 1<<53 - 1
	if refill < 1 || refill > maxCount || burst < 1 || burst > maxCount || token < 1 || token > maxDebt/burst {
		return s, st, false
	}
	if debt > burst*token || last > maxTime || last%uint64(s.Tick) != 0 {
		return s, st, false
	}
	s.Refill, s.Burst, s.Token = int64(refill), int64(burst), int64(token)
	return s, bucket.State{Debt: int64(debt), Last: int64(last)}, true
}

// ttlMillis is how long a value is kept: until its bucket is full, and no less.
func ttlMillis(s bucket.Spec, st bucket.State, now int64) int64 {
	ticks := (st.Debt+s.Refill-1)/s.Refill + 1
	ms := int64(math.Ceil(float64(ticks) * float64(s.Tick) / 1000))
	if s.Tick == 1000 {
		ms = ticks
	}
	if ahead := st.Last - now; ahead > 0 {
		ms += (ahead + 999) / 1000
	}
	return ms
}
