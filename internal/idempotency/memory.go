package idempotency

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/funnelgraph/funnelgraph/internal/lru"
)

const (
	// defaultMaxKeys is the number of keys that a process keeps. A forgotten key could be executed
	// again, so that new keys are refused instead.
	defaultMaxKeys = 200_000
	// defaultMaxAnswers is the maximum memory for answers, in bytes. The least recently used ones
	// are dropped, but not their keys.
	defaultMaxAnswers = 64 << 20
)

// memory is the [Store] of a single process.
type memory struct {
	maxKeys int
	answers *lru.Cache[string, []byte]

	mu   sync.Mutex
	keys simplelru.LRUCache[string, entry] // in the order of their last records
}

// entry is a key with its record, or the short one if the record is in answers.
type entry struct {
	record  []byte
	expires time.Time
}

// NewMemory returns a store in the memory of this process. Its size is bounded.
func NewMemory() Store { return newMemory(defaultMaxKeys, defaultMaxAnswers) }

func newMemory(maxKeys, maxAnswers int) *memory {
	keys, err := simplelru.NewLRU[string, entry](math.MaxInt, nil)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &memory{maxKeys: maxKeys, keys: keys, answers: lru.New(maxAnswers, func(name string, answer []byte) int { return len(name) + len(answer) + 100 })}
}

// Claim implements [Store].
func (m *memory) Claim(_ context.Context, name string, record []byte) (other []byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	if known, ok := m.keys.Peek(name); ok {
		if answer, ok := m.answers.Get(name); ok {
			return answer, nil
		}
		return known.record, nil
	}
	if m.keys.Len() >= m.maxKeys {
		return nil, errFull
	}
	m.keys.Add(name, entry{record, time.Now().Add(Retention)})
	return nil, nil
}

// Replace implements [Store].
func (m *memory) Replace(_ context.Context, name string, record, short []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys.Add(name, entry{short, time.Now().Add(Retention)})
	m.answers.Set(name, record)
	return nil
}

// Release implements [Store].
func (m *memory) Release(_ context.Context, name string, record []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.keys.Peek(name); ok && bytes.Equal(known.record, record) {
		m.keys.Remove(name)
	}
	return nil
}

// expire removes expired keys. The mutex is held.
func (m *memory) expire() {
	for {
		name, oldest, ok := m.keys.GetOldest()
		if !ok || time.Now().Before(oldest.expires) {
			return
		}
		m.keys.RemoveOldest()
		m.answers.Remove(name)
	}
}
