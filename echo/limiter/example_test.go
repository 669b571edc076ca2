package limiter_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/echo-operator/echo-operator/echo/limiter"
)

// One rule in memory: each key has a bucket of its own.
func Example() {
	l, err := limiter.New(limiter.Policy{Rules: []limiter.Rule{{
		Name:  "per-client",
		Limit: limiter.Limit{Requests: 60, Burst: 2, Period: time.Minute},
	}}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // never fails without a store

	fmt.Println(l.Allow("alice"), l.Allow("alice"), l.Allow("alice"))
	fmt.Println(l.Allow("bob"))
	// Output:
	// true true false
	// true
}

// Several rules, an override, and what a decision tells the client.
func ExampleLimiter_Decide() {
	now := time.Hour // A clock that stands, so that the output is always the same.
	l, err := limiter.New(limiter.Policy{Rules: []limiter.Rule{
		{
			Name:  "per-client",
			Limit: limiter.Limit{Requests: 100, Burst: 1, Period: time.Minute},
			Overrides: []limiter.Override{{
				Name: "gold", Values: []string{"acme"},
				Limit: limiter.Limit{Requests: 1000, Burst: 100, Period: time.Minute},
			}},
		},
		{Name: "daily", Limit: limiter.Limit{Requests: 10_000, Burst: 10_000, Period: 24 * time.Hour}},
	}}, nil, limiter.WithClock(func() time.Duration { return now }))
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // never fails without a store

	ctx := context.Background()
	l.Decide(ctx, limiter.Request{Key: "carol"})
	d := l.Decide(ctx, limiter.Request{Key: "carol"})
	fmt.Println("carol may go on:", d.Allowed(), "- refused by", d.Rules[0].Rule, "- wait", d.RetryAfter)

	d = l.Decide(ctx, limiter.Request{Key: "acme"})
	q := d.Rules[0].Quota()
	fmt.Printf("acme may go on: %v - %q: %d left, %d each %ds\n", d.Allowed(), q.Rule, q.Available, q.PolicyQuota, q.PolicyWindowSeconds)
	// Output:
	// carol may go on: false - refused by per-client - wait 600ms
	// acme may go on: true - "per-client": 99 left, 1000 each 60s
}
