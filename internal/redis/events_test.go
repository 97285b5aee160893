//go:build redis

package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
)

// eventStores returns the events of so many replicas.
func eventStores(t *testing.T, r *redisServer, n int) []webhooks.Shared {
	t.Helper()
	stores := make([]webhooks.Shared, n)
	for i := range stores {
		client, err := redis.Connect(t.Context(), r.url())
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = client.Events()
	}
	return stores
}

// entry returns the nth entry.
func entry(n int, event string) webhooks.Entry {
	return webhooks.Entry{Workspace: "101", ID: fmt.Sprintf("101 %032x", n), Event: []byte(event)}
}

// readAll reads all entries after a position.
func readAll(t *testing.T, s webhooks.Shared, after string) (entries []webhooks.Entry) {
	t.Helper()
	for {
		next, err := s.Read(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		if len(next) == 0 {
			return entries
		}
		entries = append(entries, next...)
		after = next[len(next)-1].Position
	}
}

// TestEventsAreShared publishes on two replicas, and reads on a third one.
func TestEventsAreShared(t *testing.T) {
	r := newRedisServer(t)
	stores := eventStores(t, r, 3)
	for n := range 100 {
		for _, s := range stores[:2] {
			if err := s.Publish(t.Context(), entry(n, fmt.Sprint("event ", n))); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries := readAll(t, stores[2], "0")
	if len(entries) != 100 {
		t.Fatalf("%d entries", len(entries))
	}
	previous := ""
	for n, e := range entries {
		if want := entry(n, fmt.Sprint("event ", n)); e.ID != want.ID || e.Workspace != "101" || string(e.Event) != string(want.Event) || e.Previous != previous {
			t.Errorf("%+v", e)
		}
		previous = e.Position
	}
	if rest := readAll(t, stores[0], entries[97].Position); len(rest) != 2 || rest[0].ID != entries[98].ID {
		t.Error(rest)
	}
	// A reader waits for the next one.
	began, read := time.Now(), make(chan time.Duration)
	go func() {
		if next, err := stores[2].Read(t.Context(), previous); err != nil || len(next) != 1 {
			t.Error(next, err)
		}
		read <- time.Since(began)
	}()
	time.Sleep(300 * time.Millisecond)
	if err := stores[0].Publish(t.Context(), entry(100, "")); err != nil {
		t.Fatal(err)
	}
	if took := <-read; took > 600*time.Millisecond {
		t.Errorf("read after %s", took)
	}
}

// TestSharedEventsAreBounded publishes more than is kept, in number and in bytes.
func TestSharedEventsAreBounded(t *testing.T) {
	r := newRedisServer(t)
	s := eventStores(t, r, 1)[0]
	large := strings.Repeat("x", 1<<20)
	for n := range 80 {
		if err := s.Publish(t.Context(), entry(n, large)); err != nil {
			t.Fatal(err)
		}
	}
	if entries := readAll(t, s, "0"); len(entries) != 64 || entries[0].ID != entry(16, "").ID {
		t.Errorf("%d entries", len(entries))
	}
	for n := range 10_100 {
		if err := s.Publish(t.Context(), entry(1000+n, "small")); err != nil {
			t.Fatal(err)
		}
	}
	entries := readAll(t, s, "0")
	if len(entries) != 10_000 || entries[0].ID != entry(1100, "").ID {
		t.Errorf("%d entries from %s", len(entries), entries[0].ID)
	}
	if used := r.info("memory", "used_memory"); used > 32<<20 {
		t.Errorf("Redis uses %.0f bytes", used)
	}
}

// TestWalksAreLocked gives the cursor of a workspace to one replica at a time.
func TestWalksAreLocked(t *testing.T) {
	r := newRedisServer(t)
	stores := eventStores(t, r, 2)
	if cursor, ok, err := stores[0].Lock(t.Context(), "101"); cursor != "" || !ok || err != nil {
		t.Error(cursor, ok, err)
	}
	for _, s := range stores {
		if _, ok, err := s.Lock(t.Context(), "101"); ok || err != nil {
			t.Error(ok, err)
		}
	}
	if _, ok, err := stores[1].Lock(t.Context(), "102"); !ok || err != nil {
		t.Error(ok, err)
	}
	if err := stores[0].Unlock(t.Context(), "101", "here"); err != nil {
		t.Error(err)
	}
	if cursor, ok, err := stores[1].Lock(t.Context(), "101"); cursor != "here" || !ok || err != nil {
		t.Error(cursor, ok, err)
	}
	if err := stores[0].Unlock(t.Context(), "101", "there"); err != nil { // it has lost the lock
		t.Error(err)
	}
	if _, ok, err := stores[0].Lock(t.Context(), "101"); ok || err != nil {
		t.Error(ok, err)
	}
}

// TestEventsAfterAnOutage kills Redis.
func TestEventsAfterAnOutage(t *testing.T) {
	r := newRedisServer(t)
	s := eventStores(t, r, 1)[0]
	if err := s.Publish(t.Context(), entry(1, "")); err != nil {
		t.Fatal(err)
	}
	r.kill()
	for range 10 {
		if s.Publish(t.Context(), entry(2, "")) == nil {
			t.Error("published without Redis")
		}
		if _, err := s.Read(t.Context(), "0"); err == nil {
			t.Error("read without Redis")
		}
	}
	r.start()
	for began := time.Now(); s.Publish(t.Context(), entry(2, "")) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("not published again")
		}
	}
	if entries := readAll(t, s, "0"); len(entries) != 1 || entries[0].Previous != "" {
		t.Error(entries)
	}
}
