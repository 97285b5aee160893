package upstream

import (
	"context"
	"sync/atomic"
)

// A chain is a sequence of calls. Each call needed the response to the one before. Its length is
// tracked by a Lamport clock in the context of the calls and by the records that they return. It
// does not depend on when a call was made.

// chainClock is the number of calls that the next call of a context depends on. Branches of a
// request that run in parallel each need their own clock.
type chainClock struct{ calls atomic.Int64 }

// advance sets the clock to n unless it is already ahead.
func (c *chainClock) advance(n int) {
	for {
		now := c.calls.Load()
		if int64(n) <= now || c.calls.CompareAndSwap(now, int64(n)) {
			return
		}
	}
}

type chainKey struct{}

func chainClockOf(ctx context.Context) *chainClock {
	c, _ := ctx.Value(chainKey{}).(*chainClock)
	return c
}

// AfterChain returns a context whose next call depends on a chain of n calls. Consecutive calls
// with the context depend on each other.
func AfterChain(ctx context.Context, n int) context.Context {
	c := new(chainClock)
	c.advance(n)
	return context.WithValue(ctx, chainKey{}, c)
}

// ChainOf returns the number of calls that the next call of a context depends on. ok is false if
// the context does not count them.
func ChainOf(ctx context.Context) (n int, ok bool) {
	if c := chainClockOf(ctx); c != nil {
		return int(c.calls.Load()), true
	}
	return 0, false
}

// AwaitChain makes the next call of a context also depend on a chain of n calls.
func AwaitChain(ctx context.Context, n int) {
	if c := chainClockOf(ctx); c != nil {
		c.advance(n)
	}
}

// Chained is a record with the length of the chain of calls that fetched it.
type Chained interface{ Chain() int }

// Chain returns the length of the chain of calls that fetched the record, including the last one.
// It is 0 for parts of other records, and if the context does not count calls.
func (r *Row) Chain() int { return r.chain }
