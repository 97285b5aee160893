package webhooks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The errors of a log and its followers.
var (
	// ErrOutsideWindow means that the event after which a follower wants to begin is not kept any more.
	ErrOutsideWindow = errors.New("the event is not kept any more: load what you show, and subscribe without it")
	// ErrMissed means that a follower has missed events: it read too slowly, or this process has not got
	// them.
	ErrMissed = errors.New("events were missed: load what you show, and subscribe again")
)

const (
	// retention is how long an event counts once. ClickFunnels retries a delivery for 37 hours.
	retention = 48 * time.Hour
	// maxKept and maxKeptBytes limit the events that are kept for a workspace.
	maxKept      = 1000
	maxKeptBytes = 8 << 20
	// maxWorkspaces limits the workspaces with kept events, and maxBytes all kept events together.
	maxWorkspaces = 1000
	maxBytes      = 128 << 20
	// repeatedAfter is the age from which an event may be an old one that was delivered again.
	repeatedAfter = time.Minute
	// maxIDs limits the remembered ids of events. Beyond it, an event that ClickFunnels delivers again can
	// count twice.
	maxIDs = 500_000
)

// Log keeps the recent events of workspaces in the memory of this process. Its size is bounded. It is
// safe for concurrent use.
type Log struct {
	mu         sync.Mutex
	workspaces map[string]*window
	bytes      int
	// seen holds when the id of an event can be forgotten, and order the ids in that order.
	seen  map[string]time.Time
	order []string
}

// window is the kept events of a workspace. An event has the position first + its index.
type window struct {
	first   int
	bytes   int
	events  []Event
	used    time.Time
	changed chan struct{} // closed at the next event
}

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{workspaces: make(map[string]*window), seen: make(map[string]time.Time)}
}

// Append adds an event, unless the log has had it in the last two days.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.forget(now)
	id := e.Workspace + " " + e.ID
	if _, known := l.seen[id]; known {
		return
	}
	l.seen[id] = now.Add(retention)
	l.order = append(l.order, id)
	w := l.window(e.Workspace, now)
	l.bytes += w.add(e)
	for l.bytes > maxBytes && len(l.workspaces) > 1 {
		l.drop()
	}
}

// Repeat adds an event that the log has had on this process alone, at its place in the order of all
// replicas. Followers that have read it do not get it again.
func (l *Log) Repeat(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += l.window(e.Workspace, time.Now()).add(e)
}

// Drop drops the window of a workspace, because events are missing. Its followers find that they have
// missed them.
func (l *Log) Drop(workspace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.workspaces[workspace] != nil {
		l.close(workspace)
	}
}

// Knows reports whether the log has had an event in the last two days.
func (l *Log) Knows(workspace, id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.seen[workspace+" "+id]
	return known
}

// forget removes the ids that have expired, and makes room for another one.
func (l *Log) forget(now time.Time) {
	n := 0
	for n < len(l.order) && (now.After(l.seen[l.order[n]]) || len(l.seen) >= maxIDs) {
		delete(l.seen, l.order[n])
		n++
	}
	l.order = l.order[n:]
}

// window returns the window of a workspace. It drops the one that was used least recently if there are
// too many.
func (l *Log) window(workspace string, now time.Time) *window {
	w := l.workspaces[workspace]
	if w == nil {
		if len(l.workspaces) >= maxWorkspaces {
			l.drop()
		}
		w = &window{changed: make(chan struct{})}
		l.workspaces[workspace] = w
	}
	w.used = now
	return w
}

// drop drops the window that was used least recently. Its followers find that they have missed events.
func (l *Log) drop() {
	oldest := ""
	for id, w := range l.workspaces {
		if oldest == "" || w.used.Before(l.workspaces[oldest].used) {
			oldest = id
		}
	}
	l.close(oldest)
}

// Gap drops all windows, because events are missing. Followers find that they have missed them.
func (l *Log) Gap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.workspaces {
		l.close(id)
	}
}

// close drops the window of a workspace. The mutex is held.
func (l *Log) close(workspace string) {
	w := l.workspaces[workspace]
	l.bytes -= w.bytes
	w.first, w.events, w.bytes = w.first+len(w.events)+1, nil, 0
	close(w.changed)
	delete(l.workspaces, workspace)
}

// add appends an event. It returns by how much the window's bytes have grown.
func (w *window) add(e Event) int {
	before := w.bytes
	e.Superseded = e.Superseded || e.Late || time.Since(e.OccurredAt) > repeatedAfter // a newer one may be forgotten
	for i := range w.events {
		switch other := &w.events[i]; {
		case e.SubjectID == "" || other.SubjectID != e.SubjectID || other.SubjectType != e.SubjectType:
		case other.OccurredAt.After(e.OccurredAt):
			e.Superseded = true
		case other.OccurredAt.Equal(e.OccurredAt): // events can come out of order
			e.Superseded, other.Superseded = true, true
		default:
			other.Superseded = true
		}
	}
	w.events, w.bytes = append(w.events, e), w.bytes+e.size()
	for len(w.events) > maxKept || w.bytes > maxKeptBytes && len(w.events) > 1 {
		w.bytes -= w.events[0].size()
		w.events[0] = Event{} // the array stays reachable
		w.events = w.events[1:]
		w.first++
	}
	close(w.changed)
	w.changed = make(chan struct{})
	return w.bytes - before
}

// Follow returns a follower of the events of a workspace from now on, or after the event with an id. It
// fails with [ErrOutsideWindow] if the log does not have that event any more.
func (l *Log) Follow(workspace, after string) (*Follower, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window(workspace, time.Now())
	next := w.first + len(w.events)
	if after != "" {
		id, _ := eventID(after)
		i := slices.IndexFunc(w.events, func(e Event) bool { return e.ID == id })
		if i < 0 || w.events[i].Late {
			return nil, ErrOutsideWindow
		}
		next = w.first + i + 1
	}
	return &Follower{log: l, window: w, next: next}, nil
}

// Follower reads the events of a workspace. It buffers none, so that a slow one costs nothing. It is for
// one goroutine.
type Follower struct {
	log    *Log
	window *window
	next   int
	// sent are the ids of events that can be repeated.
	sent map[string]bool
}

// Next waits for the next event. It fails with [ErrMissed] if that event is not kept any more, or with
// the cause of the context's end.
func (f *Follower) Next(ctx context.Context) (Event, error) {
	for {
		e, changed, err := f.read()
		if err != nil || changed == nil {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// read returns the next event. If there is none yet, it returns a channel that is closed when there is.
func (f *Follower) read() (Event, <-chan struct{}, error) {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	w := f.window
	w.used = time.Now()
	if f.next < w.first {
		return Event{}, nil, ErrMissed
	}
	for i := f.next - w.first; i < len(w.events); i++ {
		e := w.events[i]
		f.next++
		switch {
		case f.sent[e.ID]:
			delete(f.sent, e.ID)
			continue
		case e.isUnshared && len(f.sent) < maxUnshared:
			if f.sent == nil {
				f.sent = make(map[string]bool)
			}
			f.sent[e.ID] = true
		}
		return e, nil, nil
	}
	return Event{}, w.changed, nil
}
