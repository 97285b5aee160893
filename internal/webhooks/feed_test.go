package webhooks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// sharedLog is shared state in memory.
type sharedLog struct {
	mu        sync.Mutex
	down      bool
	entries   []Entry
	trimmed   int // entries that are not kept any more
	known     map[string]bool
	cursors   map[string]string
	locked    map[string]bool
	published int
}

func newSharedLog() *sharedLog {
	return &sharedLog{known: make(map[string]bool), cursors: make(map[string]string), locked: make(map[string]bool)}
}

var errDown = errors.New("down")

// position is the text of a position, as Redis has them.
func position(n int) string { return fmt.Sprintf("1700000000000-%d", n) }

func (s *sharedLog) Publish(_ context.Context, e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return errDown
	case s.known[e.ID]:
		return nil
	}
	s.known[e.ID] = true
	n := s.trimmed + len(s.entries) + 1
	if e.Position = position(n); n > 1 {
		e.Previous = position(n - 1)
	}
	s.entries = append(s.entries, e)
	s.published++
	return nil
}

func (s *sharedLog) End(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return "", errDown
	}
	if n := s.trimmed + len(s.entries); n > 0 {
		return position(n), nil
	}
	return "0", nil
}

func (s *sharedLog) Read(ctx context.Context, after string) ([]Entry, error) {
	for range 100 {
		s.mu.Lock()
		down, first, entries := s.down, s.trimmed, s.entries
		s.mu.Unlock()
		if down {
			return nil, errDown
		}
		n := 0
		if len(after) > len(position(0))-1 {
			n, _ = strconv.Atoi(after[len("1700000000000-"):])
		}
		if n = max(0, n-first); n < len(entries) {
			return entries[n:min(n+16, len(entries))], nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

func (s *sharedLog) Lock(_ context.Context, workspace string) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return "", false, errDown
	}
	if s.locked[workspace] {
		return "", false, nil
	}
	s.locked[workspace] = true
	return s.cursors[workspace], true, nil
}

func (s *sharedLog) Unlock(_ context.Context, workspace, cursor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[workspace], s.locked[workspace] = cursor, false
	return nil
}

// set makes the state unreachable or reachable.
func (s *sharedLog) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// hookOf is the webhook of each workspace.
func hookOf(workspace string) (Webhook, bool) {
	return Webhook{Name: "w" + workspace, Workspace: workspace, Token: "token"}, true
}

// publish publishes the nth event.
func publish(t *testing.T, f *Feed, n int) {
	t.Helper()
	if err := f.Publish(t.Context(), event("101", n)); err != nil {
		t.Fatal(err)
	}
}

// idsOf reads so many events.
func idsOf(t *testing.T, f *Follower, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ids := make([]string, n)
	for i := range ids {
		e, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		ids[i] = e.ID
	}
	return ids
}

// followFeed returns a follower of a feed.
func followFeed(t *testing.T, f *Feed, after string) *Follower {
	t.Helper()
	follower, err := f.Follow(t.Context(), "101", after)
	if err != nil {
		t.Fatal(err)
	}
	return follower
}

// TestReplicasHaveTheSameOrder publishes on two replicas. A third one begins later.
func TestReplicasHaveTheSameOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shared := newSharedLog()
		var arrived atomic.Int64
		a, b := NewFeed(ctx, shared, hookOf, nil), NewFeed(ctx, shared, hookOf, func(Webhook) { arrived.Add(1) })
		onA, onB := followFeed(t, a, ""), followFeed(t, b, "")
		for n := range 100 {
			publish(t, []*Feed{a, b}[n%2], n)
			publish(t, b, n)
		}
		first := idsOf(t, onA, 100)
		if second := idsOf(t, onB, 100); fmt.Sprint(first) != fmt.Sprint(second) {
			t.Errorf("%v\n%v", first, second)
		}
		if n := arrived.Load(); n != 100 {
			t.Errorf("%d events arrived, want 100", n)
		}
		c := NewFeed(ctx, shared, hookOf, nil)
		if rest := idsOf(t, followFeed(t, c, first[40]), 59); fmt.Sprint(rest) != fmt.Sprint(first[41:]) {
			t.Errorf("%v\n%v", rest, first[41:])
		}
		fromNow := followFeed(t, c, "")
		publish(t, a, 200)
		if ids := idsOf(t, fromNow, 1); ids[0] != event("101", 200).ID {
			t.Error(ids)
		}
		if shared.published != 101 {
			t.Errorf("%d events", shared.published)
		}
	})
}

// TestFeedsWithoutSharedState takes the state away in the middle.
func TestFeedsWithoutSharedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shared := newSharedLog()
		a, b := NewFeed(ctx, shared, hookOf, nil), NewFeed(ctx, shared, hookOf, nil)
		onA, onB := followFeed(t, a, ""), followFeed(t, b, "")
		publish(t, a, 0)
		_, _ = idsOf(t, onA, 1), idsOf(t, onB, 1)
		shared.set(true)
		publish(t, a, 1)
		if ids := idsOf(t, onA, 1); ids[0] != event("101", 1).ID {
			t.Error(ids)
		}
		shared.set(false)
		if a.knows("101", event("101", 1).ID) || !a.knows("101", event("101", 0).ID) {
			t.Error("the other replica does not have the second event")
		}
		publish(t, b, 2)
		late := event("101", 1)
		late.Late = true
		if err := a.Publish(ctx, late); err != nil { // as it is found in the list
			t.Fatal(err)
		}
		publish(t, b, 3)
		want := fmt.Sprint([]string{event("101", 2).ID, event("101", 1).ID, event("101", 3).ID})
		if ids := idsOf(t, onB, 3); fmt.Sprint(ids) != want {
			t.Errorf("%v, want %s", ids, want)
		}
		if ids := idsOf(t, onA, 2); ids[0] != event("101", 2).ID || ids[1] != event("101", 3).ID {
			t.Error(ids) // once per follower
		}
		if !a.knows("101", event("101", 1).ID) {
			t.Error("all replicas have the event now")
		}
		// A subscriber that saw the event first may have missed the one before it.
		if _, err := b.Follow(ctx, "101", event("101", 1).ID); !errors.Is(err, ErrOutsideWindow) {
			t.Error(err)
		}
	})
}

