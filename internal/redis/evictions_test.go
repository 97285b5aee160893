//go:build redis

package redis_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestEvictionsAreShared evicts on one replica, and reads on another one. Then Redis loses its data.
func TestEvictionsAreShared(t *testing.T) {
	r := newRedisServer(t)
	connect := func() *redis.Client {
		client, err := redis.Connect(t.Context(), r.url())
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	a, b := connect(), connect()
	evict := func(tags ...string) transport.Position {
		t.Helper()
		at, err := a.Evict(t.Context(), "acme", tags)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	read := func(after transport.Position, isWhole bool, want int) []transport.Eviction {
		t.Helper()
		next, whole, err := b.Evictions(t.Context(), "acme", after)
		for began := time.Now(); err != nil && time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) { // after a restart
			next, whole, err = b.Evictions(t.Context(), "acme", after)
		}
		if err != nil || whole != isWhole || len(next) != want {
			t.Fatalf("%+v, whole: %t, %v; want %d", next, whole, err, want)
		}
		return next
	}
	read(transport.Position{}, true, 0)
	first, second, all := evict("7", "contact"), evict("8"), evict()
	next := read(transport.Position{}, true, 3)
	if next[0].Position != first || next[1].Previous != first || next[2].Position != all || next[2].Tags != nil || len(next[0].Tags) != 2 || next[0].IsOwn {
		t.Errorf("%+v", next)
	}
	read(second, true, 1)
	read(all, true, 0)
	if own, _, err := a.Evictions(t.Context(), "acme", second); err != nil || !own[0].IsOwn {
		t.Error(own, err)
	}
	for range 1200 { // more than are kept
		evict("9")
	}
	read(all, false, 1000)
	r.kill()
	r.start()
	read(all, false, 0)
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if _, err := a.Evict(t.Context(), "acme", []string{"1"}); err == nil {
			break
		}
	}
	if next := read(all, false, 1); len(next[0].Tags) != 1 {
		t.Errorf("%+v", next)
	}
}

// TestUnsentEvictionsComeFirst holds Redis while a replica evicts. It must not read before it has sent that.
func TestUnsentEvictionsComeFirst(t *testing.T) {
	r := newRedisServer(t)
	client, err := redis.Connect(t.Context(), r.url())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Evict(t.Context(), "acme", []string{"1"}); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGSTOP)
	if _, err := client.Evict(t.Context(), "acme", []string{"2"}); err == nil {
		t.Error("want an error while Redis does not respond")
	}
	r.signal(syscall.SIGCONT)
	for began := time.Now(); ; {
		next, _, err := client.Evictions(t.Context(), "acme", transport.Position{})
		if err == nil {
			if last := next[len(next)-1]; last.Tags != nil {
				t.Errorf("%+v", next)
			}
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal(err)
		}
	}
}
