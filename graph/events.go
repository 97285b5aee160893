package graph

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Event is something that happened in a workspace.
type Event struct {
	ID, Type string
	// SubjectType and SubjectID name the record that it is about, such as `Contact` and its raw id.
	SubjectType, SubjectID string
	OccurredAt             time.Time
	Data                   jsontext.Value
	// Current reports that Data has the format of the record's response, and that no newer event about
	// the record is known.
	Current bool
}

// Events are the events of workspaces. It is safe for concurrent use.
type Events interface {
	// Follow returns a function that waits for the next event of a workspace, given by its raw id: from
	// now on, or after the event with an id. Its errors are for clients.
	Follow(ctx context.Context, workspace, after string) (next func(context.Context) (Event, error), err error)
}

type eventsKey struct{}

// eventsOf starts the subscription `events`.
func eventsOf(ctx context.Context, workspaceID string, types []model.EventType, after *string) (<-chan *model.Event, error) {
	workspace, err := workspaceByID(ctx, &workspaceID, nil)
	if err != nil {
		return nil, err
	}
	return follow(ctx, workspace.RawID(), after, func(e *model.Event) bool { return len(types) == 0 || slices.Contains(types, e.EventType) })
}

// changesOf starts the subscription `changed`.
func changesOf(ctx context.Context, id string, after *string) (<-chan *model.Event, error) {
	found, err := node(ctx, id)
	if err != nil {
		return nil, err
	}
	ref := found.Ref()
	workspace := loader.WorkspaceOf(ref)
	if workspace == "" {
		return nil, badInput("There are no events about this object: they are about objects of a workspace.")
	}
	return follow(ctx, workspace, after, func(e *model.Event) bool { return e.Ref.Kind == ref.Kind && e.Ref.ID == ref.ID })
}

// follow sends the events of a workspace that match, until the context or their source ends.
func follow(ctx context.Context, workspace string, after *string, match func(*model.Event) bool) (<-chan *model.Event, error) {
	source, _ := ctx.Value(eventsKey{}).(Events)
	if source == nil {
		return nil, badInput("This server gets no events: its access file has no webhooks.")
	}
	running, _ := ctx.Value(streamKey{}).(*stream)
	from := lastEventOf(ctx) // a client that connects again sends the same arguments again
	if from == "" && after != nil {
		from = *after
	}
	if running.isProbe {
		from = ""
	}
	next, err := source.Follow(ctx, workspace, from)
	if err != nil {
		return nil, badInput("%s", sentence(err.Error()))
	}
	events := make(chan *model.Event)
	go func() {
		defer close(events)
		running.fail(pump(ctx, workspace, next, match, events))
	}()
	return events, nil
}

// pump sends the events of a workspace that match. It returns why their source has ended, nil if the
// context has.
func pump(ctx context.Context, workspace string, next func(context.Context) (Event, error), match func(*model.Event) bool, events chan<- *model.Event) error {
	for {
		e, err := next(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody waits for it
		}
		if err != nil {
			return err
		}
		event := newEvent(workspace, e)
		if match(event) {
			select {
			case events <- event:
			case <-ctx.Done():
				return nil
			}
		}
		if event.EventType == model.EventTypePlatformApplicationDisconnected {
			return errDisconnected
		}
	}
}

var errDisconnected = upstream.NewError(upstream.Unauthenticated, "The application was disconnected from ClickFunnels: connect it again.")

// newEvent returns an event for clients.
func newEvent(workspace string, e Event) *model.Event {
	event := &model.Event{ID: e.ID, Type: e.Type, EventType: model.EventTypeOf(e.Type), OccurredAt: e.OccurredAt, Data: e.Data, Current: e.Current}
	if kind, ok := upstream.KindOfSubject(e.SubjectType); ok && e.SubjectID != "" {
		event.Ref = upstream.Ref{Kind: kind, Parent: workspace, ID: e.SubjectID}
	}
	return event
}

// eventSubject loads the subject of an event. It is null if the record is gone or hidden.
func eventSubject(ctx context.Context, e *model.Event) (model.Node, error) {
	if e.Ref == (upstream.Ref{}) {
		return nil, nil //nolint:nilnil // null
	}
	found, err := loader.From(ctx).Node(e.Ref)
	if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.Code == upstream.NotFound {
		return nil, nil //nolint:nilnil // null
	}
	return found, err
}
