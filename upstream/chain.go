package upstream

import (
	"context"
	"sync/atomic"
)

// A chain is a number of calls each of which needed the answer of the one before it. How long the
// chain is that leads to a call is known by a Lamport clock in the call's context and by the
// records that the call answers with, and not by the time at which it was made.

// chainClock is how many calls the next one of a context depends on. Branches of a request that
// run side by side each need one of their own.
type chainClock struct{ calls atomic.Int64 }

// advance puts the clock forward, unless it is ahead already.
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

// AfterChain returns a context whose next call depends on a chain of n calls. Calls that are made
// with it one after another depend on each other.
func AfterChain(ctx context.Context, n int) context.Context {
	c := new(chainClock)
	c.advance(n)
	return context.WithValue(ctx, chainKey{}, c)
}

// ChainOf returns how many calls the next one of a context depends on. ok is false if the context
// does not count them.
func ChainOf(ctx context.Context) (n int, ok bool) {
	if c := chainClockOf(ctx); c != nil {
		return int(c.calls.Load()), true
	}
	return 0, false
}

// AwaitChain makes the next call of a context depend on a chain of n calls as well.
func AwaitChain(ctx context.Context, n int) {
	if c := chainClockOf(ctx); c != nil {
		c.advance(n)
	}
}

// Chained is a record that knows how long the chain of calls was that brought it.
type Chained interface{ Chain() int }

// Chain returns how many calls it took one after another to get the record, the last one
// included. It is 0 for what is part of another record, and where nobody counts.
func (r *Row) Chain() int { return r.chain }
