package loader

import (
	"context"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// pageKey says which page of which list.
type pageKey struct {
	parent upstream.Ref
	query  upstream.Query
}

// Lists fetches the lists of one kind of record, each page once, however many
// fields, aliases or windows want it. REST cannot batch them, so that nothing
// waits and a dataloader would have nothing to do. The records seen are made
// known to the loaders by id. It is safe for concurrent use.
type Lists[T any] struct {
	ctx   context.Context //nolint:containedctx // the operation's
	fetch func(context.Context, upstream.Ref, upstream.Query) (*upstream.Page[T], error)
	known []*Records[T]

	mu    sync.Mutex
	pages map[pageKey]func() (*upstream.Page[T], error)
}

func newLists[T any](ctx context.Context, fetch func(context.Context, upstream.Ref, upstream.Query) (*upstream.Page[T], error), known ...*Records[T]) *Lists[T] {
	return &Lists[T]{ctx: ctx, fetch: fetch, known: known}
}

// Load returns the window of a parent's list. The parent of a list that has
// none is the zero Ref.
func (l *Lists[T]) Load(parent upstream.Ref, q upstream.Query, w upstream.Window) (upstream.Slice[T], error) {
	if parent.Kind != "" && parent.ID == "" {
		return upstream.Slice[T]{}, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no id by which this could be found.")
	}
	return upstream.Walk(l.ctx, q, w, func(_ context.Context, q upstream.Query) (*upstream.Page[T], error) {
		return l.page(pageKey{parent, q})()
	})
}

// page returns what fetches a page for the first who calls it.
func (l *Lists[T]) page(key pageKey) func() (*upstream.Page[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	page, ok := l.pages[key]
	if !ok {
		page = sync.OnceValues(func() (*upstream.Page[T], error) {
			p, err := l.fetch(l.ctx, key.parent, key.query)
			if err == nil {
				for _, records := range l.known {
					records.Know(p.Rows)
				}
			}
			return p, err
		})
		if l.pages == nil {
			l.pages = make(map[pageKey]func() (*upstream.Page[T], error))
		}
		l.pages[key] = page
	}
	return page
}
