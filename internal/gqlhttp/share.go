package gqlhttp

import (
	"context"
	"maps"
	"sync"
)

// sharing has identical queries that are in flight at the same time executed
// once: whoever comes second gets the bytes of the first. Nothing is remembered
// beyond that, and mutations are never shared. It is safe for concurrent use.
type sharing struct {
	mu      sync.Mutex
	flights map[flightKey]*flight
}

// flightKey is all that an answer depends on. The operation is the request as it
// came, to the byte.
type flightKey struct {
	scope                any
	method, media, parts string
	fresh, explained     bool
	operation            string
}

// flight is one execution and those who wait for it.
type flight struct {
	key     flightKey
	waiters int // guarded by sharing.mu; those who have left are not counted
	cancel  context.CancelFunc
	// by is the context of the request that executes it.
	by context.Context //nolint:containedctx // of one that is being answered

	done    chan struct{} // closed when what follows is set
	content *content
}

func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// join returns the flight for the key with the operation, nil if there is none.
// Whoever gets one has to leave it, unless it has landed before.
func (s *sharing) join(key flightKey, operation []byte) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Written out so that the operation need not be copied.
	f := s.flights[flightKey{key.scope, key.method, key.media, key.parts, key.fresh, key.explained, string(operation)}]
	if f != nil {
		f.waiters++
	}
	return f
}

// begin returns the flight for the key, and makes one if there is none. Whoever
// gets a context with it has to execute the query in that context, and to land
// the flight. The context outlives the caller's own.
func (s *sharing) begin(ctx context.Context, key flightKey) (*flight, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil {
		f.waiters++
		return f, nil
	}
	execution, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{key: key, waiters: 1, cancel: cancel, by: ctx, done: make(chan struct{}), content: nothing()}
	if s.flights == nil {
		s.flights = make(map[flightKey]*flight)
	}
	s.flights[key] = f
	return f, execution
}

// land hands the answer to all who wait.
func (s *sharing) land(f *flight) {
	s.mu.Lock()
	s.drop(f)
	s.mu.Unlock()
	close(f.done)
	f.cancel()
}

// leave is called by each who joined or began and does not wait until the flight
// has landed. When the last one has left, the query is given up.
func (s *sharing) leave(f *flight) {
	s.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last {
		s.drop(f)
	}
	s.mu.Unlock()
	if last {
		f.cancel()
	}
}

// drop lets nobody join the flight any more. s.mu is held.
func (s *sharing) drop(f *flight) {
	if s.flights[f.key] == f {
		delete(s.flights, f.key)
	}
}

// part lets nobody join the flights of a scope any more, in whichever variant: a query
// that begins after a mutation sees what that has done.
func (s *sharing) part(scope any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.flights, func(key flightKey, _ *flight) bool { return key.scope == scope })
}
