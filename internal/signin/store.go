package signin

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Store remembers used codes and ended sessions. Replicas share one. It is safe for concurrent use.
type Store interface {
	// Use remembers the id of a code for the duration ttl. first is false if it was used before.
	Use(ctx context.Context, code string, ttl time.Duration) (first bool, err error)
	// End remembers the id of a session for the duration ttl. If the store cannot be reached, it does so
	// later, and returns an error.
	End(ctx context.Context, session string, ttl time.Duration) error
	// Ended reports whether a session was ended.
	Ended(ctx context.Context, session string) (bool, error)
}

// maxMarks bounds the ids in the memory of a process.
const maxMarks = 100_000

// memory is the [Store] of a single process.
type memory struct {
	mu    sync.Mutex
	marks map[string]time.Time // when they expire
}

// newMemory returns a store in the memory of this process. Its size is bounded: when it is full, it
// accepts no more ids until some expire.
func newMemory() *memory { return &memory{marks: make(map[string]time.Time)} }

var errFull = errors.New("too many sign-ins at once")

// Use implements [Store].
func (m *memory) Use(_ context.Context, code string, ttl time.Duration) (first bool, err error) {
	return m.mark("code "+code, ttl)
}

// End implements [Store].
func (m *memory) End(_ context.Context, session string, ttl time.Duration) error {
	_, err := m.mark("session "+session, ttl)
	return err
}

func (m *memory) mark(name string, ttl time.Duration) (first bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if expires, known := m.marks[name]; known && now.Before(expires) {
		return false, nil
	}
	if len(m.marks) >= maxMarks {
		for known, expires := range m.marks {
			if !now.Before(expires) {
				delete(m.marks, known)
			}
		}
	}
	if len(m.marks) >= maxMarks {
		return false, errFull
	}
	m.marks[name] = now.Add(ttl)
	return true, nil
}

// Ended implements [Store].
func (m *memory) Ended(_ context.Context, session string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	expires, known := m.marks["session "+session]
	return known && time.Now().Before(expires), nil
}
