// Package flight coalesces identical concurrent requests into one execution.
//
// Unlike golang.org/x/sync/singleflight, a caller can give up without failing the others. The
// execution is cancelled when the last caller has given up, and can read the latest deadline of
// its callers.
package flight

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Group is a set of flights, at most one for each key. The zero Group is empty and ready to use.
// It is safe for concurrent use.
type Group[K comparable, V any] struct {
	mu      sync.Mutex
	flights map[K]*Flight[K, V]
}

// Flight is one execution and the callers that wait for its result.
type Flight[K comparable, V any] struct {
	// Leader is the context of the caller that began the flight.
	Leader context.Context //nolint:containedctx // of a caller that is being answered

	group  *Group[K, V]
	key    K
	ctx    context.Context //nolint:containedctx // of the execution
	cancel context.CancelFunc
	done   chan struct{} // closed when result is set
	result V

	waiters  int       // guarded by group.mu
	shared   bool      // guarded by group.mu
	deadline time.Time // the latest deadline of the callers, zero if one has none; guarded by group.mu
}

// Join returns the flight for a key, and reports whether this call began it. The caller that began
// a flight must call [Flight.Run]. Every caller must call [Flight.Wait] or [Flight.Leave].
func (g *Group[K, V]) Join(ctx context.Context, key K) (f *Flight[K, V], began bool) {
	until, _ := ctx.Deadline()
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flights[key]; f != nil {
		f.waiters++
		f.shared = true
		if until.IsZero() || !f.deadline.IsZero() && until.After(f.deadline) {
			f.deadline = until
		}
		return f, false
	}
	f = &Flight[K, V]{Leader: ctx, group: g, key: key, done: make(chan struct{}), waiters: 1, deadline: until}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // Run calls it
	if g.flights == nil {
		g.flights = make(map[K]*Flight[K, V])
	}
	g.flights[key] = f
	return f, true
}

// Run executes the flight. It must be called once. The context of execute has the values of the
// leader's context, and ends when no caller waits any more. until returns the latest deadline of the
// callers, which later callers extend; zero is no deadline. If execute panics, the other callers get
// a zero result.
func (f *Flight[K, V]) Run(execute func(ctx context.Context, until func() time.Time) V) {
	defer func() {
		f.group.mu.Lock()
		f.remove()
		f.group.mu.Unlock()
		close(f.done)
		f.cancel()
	}()
	f.result = execute(f.ctx, f.latest)
}

// Wait returns the flight's result, which all callers share. If ctx ends first, Wait leaves the
// flight and returns the cause.
func (f *Flight[K, V]) Wait(ctx context.Context) (result V, err error) {
	select {
	case <-f.done:
		return f.result, nil
	case <-ctx.Done():
		f.Leave()
		return result, context.Cause(ctx)
	}
}

// Shared reports whether several callers have joined the flight.
func (f *Flight[K, V]) Shared() bool {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	return f.shared
}

// Leave stops waiting. The execution is cancelled when all callers have left.
func (f *Flight[K, V]) Leave() {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.remove()
		f.cancel()
	}
}

// Forget closes the current flights whose keys match, so that later callers begin new ones.
// Callers that have already joined still get their results.
func (g *Group[K, V]) Forget(match func(K) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.flights, func(key K, _ *Flight[K, V]) bool { return match(key) })
}

// Waiting returns the number of callers that wait for flights that can still be joined.
func (g *Group[K, V]) Waiting() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.flights {
		n += f.waiters
	}
	return n
}

func (f *Flight[K, V]) latest() time.Time {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	return f.deadline
}

// remove closes the flight to later callers. The caller must hold the group's mutex.
func (f *Flight[K, V]) remove() {
	if f.group.flights[f.key] == f {
		delete(f.group.flights, f.key)
	}
}
