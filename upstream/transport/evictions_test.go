package transport

import (
	"testing"
)

// TestLostEvictions loses the shared state. Everything that was cached before is invalid then, and positions
// begin again.
func TestLostEvictions(t *testing.T) {
	e, changed := newEvictions(), 0
	at := func(n uint64) Position { return Position{Time: n} }
	sync := func(after Position, isWhole bool, next ...Eviction) Position {
		t.Helper()
		position, ok := e.sync("acme", after, next, isWhole, func() { changed++ })
		if !ok {
			t.Error("the shared state cannot be used")
		}
		return position
	}
	if position := sync(Position{}, true); position != (Position{}) || len(e.hosts) != 0 || !e.isValidShared("acme", e.begin(), Position{}, nil) {
		t.Errorf("%v, %d hosts", position, len(e.hosts))
	}
	sync(Position{}, true, Eviction{Position: at(10), Tags: []string{"a"}})
	began := e.begin()
	valid := func(name string, tag string, here, shared bool, position Position) {
		t.Helper()
		if got := e.isValid("acme", began, []string{tag}); got != here {
			t.Errorf("%s: valid here %t, want %t", name, got, here)
		}
		if got := e.isValidShared("acme", e.begin(), position, []string{tag}); got != shared {
			t.Errorf("%s: valid from elsewhere %t, want %t", name, got, shared)
		}
	}
	valid("before", "a", true, false, at(5))
	valid("since", "a", true, true, at(10))
	valid("another", "b", true, true, at(5))
	if position := sync(at(10), false); position != (Position{}) { // it is empty
		t.Errorf("%v", position)
	}
	valid("lost", "b", false, true, Position{})
	began = e.begin()
	sync(Position{}, true, Eviction{Position: at(3), Tags: []string{"b"}}) // with another clock
	valid("a new one", "b", false, false, at(2))
	valid("after the new one", "b", false, true, at(3))
	valid("another", "a", true, true, at(2))
	if changed != 3 {
		t.Errorf("%d changes", changed)
	}
	// A reset between the read of the position and the response must not look like an empty state.
	after := e.position("acme")
	if position, ok := e.sync("acme", after, nil, true, func() {}); !ok || position != after {
		t.Errorf("%v, %t", position, ok)
	}
	e.tags = maxEvictedTags + 1 // the call itself resets
	if _, ok := e.sync("acme", after, nil, true, func() {}); ok {
		t.Error("the shared state is used after a reset by the same call")
	}
	clear(e.hosts)
	if _, ok := e.sync("acme", after, nil, true, func() {}); ok {
		t.Error("the shared state is used after a reset")
	}
}
