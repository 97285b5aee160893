//go:build redis

package redis_test

import (
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/signin"
)

// TestSignInStore uses codes and ends sessions on one replica, and finds them on another one.
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
	if first, err := one.Use(t.Context(), "code", time.Minute); !first || err != nil {
		t.Errorf("the first time: %t, %v", first, err)
	}
	if first, err := two.Use(t.Context(), "code", time.Minute); first || err != nil {
		t.Errorf("the second time: %t, %v", first, err)
	}
	if ended, err := two.Ended(t.Context(), "session"); ended || err != nil {
		t.Errorf("a new session: %t, %v", ended, err)
	}
	if err := one.End(t.Context(), "session", time.Minute); err != nil {
		t.Error(err)
	}
	if ended, err := two.Ended(t.Context(), "session"); !ended || err != nil {
		t.Errorf("an ended session: %t, %v", ended, err)
	}
	if err := one.End(t.Context(), "short", 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	time.Sleep(100 * time.Millisecond)
	if ended, err := two.Ended(t.Context(), "short"); ended || err != nil {
		t.Errorf("an expired session: %t, %v", ended, err)
	}
	r.kill()
	if first, err := one.Use(t.Context(), "other", time.Minute); first || err == nil {
		t.Errorf("without Redis: %t, %v; want an error", first, err)
	}
	if err := one.End(t.Context(), "during the outage", time.Minute); err == nil {
		t.Error("without Redis: want an error")
	}
	if ended, err := two.Ended(t.Context(), "during the outage"); ended || err == nil {
		t.Errorf("without Redis: %t, %v; want an error", ended, err)
	}
	r.start()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		ended, err := two.Ended(t.Context(), "during the outage")
		if ended {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the outage, the other replica does not know the ended session: %v", err)
		}
	}
}
