//go:build redis

package redis_test

import (
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/signin"
)

// TestSignInStore marks names on one replica, and finds them on another one.
func TestSignInStore(t *testing.T) {
	r := newRedisServer(t)
	store := func() signin.Store {
		client, err := redis.Connect(t.Context(), r.url())
		if err != nil {
			t.Fatal(err)
		}
		return client.SignInStore()
	}
	one, two := store(), store()
	if known, err := two.Marked(t.Context(), "name"); known || err != nil {
		t.Errorf("a new name: %t, %v", known, err)
	}
	if first, err := one.Mark(t.Context(), "name", time.Minute); !first || err != nil {
		t.Errorf("the first time: %t, %v", first, err)
	}
	if first, err := two.Mark(t.Context(), "name", time.Minute); first || err != nil {
		t.Errorf("the second time: %t, %v", first, err)
	}
	if known, err := two.Marked(t.Context(), "name"); !known || err != nil {
		t.Errorf("a known name: %t, %v", known, err)
	}
	if _, err := one.Mark(t.Context(), "short", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if known, err := two.Marked(t.Context(), "short"); known || err != nil {
		t.Errorf("an expired name: %t, %v", known, err)
	}
	r.kill()
	if first, err := one.Mark(t.Context(), "other", time.Minute); first || err == nil {
		t.Errorf("without Redis: %t, %v; want an error", first, err)
	}
	if known, err := two.Marked(t.Context(), "name"); known || err == nil {
		t.Errorf("without Redis: %t, %v; want an error", known, err)
	}
}
