package controllers

import (
	"math/rand/v2"
	"time"

	"github.com/echo-operator/echo-operator/echo/config"
)

// settledDelay is how long a pod that runs what it should is left alone; 0 when it does not.
func settledDelay(answer Answer, wantHash string) time.Duration {
	switch {
	case answer.Err != nil || answer.Config.Hash != wantHash:
		return 0
	case answer.Config.Store.State == config.StoreStateFallback:
		return jittered(time.Second)
	default:
		return jittered(proberRecheck)
	}
}

// unsettledDelay is short at first, when an edit is on its way into the pod, and
// grows to seconds, so that a pod that never settles costs little.
func unsettledDelay(answer Answer, tries int) time.Duration {
	if answer.Err == nil && tries <= 20 {
		return 50 * time.Millisecond
	}
	shift := min(max(tries-20, 0), 7)
	if answer.Err != nil {
		shift = min(tries, 8)
	}
	return jittered(100 * time.Millisecond << shift)
}

func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/5+1)) //nolint:gosec // spreads load, hides nothing
}

// materiallyDifferent tells answers apart by what a status could say of them.
func materiallyDifferent(old, now Answer) bool {
	if old.At.IsZero() || (old.Err == nil) != (now.Err == nil) {
		return true
	}
	a, b := old.Config, now.Config
	return a.Hash != b.Hash || a.LimitsHash != b.LimitsHash || a.Pod != b.Pod ||
		a.Store != b.Store || lastErrorOf(a) != lastErrorOf(b)
}

func lastErrorOf(c config.Configz) config.ConfigzError {
	if c.LastError == nil {
		return config.ConfigzError{}
	}
	return *c.LastError
}
