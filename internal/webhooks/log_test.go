package webhooks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// event returns the nth event of a workspace.
func event(workspace string, n int) Event {
	return Event{ID: fmt.Sprintf("%032x", n), Workspace: workspace, Data: jsontext.Value(`{}`)}
}

// appendAll appends events to a log.
func appendAll(t *testing.T, l *Log, workspace string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		l.Append(event(workspace, n))
	}
}

// follow returns a follower.
func follow(t *testing.T, l *Log, workspace, after string) *Follower {
	t.Helper()
	f, err := l.Follow(workspace, after)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFollowersGetEachEventOnce(t *testing.T) {
	l := NewLog()
	appendAll(t, l, "101", 0, 3)
	now, before := follow(t, l, "101", ""), follow(t, l, "101", event("101", 0).ID)
	appendAll(t, l, "101", 0, 5) // the first three again
	appendAll(t, l, "102", 7, 8)
	for name, test := range map[string]struct {
		f    *Follower
		from int
	}{"now": {now, 3}, "after the first": {before, 1}} {
		for n := test.from; n < 5; n++ {
			if e, err := test.f.Next(t.Context()); err != nil || e.ID != event("101", n).ID {
				t.Errorf("%s: %+v, %v; want event %d", name, e, err, n)
			}
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		if e, err := test.f.Next(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %+v, %v; want no more", name, e, err)
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	l := NewLog()
	slow := follow(t, l, "101", "")
	appendAll(t, l, "101", 0, maxKept+1)
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrMissed) {
		t.Errorf("%v", err)
	}
	if _, err := l.Follow("101", event("101", 0).ID); !errors.Is(err, ErrOutsideWindow) {
		t.Errorf("%v", err)
	}
	follow(t, l, "101", event("101", 1).ID)
	large := event("102", 1)
	large.Data = make(jsontext.Value, maxKeptBytes)
	for n := range 3 {
		large.ID = fmt.Sprintf("%032x", n)
		if l.Append(large); len(l.workspaces["102"].events) != 1 {
			t.Errorf("%d events", len(l.workspaces["102"].events))
		}
	}
	for n := range 2 * maxBytes / maxKeptBytes {
		large.Workspace = fmt.Sprint(200 + n)
		l.Append(large)
	}
	if want := maxBytes / large.size(); len(l.workspaces) != want || l.bytes != want*large.size() {
		t.Errorf("%d workspaces with %d bytes, want %d", len(l.workspaces), l.bytes, want)
	}
	idle := follow(t, l, "103", "")
	for n := range maxWorkspaces {
		appendAll(t, l, fmt.Sprint(10_000+n), n, n+1)
	}
	if _, err := idle.Next(t.Context()); !errors.Is(err, ErrMissed) || len(l.workspaces) > maxWorkspaces {
		t.Errorf("%d workspaces, %v", len(l.workspaces), err)
	}
}

func TestIDsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog()
		appendAll(t, l, "101", 0, 10)
		time.Sleep(retention - time.Second)
		f := follow(t, l, "101", "")
		appendAll(t, l, "101", 0, 10)
		if len(l.seen) != 10 {
			t.Errorf("%d ids", len(l.seen))
		}
		time.Sleep(2 * time.Second)
		appendAll(t, l, "101", 10, 11)
		if e, err := f.Next(t.Context()); err != nil || e.ID != event("101", 10).ID || len(l.seen) != 1 || len(l.order) != 1 {
			t.Errorf("%+v, %v, %d ids", e, err, len(l.seen))
		}
	})
}

func TestManyIDsMakeRoom(t *testing.T) {
	l := NewLog()
	appendAll(t, l, "101", 0, maxIDs+10)
	if len(l.seen) != maxIDs || len(l.order) != maxIDs || l.Knows("101", event("101", 0).ID) || !l.Knows("101", event("101", maxIDs).ID) {
		t.Errorf("%d ids, %d in order", len(l.seen), len(l.order))
	}
}

// TestOlderEventsAreSuperseded appends events about one record out of order.
func TestOlderEventsAreSuperseded(t *testing.T) {
	l := NewLog()
	f := follow(t, l, "101", "")
	now := time.Now()
	appendAt := func(n int, subject string, at time.Time, late bool) {
		e := event("101", n)
		e.SubjectType, e.SubjectID, e.OccurredAt, e.Late = "Contact", subject, at, late
		l.Append(e)
	}
	for n, ago := range []int{5, 8, 1, 1} {
		appendAt(n, "7", now.Add(-time.Duration(ago)*time.Second), false)
		appendAt(10+n, fmt.Sprint(100+n), now.Add(-20*time.Second), false) // another record
	}
	appendAt(20, "8", now, true)                  // a webhook may have brought a newer one
	appendAt(21, "9", now.Add(-time.Hour), false) // delivered again
	appendAt(22, "10", now.Add(time.Hour), false) // another clock
	for i, want := range []bool{true, false, true, false, true, false, true, false, true, true, false} {
		if e, err := f.Next(t.Context()); err != nil || e.Superseded != want {
			t.Errorf("%d: event %s of %s: superseded %t, want %t; %v", i, e.ID, e.OccurredAt, e.Superseded, want, err)
		}
	}
}

// TestRepeatedEventsReachOthers repeats an event that only some followers have read.
func TestRepeatedEventsReachOthers(t *testing.T) {
	l := NewLog()
	before := follow(t, l, "101", "")
	alone := event("101", 1)
	alone.isUnshared = true
	l.Append(alone)
	if e, err := before.Next(t.Context()); err != nil || e.ID != alone.ID {
		t.Fatal(e, err)
	}
	appendAll(t, l, "101", 2, 3)
	after := follow(t, l, "101", event("101", 2).ID)
	again := event("101", 1)
	again.Late = true
	l.Repeat(again)
	appendAll(t, l, "101", 3, 4)
	for name, test := range map[string]struct {
		f    *Follower
		want []int
	}{"before": {before, []int{2, 3}}, "after": {after, []int{1, 3}}} {
		for _, n := range test.want {
			if e, err := test.f.Next(t.Context()); err != nil || e.ID != event("101", n).ID {
				t.Errorf("%s: %+v, %v; want event %d", name, e, err, n)
			}
		}
	}
	if len(before.sent) != 0 {
		t.Errorf("%d ids are kept", len(before.sent))
	}
}
