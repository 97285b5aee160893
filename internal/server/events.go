package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/funnelgraph/funnelgraph/graph"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Events receives the events of webhooks, and gives them to subscriptions. It is safe for concurrent use.
type Events struct {
	client func() *upstream.Client
	feed   *webhooks.Feed
	// find returns a webhook of a workspace. The server gets no events of other workspaces.
	find func(workspace string) (webhooks.Webhook, bool)

	deliveries *prometheus.CounterVec
	missed     prometheus.Counter
}

var errNoWebhook = errors.New("this server gets no events of this workspace: list a webhook for it in the access file")

// NewEvents returns the events of the webhooks of an access file, if the gate has one. Until the context
// ends, it shares them with other replicas, and looks for missed ones at ClickFunnels. replicas may be nil.
func NewEvents(ctx context.Context, gate access.Gate, client *upstream.Client, replicas *redis.Client) *Events {
	theClient := func() *upstream.Client { return client }
	clients, ok := gate.(*access.Clients)
	if !ok {
		return newEvents(ctx, nil, func(string) (hook webhooks.Webhook, ok bool) { return hook, false }, theClient)
	}
	var shared webhooks.Shared
	if replicas != nil {
		shared = replicas.Events()
	}
	s := newEvents(ctx, shared, clients.WebhookOf, theClient)
	missed := &webhooks.Missed{Feed: s.feed, Hooks: clients.Webhooks, Client: client, Handle: s.handle}
	go missed.Run(ctx)
	return s
}

func newEvents(ctx context.Context, shared webhooks.Shared, find func(workspace string) (webhooks.Webhook, bool), client func() *upstream.Client) *Events {
	s := &Events{
		client: client, find: find,
		feed:       webhooks.NewFeed(ctx, shared, find, func(hook webhooks.Webhook) { client().WithToken(hook.Token).ChangedElsewhere(hook.Workspace) }),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "funnelgraph_webhooks_total", Help: "Webhooks of ClickFunnels by the status of the response."}, []string{"status"}),
		missed:     prometheus.NewCounter(prometheus.CounterOpts{Name: "funnelgraph_events_missed_total", Help: "Events that no webhook brought, found in the list of events."}),
	}
	s.deliveries.WithLabelValues(strconv.Itoa(http.StatusNoContent)) // so that it begins with 0
	return s
}

// Metrics returns the Prometheus metrics of the events.
func (s *Events) Metrics() []prometheus.Collector {
	return []prometheus.Collector{s.deliveries, s.missed}
}

// receiver returns the handler of webhooks.
func (s *Events) receiver(clients *access.Clients, maxBody int64) *webhooks.Receiver {
	return &webhooks.Receiver{
		Find: clients.Webhook, Handle: s.handle, MaxBody: maxBody,
		Received: func(status int) { s.deliveries.WithLabelValues(strconv.Itoa(status)).Inc() },
	}
}

// handle processes an event. It drops the cached responses of the workspace before subscribers get the
// event.
func (s *Events) handle(ctx context.Context, hook webhooks.Webhook, e webhooks.Event) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	if err := s.client().WithToken(hook.Token).Changed(ctx, hook.Workspace, changeOf(e)); err != nil {
		return err
	}
	if e.Late {
		s.missed.Inc()
	}
	return s.feed.Publish(ctx, e)
}

// changeOf returns the change that an event is about.
func changeOf(e webhooks.Event) upstream.Change {
	var kind upstream.Kind
	if !e.IsV1 {
		kind, _ = upstream.KindOfSubject(e.SubjectType)
	}
	return upstream.Change{
		Kind: kind, ID: e.SubjectID, Data: e.Data,
		IsUpdate: strings.HasSuffix(e.Type, ".updated"), IsDeletion: strings.HasSuffix(e.Type, ".deleted"),
	}
}

// eventTimeout limits the processing of an event, which can look its workspace up.
const eventTimeout = 5 * time.Second

// Follow implements [graph.Events].
func (s *Events) Follow(ctx context.Context, workspace, after string) (next func(context.Context) (graph.Event, error), err error) {
	if _, ok := s.find(workspace); !ok {
		return nil, errNoWebhook
	}
	follower, err := s.feed.Follow(ctx, workspace, after)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (graph.Event, error) {
		e, err := follower.Next(ctx)
		return graph.Event{
			ID: e.ID, Type: e.Type, SubjectType: e.SubjectType, SubjectID: e.SubjectID, OccurredAt: e.OccurredAt, Data: e.Data,
			Current: e.Data != nil && !e.IsV1 && !e.Superseded,
		}, err
	}, nil
}
