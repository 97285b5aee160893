package webhooks

import (
	"context"
	"crypto/cipher"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Shared is the state that replicas share. It is safe for concurrent use.
type Shared interface {
	// Publish appends an entry, unless one with its id was appended in the last two days.
	Publish(ctx context.Context, e Entry) error
	// End returns the position of the last entry, "0" without one.
	End(ctx context.Context) (position string, err error)
	// Read returns the next entries after a position, "0" for the first one that is kept. It waits up to
	// a second for one.
	Read(ctx context.Context, after string) ([]Entry, error)
	// Lock gives one replica the cursor of a workspace, until it saves it or a minute has passed. The
	// text is empty at first.
	Lock(ctx context.Context, workspace string) (cursor string, ok bool, err error)
	// Unlock saves a cursor and ends the lock.
	Unlock(ctx context.Context, workspace, cursor string) error
}

// Entry is an event in the shared state.
type Entry struct {
	// Position orders the entries, and Previous is the position of the one before; empty for the first.
	Position, Previous string
	// Workspace is the raw id of the event's workspace.
	Workspace string
	// ID is the same for the same event.
	ID string
	// Event is the encrypted event.
	Event []byte
}

// Feed gives the events of all replicas to subscribers, in the same order on each. Without shared state,
// or while it cannot be reached, a replica has the events that it receives. It is safe for concurrent use.
type Feed struct {
	log    *Log
	shared Shared
	// find returns a webhook of a workspace. Its token encrypts the events of the workspace.
	find func(workspace string) (Webhook, bool)
	// arrived, if not nil, is called before subscribers get an event that a replica has processed.
	arrived func(Webhook)

	mu sync.Mutex
	// unshared are the ids of events that other replicas do not have.
	unshared map[string]bool
	// failed reports that the state could not be reached since the last successful read, and
	// recoveredAt is when it last could again.
	failed      bool
	recoveredAt time.Time
}

// maxUnshared bounds the memory for events that could not be shared.
const maxUnshared = 10_000

// NewFeed returns a feed. shared is nil for one process alone. It begins with the events that replicas
// still keep, and follows the shared state until the context ends. find returns a webhook of a workspace.
// arrived, if not nil, is called before subscribers get an event of the shared state.
func NewFeed(ctx context.Context, shared Shared, find func(workspace string) (Webhook, bool), arrived func(Webhook)) *Feed {
	f := &Feed{log: NewLog(), shared: shared, find: find, arrived: arrived, unshared: make(map[string]bool)}
	if shared != nil {
		go f.follow(ctx, f.load(ctx))
	}
	return f
}

// Publish gives an event to the subscribers of all replicas, unless it is known.
func (f *Feed) Publish(ctx context.Context, e Event) error {
	if f.shared == nil {
		f.log.Append(e)
		return nil
	}
	hook, ok := f.find(e.Workspace)
	if !ok {
		return errors.New("the workspace has no webhook any more")
	}
	text, err := json.Marshal(e, anyText...)
	if err != nil {
		return err
	}
	entry := Entry{Workspace: e.Workspace, ID: e.Workspace + " " + e.ID}
	entry.Event = sealing(hook).Seal(nil, nil, text, []byte(entry.ID)) //nolint:gosec // the nonce is its own
	if f.shared.Publish(ctx, entry) == nil {
		return nil // it comes back, in the order of all replicas
	}
	f.mu.Lock()
	f.failed = true
	if len(f.unshared) < maxUnshared {
		f.unshared[entry.ID] = true
	}
	f.mu.Unlock()
	e.isUnshared = true
	f.log.Append(e)
	return nil
}

// anyText are the options for texts of ClickFunnels.
var anyText = []json.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// knows reports whether all replicas have had an event in the last two days.
func (f *Feed) knows(workspace, id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.unshared[workspace+" "+id] && f.log.Knows(workspace, id)
}

// recovered returns when the shared state could last be reached again; the zero time if it always could.
func (f *Feed) recovered() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.recoveredAt
}

