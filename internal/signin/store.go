package signin

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Store remembers names for a while: used codes, and sessions that have ended. Replicas share one. It
// is safe for concurrent use.
type Store interface {
	// Mark remembers a name for the duration ttl. first is false if it is already known.
	Mark(ctx context.Context, name string, ttl time.Duration) (first bool, err error)
	// Marked reports whether a name is known.
	Marked(ctx context.Context, name string) (bool, error)
}

// maxMarks bounds the names in the memory of a process.
const maxMarks = 100_000

// memory is the [Store] of a single process.
type memory struct {
	mu    sync.Mutex
	marks map[string]time.Time // when they expire
}

// NewMemory returns a store in the memory of this process. Its size is bounded: when it is full, it
// accepts no more names until some expire.
func NewMemory() Store { return &memory{marks: make(map[string]time.Time)} }

var errFull = errors.New("too many sign-ins at once")

// Mark implements [Store].
func (m *memory) Mark(_ context.Context, name string, ttl time.Duration) (first bool, err error) {
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

// Marked implements [Store].
func (m *memory) Marked(_ context.Context, name string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	expires, known := m.marks[name]
	return known && time.Now().Before(expires), nil
}
