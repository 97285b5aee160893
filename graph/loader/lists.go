package loader

import (
	"context"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// pageKey says which page of which list.
type pageKey struct {
	parent upstream.Ref
	query  upstream.Query
}

// Lists fetches the lists of one kind of record, each page once, however many
// fields, aliases or windows want it. REST cannot batch them, so nothing waits.
// The records seen are made known to the loaders by id.
type Lists[T any] struct {
	ctx    context.Context //nolint:containedctx // the operation's
	loader *dataloader.Loader[pageKey, *upstream.Page[T]]
}

func newLists[T any](ctx context.Context, fetch func(context.Context, upstream.Ref, upstream.Query) (*upstream.Page[T], error), known ...*Records[T]) *Lists[T] {
	page := func(_ context.Context, keys []pageKey) []*dataloader.Result[*upstream.Page[T]] {
		results := make([]*dataloader.Result[*upstream.Page[T]], len(keys))
		for i, key := range keys { // exactly one: the capacity is 1
			p, err := fetch(ctx, key.parent, key.query)
			results[i] = &dataloader.Result[*upstream.Page[T]]{Data: p, Error: err}
			if err != nil {
				continue
			}
			for _, t := range p.Rows {
				for _, records := range known {
					records.Prime(t)
				}
			}
		}
		return results
	}
	return &Lists[T]{ctx: ctx, loader: dataloader.NewBatchedLoader(page,
		dataloader.WithBatchCapacity[pageKey, *upstream.Page[T]](1),
		dataloader.WithWait[pageKey, *upstream.Page[T]](never),
	)}
}

// Load returns the window of a parent's list. The parent of a list that has
// none is the zero Ref.
func (l *Lists[T]) Load(parent upstream.Ref, q upstream.Query, w upstream.Window) (upstream.Slice[T], error) {
	if parent.Kind != "" && parent.ID == "" {
		return upstream.Slice[T]{}, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no id by which this could be found.")
	}
	return upstream.Walk(l.ctx, q, w, func(ctx context.Context, q upstream.Query) (*upstream.Page[T], error) {
		return l.loader.Load(ctx, pageKey{parent, q})()
	})
}
