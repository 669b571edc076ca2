package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/echo-operator/echo-operator/echo/config"
)

// askerFunc answers as it is told and notes how many questions overlap.
type askerFunc struct {
	answer func(ctx context.Context, target Target) (config.Configz, error)

	mu          sync.Mutex
	inFlight    int
	most        int
	byNamespace map[string]int
	mostOfOne   int
	asked       map[string]int
}

func (a *askerFunc) Ask(ctx context.Context, target Target) (config.Configz, error) {
	a.mu.Lock()
	if a.asked == nil {
		a.asked, a.byNamespace = map[string]int{}, map[string]int{}
	}
	a.asked[target.Name]++
	a.inFlight++
	a.byNamespace[target.Namespace]++
	a.most = max(a.most, a.inFlight)
	a.mostOfOne = max(a.mostOfOne, a.byNamespace[target.Namespace])
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.inFlight--
		a.byNamespace[target.Namespace]--
	}()
	return a.answer(ctx, target)
}

func (a *askerFunc) times(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[name]
}

func silent(ctx context.Context, _ Target) (config.Configz, error) {
	<-ctx.Done()
	return config.Configz{}, ctx.Err()
}

func runs(hash string) func(context.Context, Target) (config.Configz, error) {
	return func(context.Context, Target) (config.Configz, error) { return config.Configz{Hash: hash}, nil }
}

func targets(namespace string, count int) []Target {
	var result []Target
	for i := range count {
		name := fmt.Sprintf("%s-%d", namespace, i)
		result = append(result, Target{UID: types.UID(name), Namespace: namespace, Name: name, Address: "192.0.2.1"})
	}
	return result
}

func key(namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: "policy"}
}

// started runs a prober inside a synctest bubble until the test ends.
func started(t *testing.T, asker Asker) *Prober {
	t.Helper()
	p := NewProber(asker, clock.RealClock{}, func(context.Context, types.NamespacedName) {})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

// Proves the prober's width: 32 questions in all, 4 of one policy, and half of
// them at most for pods that failed last time.
func TestProberBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asker := &askerFunc{answer: silent}
		p := started(t, asker)
		for i := range 20 {
			ns := fmt.Sprintf("ns%d", i)
			p.Watch(key(ns), "want", targets(ns, 10))
		}
		time.Sleep(proberTimeout / 2)
		asker.mu.Lock()
		if asker.most != proberInFlight || asker.mostOfOne != proberPerPolicy {
			t.Errorf("%d questions in flight, %d of one policy; want %d and %d", asker.most, asker.mostOfOne, proberInFlight, proberPerPolicy)
		}
		asker.mu.Unlock()
		time.Sleep(20 * time.Second) // every pod failed at least once by now
		asker.mu.Lock()
		asker.most = 0
		asker.mu.Unlock()
		time.Sleep(20 * time.Second)
		asker.mu.Lock()
		defer asker.mu.Unlock()
		if asker.most > proberFailingInFlight {
			t.Errorf("%d questions to failing pods in flight, want at most %d", asker.most, proberFailingInFlight)
		}
	})
}

// Proves that pods which do not answer hold up nobody else: with hundreds of
// them, a new policy's pods are asked at once.
func TestProberIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asker := &askerFunc{answer: func(ctx context.Context, target Target) (config.Configz, error) {
			if target.Namespace == "good" {
				return config.Configz{Hash: "want"}, nil
			}
			return silent(ctx, target)
		}}
		p := started(t, asker)
		for i := range 30 {
			ns := fmt.Sprintf("bad%d", i)
			p.Watch(key(ns), "want", targets(ns, 20))
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		p.Watch(key("good"), "want", targets("good", 3))
		for len(p.Answers(key("good"))) < 3 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begin); took > 20*time.Millisecond {
			t.Errorf("the good policy's pods were heard after %v, want at once", took)
		}
	})
}

