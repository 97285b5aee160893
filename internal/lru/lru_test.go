package lru

import "testing"

func TestSizeIsBounded(t *testing.T) {
	c := New(10, func(key, value string) int { return len(key) + len(value) })
	c.Set("a", "1234")
	c.Set("b", "1234")
	if _, ok := c.Get("a"); !ok {
		t.Error("a is not there")
	}
	c.Set("c", "1234") // b was used least recently
	if _, ok := c.Get("b"); ok {
		t.Error("b is still there")
	}
	c.Set("a", "12") // replaces its value
	if entries, bytes := c.Size(); entries != 2 || bytes != 8 {
		t.Errorf("%d entries of %d bytes", entries, bytes)
	}
	c.Set("d", "1234567890") // larger than the cache
	if entries, bytes := c.Size(); entries != 0 || bytes != 0 {
		t.Errorf("%d entries of %d bytes", entries, bytes)
	}
	c.Set("a", "1")
	c.Remove("a")
	if entries, bytes := c.Size(); entries != 0 || bytes != 0 {
		t.Errorf("%d entries of %d bytes after the last was removed", entries, bytes)
	}
}
