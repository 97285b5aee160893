// Package lru implements a cache that is bounded in bytes and evicts the least recently used
// entries.
package lru

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache is a cache of bounded size. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	size     func(K, V) int
	maxBytes int

	mu      sync.Mutex
	entries simplelru.LRUCache[K, V]
	bytes   int
}

// New returns a cache whose entries together have at most so many bytes. weigh returns the size of
// an entry in bytes; it must always return the same size for the same entry.
func New[K comparable, V any](most int, weigh func(K, V) int) *Cache[K, V] {
	c := &Cache[K, V]{size: weigh, maxBytes: most}
	entries, err := simplelru.NewLRU(math.MaxInt, func(key K, value V) { c.bytes -= weigh(key, value) })
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	c.entries = entries
	return c
}

// Get returns the value of a key, and marks it as recently used.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Get(key)
}

// Set sets the value of a key, and evicts entries until the cache is within its size.
func (c *Cache[K, V]) Set(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
	c.entries.Add(key, value)
	c.bytes += c.size(key, value)
	for c.bytes > c.maxBytes {
		c.entries.RemoveOldest()
	}
}

// Remove removes a key.
func (c *Cache[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// RemoveIf removes the keys that match.
func (c *Cache[K, V]) RemoveIf(match func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.entries.Keys() {
		if match(key) {
			c.entries.Remove(key)
		}
	}
}

// Size returns the number of entries, and their size in bytes.
func (c *Cache[K, V]) Size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Len(), c.bytes
}