// Proves the pace: settled pods are left alone for half a minute, a new hash
// has them asked at once, lagging ones often.
func TestProberPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asker := &askerFunc{answer: runs("one")}
		p := started(t, asker)
		p.Watch(key("a"), "one", targets("a", 1))
		time.Sleep(10 * time.Second)
		if n := asker.times("a-0"); n != 1 {
			t.Errorf("a settled pod was asked %d times in 10 s, want once", n)
		}
		p.Watch(key("a"), "two", targets("a", 1))
		time.Sleep(time.Second)
		if n := asker.times("a-0"); n < 15 {
			t.Errorf("a lagging pod was asked %d times in its first second, want about 20", n)
		}
		p.Watch(key("a"), "one", targets("a", 1))
		time.Sleep(time.Second)
		settled := asker.times("a-0")
		p.Recheck(key("a"))
		time.Sleep(time.Second)
		if n := asker.times("a-0"); n != settled+1 {
			t.Errorf("a recheck asked %d times, want once", n-settled)
		}
	})
}

// Proves that a pod which is gone, or whose policy is, is asked no more and its answer forgotten.
func TestProberForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asker := &askerFunc{answer: func(context.Context, Target) (config.Configz, error) {
			return config.Configz{}, errors.New("refused")
		}}
		p := started(t, asker)
		p.Watch(key("a"), "want", targets("a", 2))
		p.Watch(key("b"), "want", targets("b", 1))
		time.Sleep(5 * time.Second)
		p.Watch(key("a"), "want", targets("a", 1))
		p.Forget(key("b"))
		gone, forgotten := asker.times("a-1"), asker.times("b-0")
		time.Sleep(time.Minute)
		if asker.times("a-1") != gone || asker.times("b-0") != forgotten {
			t.Error("a pod that is gone was asked again")
		}
		if answers := p.Answers(key("a")); len(answers) != 1 {
			t.Errorf("%d answers, want the one of the pod that is left", len(answers))
		}
		if p.HeardAll(key("b")) || !p.HeardAll(key("a")) {
			t.Error("HeardAll must hold for watched policies whose pods were all asked, and no others")
		}
	})
}

// Proves that only what a status could say of a pod makes its policy look again.
func TestProberNotifiesOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var hash, state string
		news := 0
		asker := &askerFunc{answer: func(context.Context, Target) (config.Configz, error) {
			mu.Lock()
			defer mu.Unlock()
			return config.Configz{Hash: hash, LoadedAt: time.Now(), Store: config.ConfigzStore{State: state}}, nil
		}}
		p := NewProber(asker, clock.RealClock{}, func(context.Context, types.NamespacedName) {
			mu.Lock()
			defer mu.Unlock()
			news++
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = p.Start(ctx) }()
		p.Watch(key("a"), "want", targets("a", 1))
		expect := func(want int, why string) {
			t.Helper()
			time.Sleep(time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if news != want {
				t.Errorf("%d notices after %s, want %d", news, why, want)
			}
		}
		expect(1, "the first answer")
		mu.Lock()
		hash = "want"
		mu.Unlock()
		expect(2, "another hash")
		mu.Lock()
		state = config.StoreStateFallback
		mu.Unlock()
		expect(3, "another store state")
		cancel()
		<-done
	})
}

// Proves that what another pod says at a reused address is not taken for an answer.
func TestParseConfigz(t *testing.T) {
	target := Target{UID: "right", Name: "pod", Address: "192.0.2.1"}
	for name, test := range map[string]struct {
		body string
		ok   bool
	}{
		"the pod itself": {`{"pod":{"uid":"right"},"hash":"h"}`, true},
		"another pod":    {`{"pod":{"uid":"wrong"},"hash":"h"}`, false},
		"no pod at all":  {`<html>`, false},
		"too much":       {`{"pod":{"uid":"right"},"hash":"` + string(make([]byte, maxConfigzBytes)) + `"}`, false},
	} {
		if _, err := parseConfigz([]byte(test.body), target); (err == nil) != test.ok {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
