package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// listed is a simulated list of events. Event n has the id n.
type listed struct {
	mu     sync.Mutex
	events map[int]time.Time
	last   int
	calls  []string
	broken bool
}

func (l *listed) add(n int, ago time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[n] = time.Now().Add(-ago)
	l.last = max(l.last, n)
}

// taken returns the calls since it was last called.
func (l *listed) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

func (l *listed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	query := r.URL.Query()
	l.calls = append(l.calls, fmt.Sprintf("%s after=%s %s", r.URL.Path, query.Get("after"), query.Get("sort_order")))
	if l.broken {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	after, _ := strconv.Atoi(query.Get("after"))
	rows := []any{}
	add := func(n int) {
		if at, ok := l.events[n]; ok {
			rows = append(rows, map[string]any{
				"id": n, "uuid": fmt.Sprintf("%032x", n), "event_type_id": "contact.updated", "workspace_id": 101, "subject_id": 7, "subject_type": "Contact",
				"data": map[string]any{"id": 7, "n": n}, "created_at": at.Format(time.RFC3339Nano), "api_version": 2,
			})
		}
	}
	if query.Get("sort_order") == "desc" {
		for n := l.last; n > 0 && len(rows) < 20; n-- {
			add(n)
		}
	} else {
		for n := after + 1; n <= l.last && len(rows) < 20; n++ {
			if add(n); len(rows) == 20 && n < l.last {
				w.Header().Set("Pagination-Next", strconv.Itoa(n))
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(rows)
}

// walker returns the missed events of a list, which it publishes to a feed.
func walker(t *testing.T, l *listed, feed *Feed) *Missed {
	t.Helper()
	api := httptest.NewServer(l)
	t.Cleanup(api.Close)
	client, err := upstream.New(upstream.Config{URLTemplate: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	hook, _ := hookOf("101")
	return &Missed{
		Feed: feed, Hooks: func() []Webhook { return []Webhook{hook} }, Client: client,
		Handle: func(ctx context.Context, _ Webhook, e Event) error { return feed.Publish(ctx, e) },
		walked: make(map[string]time.Time), known: make(map[string]cursor),
	}
}

// later makes the next walk due.
func (m *Missed) later() {
	m.walked["101"] = time.Now().Add(-walkInterval - time.Second)
	c := m.known["101"]
	c.Walked = c.Walked.Add(-walkInterval - time.Second)
	m.known["101"] = c
}

func TestMissedEventsAreFound(t *testing.T) {
	l := &listed{events: make(map[int]time.Time)}
	for n := 1; n <= 30; n++ {
		l.add(n, time.Hour)
	}
	feed := NewFeed(t.Context(), nil, hookOf)
	m := walker(t, l, feed)
	follower := followFeed(t, feed, "")
	m.walkAll(t.Context()) // only finds the end
	if calls := l.taken(); len(calls) != 1 || calls[0] != "/workspaces/101/webhooks/outgoing/events after= desc" {
		t.Error(calls)
	}
	m.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 0 {
		t.Error("walked again at once:", calls)
	}
	for n := 31; n <= 75; n++ {
		l.add(n, time.Minute)
	}
	publish(t, feed, 32)    // by its webhook
	l.add(76, 0)            // its webhook may still come
	l.add(77, 50*time.Hour) // so old that it may have been forgotten
	m.later()
	m.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 3 || calls[0] != "/workspaces/101/webhooks/outgoing/events after=30 asc" && calls[0] != "/workspaces/101/webhooks/outgoing/events after=30 " {
		t.Error(calls)
	}
	ids := idsOf(t, follower, 45)
	if ids[0] != event("101", 32).ID || ids[1] != event("101", 31).ID || ids[2] != event("101", 33).ID || ids[44] != event("101", 75).ID {
		t.Error(ids)
	}
	l.add(25, time.Minute) // its id became visible late: it is before the last cursor, and not before the one of the walk before
	l.add(76, time.Minute)
	m.later()
	m.walkAll(t.Context())
	if ids := idsOf(t, follower, 1); ids[0] != event("101", 76).ID {
		t.Error(ids)
	}
	if _, err := feed.Follow(t.Context(), "101", event("101", 75).ID); err == nil {
		t.Error("a subscription begins after an event that was late")
	}
	l.mu.Lock()
	l.broken = true
	l.mu.Unlock()
	l.add(78, time.Minute)
	m.later()
	m.walkAll(t.Context())
	l.mu.Lock()
	l.broken = false
	l.mu.Unlock()
	m.later()
	m.walkAll(t.Context())
	if ids := idsOf(t, follower, 1); ids[0] != event("101", 78).ID {
		t.Error(ids)
	}
}

// TestOneReplicaWalks runs the walks of three replicas, and loses the shared state.
func TestOneReplicaWalks(t *testing.T) {
	l := &listed{events: map[int]time.Time{1: time.Now().Add(-time.Hour)}, last: 1}
	shared := newSharedLog()
	var replicas []*Missed
	for range 3 {
		replicas = append(replicas, walker(t, l, NewFeed(t.Context(), shared, hookOf)))
	}
	for _, m := range replicas {
		m.walkAll(t.Context())
	}
	if calls := l.taken(); len(calls) != 1 {
		t.Errorf("%d calls, want 1: %v", len(calls), calls)
	}
	// Redis is down. Events reach one replica only, and then all.
	follower := followFeed(t, replicas[2].Feed, "")
	shared.set(true)
	publish(t, replicas[0].Feed, 2)
	l.add(2, 0)
	l.add(3, 0)
	replicas[0].walkAll(t.Context())
	if calls := l.taken(); len(calls) != 0 {
		t.Error(calls)
	}
	shared.mu.Lock()
	shared.cursors, shared.known, shared.entries = make(map[string]string), make(map[string]bool), nil // it has lost everything
	shared.mu.Unlock()
	shared.set(false)
	for until := time.Now().Add(10 * time.Second); replicas[0].Feed.recovered().IsZero() && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
	}
	for _, m := range replicas {
		m.walkAll(t.Context())
	}
	if ids := idsOf(t, follower, 2); ids[0] != event("101", 2).ID || ids[1] != event("101", 3).ID {
		t.Error(ids)
	}
	if calls := l.taken(); len(calls) != 1 {
		t.Errorf("%d calls, want 1: %v", len(calls), calls)
	}
}