// TestFeedThatStartsAlone begins while the state cannot be reached. It must not give old events as new.
func TestFeedThatStartsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shared := newSharedLog()
		shared.set(true)
		f := NewFeed(ctx, shared, hookOf, nil)
		follower := followFeed(t, f, "")
		publish(t, f, 1)
		if ids := idsOf(t, follower, 1); ids[0] != event("101", 1).ID {
			t.Error(ids)
		}
	})
}

// busyLog always has another entry.
type busyLog struct{ *sharedLog }

func (b busyLog) Read(ctx context.Context, after string) ([]Entry, error) {
	if after == "0" {
		return b.sharedLog.Read(ctx, after)
	}
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
	return []Entry{{Position: strconv.FormatInt(time.Now().UnixMilli(), 10) + "-0", Previous: after, Workspace: "101", ID: "x"}}, ctx.Err()
}

// TestFeedThatStartsDuringEvents begins while events arrive all the time. It does not wait for an end.
func TestFeedThatStartsDuringEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.Sleep(time.Until(time.UnixMilli(1_700_000_000_001))) // positions have as many digits as now
		shared := newSharedLog()
		publish(t, &Feed{log: NewLog(), shared: shared, find: hookOf, unshared: make(map[string]bool)}, 1)
		publish(t, &Feed{log: NewLog(), shared: shared, find: hookOf, unshared: make(map[string]bool)}, 2)
		began := time.Now()
		f := NewFeed(ctx, busyLog{shared}, hookOf, nil)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it begins after %s", took)
		}
		if ids := idsOf(t, followFeed(t, f, event("101", 1).ID), 1); ids[0] != event("101", 2).ID {
			t.Error(ids)
		}
	})
}

// TestGapsEndFollowers trims entries that a replica has not read.
func TestGapsEndFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shared := newSharedLog()
		f := NewFeed(ctx, shared, hookOf, nil)
		follower := followFeed(t, f, "")
		publish(t, f, 0)
		_ = idsOf(t, follower, 1)
		shared.set(true)
		time.Sleep(2 * time.Second)
		shared.mu.Lock() // other replicas go on
		shared.entries, shared.trimmed = nil, 10
		shared.entries = []Entry{{Position: position(11), Previous: position(10), Workspace: "101"}}
		shared.mu.Unlock()
		shared.set(false)
		if _, err := follower.Next(ctx); !errors.Is(err, ErrMissed) {
			t.Error(err)
		}
	})
}

// TestForeignEntriesEndFollowers puts entries into the state that no replica with the token wrote.
func TestForeignEntriesEndFollowers(t *testing.T) {
	other := func(workspace string) (Webhook, bool) {
		return Webhook{Workspace: workspace, Token: "another token"}, true
	}
	for name, entry := range map[string]func(t *testing.T, shared *sharedLog) Entry{
		"another token": func(t *testing.T, _ *sharedLog) Entry {
			t.Helper()
			log := newSharedLog()
			publish(t, &Feed{log: NewLog(), shared: log, find: other, unshared: make(map[string]bool)}, 1)
			return log.entries[0]
		},
		"another name": func(_ *testing.T, shared *sharedLog) Entry {
			moved := shared.entries[0]
			moved.ID = "101 " + event("101", 3).ID
			return moved
		},
		"no event": func(*testing.T, *sharedLog) Entry { return Entry{Workspace: "101", ID: "x", Event: []byte("{}")} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				shared := newSharedLog()
				f := NewFeed(ctx, shared, hookOf, nil)
				follower := followFeed(t, f, "")
				publish(t, f, 2)
				if ids := idsOf(t, follower, 1); ids[0] != event("101", 2).ID {
					t.Error(ids)
				}
				if err := shared.Publish(ctx, entry(t, shared)); err != nil {
					t.Fatal(err)
				}
				if e, err := follower.Next(ctx); !errors.Is(err, ErrMissed) {
					t.Error(e, err)
				}
				if _, err := f.Follow(ctx, "101", event("101", 2).ID); !errors.Is(err, ErrOutsideWindow) {
					t.Error(err)
				}
				again := followFeed(t, f, "")
				publish(t, f, 4)
				if ids := idsOf(t, again, 1); ids[0] != event("101", 4).ID {
					t.Error(ids)
				}
			})
		})
	}
}

func TestPositions(t *testing.T) {
	ascending := []string{"", "0", "0-1", "5-0", "5-2", "5-10", "1700000000000-9", "1700000000000-10", "1700000000001-0"}
	for i, a := range ascending {
		for j, b := range ascending {
			if want := i < j && (i != 0 || j != 1); isBefore(a, b) != want {
				t.Errorf("%q before %q: %t", a, b, !want)
			}
		}
	}
}
