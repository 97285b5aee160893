package gqlhttp

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Streams counts and limits the subscriptions and the WebSocket connections of a server. It is safe for
// concurrent use.
type Streams struct {
	subscriptions, connections counts
}

// NewStreams returns the streams of a server that has at most so many subscriptions, and as many
// connections; 0 is no limit.
func NewStreams(most int) *Streams {
	return &Streams{counts{most: most}, counts{most: most}}
}

// Metrics returns the Prometheus metrics of the streams.
func (s *Streams) Metrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "funnelgraph_subscriptions", Help: "Running subscriptions."}, s.subscriptions.now),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "funnelgraph_websocket_connections", Help: "Open WebSocket connections."}, s.connections.now),
	}
}

// tooManyStreams is the response to a client with too many streams.
func tooManyStreams() *graphql.Response {
	const message = "There are too many subscriptions at once: end one of them, or subscribe later."
	return &graphql.Response{Errors: gqlerror.List{{
		Err: upstream.NewError(upstream.RateLimited, message), Message: message, Extensions: map[string]any{"code": string(upstream.RateLimited)},
	}}}
}

// counts are the numbers of streams by client.
type counts struct {
	most int

	mu       sync.Mutex
	all      int
	byClient map[any]int
}

func (c *counts) now() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return float64(c.all)
}

// acquire counts a stream of a client until release is called. It returns false if there are too many:
// may reports whether the client may have one more than it has.
func (c *counts) acquire(ctx context.Context, client any, may func(ctx context.Context, running int) bool) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most > 0 && c.all >= c.most || may != nil && !may(ctx, c.byClient[client]) {
		return nil, false
	}
	if c.byClient == nil {
		c.byClient = make(map[any]int)
	}
	c.all++
	c.byClient[client]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.byClient[client]--; c.byClient[client] == 0 {
			delete(c.byClient, client)
		}
	}, true
}
