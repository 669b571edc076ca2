package harness

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// The decisions lie between the first answer and the last request at least, and
// between the first request and the last answer at most.
func TestTallyBounds(t *testing.T) {
	at := func(seconds float64) time.Time { return time.Unix(1000, int64(seconds*1e9)) }
	var tally Tally
	tally.add(Reply{Status: 200, Sent: at(0), Received: at(1)}, nil)
	tally.add(Reply{Status: 429, Sent: at(9), Received: at(10)}, nil)
	tally.finish()
	least, most := tally.Bounds(100, 10)
	if math.Abs(least-180) > 1e-6 || math.Abs(most-200) > 1e-6 {
		t.Errorf("got %v to %v, expected 180 to 200", least, most)
	}
	if tally.Admitted != 1 || tally.Denied != 1 || tally.AllAnswered() != nil {
		t.Errorf("got %+v", tally)
	}
	tally.add(Reply{}, errors.New("refused"))
	tally.add(Reply{Status: 500, Sent: at(9), Received: at(10)}, nil)
	if tally.AllAnswered() == nil || tally.Failed != 1 || tally.Others != 1 {
		t.Errorf("got %+v, expected a failure and another answer", tally)
	}
}

// A flood offers just as many requests as its rate and length say.
func TestPaceOffersAll(t *testing.T) {
	turns := make(chan int, 1000)
	pace(t.Context(), Flood{PerSecond: 5000, For: 100 * time.Millisecond}, turns)
	if len(turns) != 500 {
		t.Errorf("got %d turns, expected 500", len(turns))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	pace(ended, Flood{PerSecond: 1, For: time.Hour}, turns) // or this would not return
}
