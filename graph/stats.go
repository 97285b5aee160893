package graph

import (
	"context"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// funnelStats returns the statistics of a funnel.
func funnelStats(ctx context.Context, funnel *upstream.Funnel, from, to *time.Time) (*upstream.FunnelStats, error) {
	return statsOf(ctx, funnel.Ref(), from, to, (*upstream.Client).FunnelStats)
}

// pageStats returns the statistics of a page.
func pageStats(ctx context.Context, page *upstream.WebPage, from, to *time.Time) (*upstream.PageStats, error) {
	return statsOf(ctx, page.Ref(), from, to, (*upstream.Client).PageStats)
}

// statsOf returns the statistics of a record. ClickFunnels would ignore a period that ends before it
// begins, and return other statistics.
func statsOf[T any](ctx context.Context, of upstream.Ref, from, to *time.Time, fetch func(*upstream.Client, context.Context, upstream.Place, string, upstream.Query) (*T, error)) (*T, error) {
	if from != nil && to != nil && from.After(*to) {
		return nil, badInput("from must not be later than to.")
	}
	q := upstream.InPeriod(from, to)
	return loader.ObjectOf(loader.From(ctx), of, q, func(c *upstream.Client, ctx context.Context, p upstream.Place) (*T, error) {
		return fetch(c, ctx, p, of.ID, q)
	})
}
