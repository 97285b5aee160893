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
	feed := NewFeed(t.Context(), nil, hookOf, nil)
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

// lose loses everything, and waits until the feeds have found out.
func (s *sharedLog) lose(t *testing.T, feeds ...*Feed) {
	t.Helper()
	s.set(true)
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	s.cursors, s.known, s.entries = make(map[string]string), make(map[string]bool), nil
	s.mu.Unlock()
	s.set(false)
	until := time.Now().Add(10 * time.Second)
	for _, feed := range feeds {
		for ; feed.recovered().IsZero(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the state is not reached again")
			}
		}
	}
}

// TestOneReplicaWalks runs the walks of three replicas, and loses the shared state.
func TestOneReplicaWalks(t *testing.T) {
	l := &listed{events: map[int]time.Time{1: time.Now().Add(-time.Hour)}, last: 1}
	shared := newSharedLog()
	var replicas []*Missed
	for range 3 {
		replicas = append(replicas, walker(t, l, NewFeed(t.Context(), shared, hookOf, nil)))
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
	shared.lose(t, replicas[0].Feed, replicas[1].Feed, replicas[2].Feed)
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

// TestReplicasThatStartTogether has one that cannot walk, because another one does. It walks after the
// shared state is lost, and must know where that one was.
func TestReplicasThatStartTogether(t *testing.T) {
	l := &listed{events: map[int]time.Time{1: time.Now().Add(-time.Hour)}, last: 1}
	shared := newSharedLog()
	a, b := walker(t, l, NewFeed(t.Context(), shared, hookOf, nil)), walker(t, l, NewFeed(t.Context(), shared, hookOf, nil))
	if _, ok, err := shared.Lock(t.Context(), "101"); !ok || err != nil { // as if a walked
		t.Fatal(ok, err)
	}
	b.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 0 {
		t.Error(calls)
	}
	if err := shared.Unlock(t.Context(), "101", ""); err != nil {
		t.Fatal(err)
	}
	a.walkAll(t.Context())
	b.walkAll(t.Context()) // soon
	if calls := l.taken(); len(calls) != 1 {
		t.Error(calls)
	}
	follower := followFeed(t, a.Feed, "")
	l.add(2, 0)
	shared.lose(t, b.Feed)
	b.walkAll(t.Context())
	if ids := idsOf(t, follower, 1); ids[0] != event("101", 2).ID {
		t.Error(ids)
	}
}

// TestLostEntriesAreShared loses the shared state when one replica has read an event, and another one has
// not.
func TestLostEntriesAreShared(t *testing.T) {
	l := &listed{events: map[int]time.Time{1: time.Now().Add(-time.Hour)}, last: 1}
	shared := newSharedLog()
	a, b := walker(t, l, NewFeed(t.Context(), shared, hookOf, nil)), walker(t, l, NewFeed(t.Context(), shared, hookOf, nil))
	a.walkAll(t.Context())
	follower, onA := followFeed(t, b.Feed, ""), followFeed(t, a.Feed, "")
	l.add(2, 0)
	a.Feed.log.Append(event("101", 2))
	shared.lose(t, a.Feed)
	l.add(3, 0)
	a.walkAll(t.Context())
	for _, f := range []*Follower{follower, onA} {
		if ids := idsOf(t, f, 2); ids[0] != event("101", 2).ID || ids[1] != event("101", 3).ID {
			t.Error(ids)
		}
	}
}

// TestLongListsAreWalked has more missed events than one walk reads. The next one goes on, soon.
func TestLongListsAreWalked(t *testing.T) {
	l := &listed{events: make(map[int]time.Time)}
	l.add(1, time.Hour)
	m := walker(t, l, NewFeed(t.Context(), nil, hookOf, nil))
	m.walkAll(t.Context())
	const missed = maxPages*20 + 100
	for n := range missed {
		l.add(2+n, time.Minute)
	}
	m.later()
	l.taken()
	for _, calls := range []int{maxPages, 5, 0} {
		m.walkAll(t.Context())
		if got := l.taken(); len(got) != calls {
			t.Errorf("%d calls, want %d", len(got), calls)
		}
	}
	if !m.Feed.log.Knows("101", event("101", 1+missed).ID) {
		t.Error("the last event is not found")
	}
}

// TestUnknownCursors loses the shared state while a replica starts. It must not begin at the end of the
// list while another one knows where to go on.
func TestUnknownCursors(t *testing.T) {
	l := &listed{events: map[int]time.Time{1: time.Now().Add(-time.Hour)}, last: 1}
	shared := newSharedLog()
	a, b := walker(t, l, NewFeed(t.Context(), shared, hookOf, nil)), walker(t, l, NewFeed(t.Context(), shared, hookOf, nil))
	a.walkAll(t.Context())
	follower := followFeed(t, b.Feed, "")
	l.add(2, 0)
	shared.lose(t, a.Feed, b.Feed)
	l.taken()
	b.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 0 {
		t.Error(calls)
	}
	a.walkAll(t.Context())
	if ids := idsOf(t, follower, 1); ids[0] != event("101", 2).ID {
		t.Error(ids)
	}
	b.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 1 {
		t.Error(calls)
	}
	b.Feed.mu.Lock()
	b.Feed.recoveredAt = b.Feed.recoveredAt.Add(-knownTime)
	b.Feed.mu.Unlock()
	b.walkAll(t.Context())
	if calls := l.taken(); len(calls) != 0 || b.known["101"].To != "2" {
		t.Error(calls, a.known, b.known)
	}
}
