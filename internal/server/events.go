package server

import (
	"context"
	"errors"

	"github.com/funnelgraph/funnelgraph/graph"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
)

// eventSource gives the events of webhooks to subscriptions.
type eventSource struct {
	log *webhooks.Log
	// isFed reports whether the server gets the events of a workspace.
	isFed func(workspace string) bool
}

var errNoWebhook = errors.New("this server gets no events of this workspace: list a webhook for it in the access file")

// newEvents returns a source for the webhooks of the access file, if there is one.
func newEvents(gate access.Gate) *eventSource {
	isFed := func(string) bool { return false }
	if clients, ok := gate.(*access.Clients); ok {
		isFed = clients.HasWebhook
	}
	return &eventSource{log: webhooks.NewLog(), isFed: isFed}
}

// Follow implements [graph.Events].
func (s *eventSource) Follow(workspace, after string) (next func(context.Context) (graph.Event, error), err error) {
	if !s.isFed(workspace) {
		return nil, errNoWebhook
	}
	follower, err := s.log.Follow(workspace, after)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (graph.Event, error) {
		e, err := follower.Next(ctx)
		return graph.Event{ID: e.ID, Type: e.Type, SubjectType: e.SubjectType, SubjectID: e.SubjectID, OccurredAt: e.OccurredAt, Data: e.Data}, err
	}, nil
}