// read reads the next entries.
func (f *Feed) read(ctx context.Context, after string) ([]Entry, error) {
	entries, err := f.shared.Read(ctx, after)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.failed {
		f.recoveredAt = time.Now()
	}
	f.failed = err != nil
	return entries, err
}

// sealing returns the cipher for the events of a webhook's workspace.
func sealing(hook Webhook) cipher.AEAD { return transport.StateCipher("events", string(hook.Token)) }

// load reads the entries that are there now. It returns the position of the last one, "" if the shared
// state cannot be reached.
func (f *Feed) load(ctx context.Context) (position string) {
	const wholeTime = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	end, err := f.shared.End(ctx)
	if err != nil {
		return ""
	}
	for position = start; isBefore(position, end); {
		entries, err := f.read(ctx, position)
		if err != nil || len(entries) == 0 {
			break
		}
		position = f.take(entries)
	}
	return position // nobody has subscribed yet, so that the rest can follow
}

// start is the position before the first entry.
const start = "0"

// follow reads the entries of all replicas until the context ends.
func (f *Feed) follow(ctx context.Context, position string) {
	const pause = 200 * time.Millisecond // while Redis does not respond
	for ctx.Err() == nil {
		var entries []Entry
		var err error
		if position == "" { // subscribers must not get older events as new ones
			position, err = f.shared.End(ctx)
		} else {
			entries, err = f.read(ctx, position)
		}
		switch {
		case err != nil:
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		case len(entries) > 0:
			// After a loss of the state there is no previous one. Missed events are then in the list.
			if before := entries[0].Previous; position != start && isBefore(position, before) {
				slog.WarnContext(ctx, "events of other replicas were missed: subscribers are told to load what they show")
				f.log.Gap()
			}
			position = f.take(entries)
		}
	}
}

// isBefore reports whether a position is before another one. Positions are two numbers with a hyphen.
func isBefore(a, b string) bool {
	timeA, numberA := parsePosition(a)
	timeB, numberB := parsePosition(b)
	return timeA < timeB || timeA == timeB && numberA < numberB
}

func parsePosition(text string) (time, number uint64) {
	first, second, _ := strings.Cut(text, "-")
	time, _ = strconv.ParseUint(first, 10, 64) // 0 is before all others
	number, _ = strconv.ParseUint(second, 10, 64)
	return time, number
}

// take appends entries to the log. It returns the position of the last one.
func (f *Feed) take(entries []Entry) (position string) {
	for _, entry := range entries {
		position = entry.Position
		hook, ok := f.find(entry.Workspace)
		if !ok {
			continue
		}
		text, err := sealing(hook).Open(nil, nil, entry.Event, []byte(entry.ID))
		var e Event
		if err != nil || json.Unmarshal(text, &e, anyText...) != nil || e.Workspace+" "+e.ID != entry.ID {
			// Another token encrypted it, for example because the access files differ.
			slog.Warn("an event of another replica cannot be read: subscribers are told to load what they show", "webhook", hook.Name)
			f.log.Drop(entry.Workspace)
			continue
		}
		if f.arrived != nil {
			f.arrived(hook)
		}
		f.mu.Lock()
		wasUnshared := f.unshared[entry.ID]
		delete(f.unshared, entry.ID)
		f.mu.Unlock()
		if wasUnshared {
			f.log.Repeat(e)
		} else {
			f.log.Append(e)
		}
	}
	return position
}

// Follow returns a follower of the events of a workspace from now on, or after the event with an id. It
// fails with [ErrOutsideWindow] if that event is not kept any more.
func (f *Feed) Follow(ctx context.Context, workspace, after string) (*Follower, error) {
	const tries, pause = 10, 20 * time.Millisecond
	for n := 0; ; n++ {
		follower, err := f.log.Follow(workspace, after)
		if err == nil || f.shared == nil || n == tries {
			return follower, err
		}
		select { // another replica may have got it just now
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
