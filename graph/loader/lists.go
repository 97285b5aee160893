package loader

import (
	"context"
	"errors"
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
	pages map[pageKey]*page[T]
}

// page is one page of a list, which is fetched once.
type page[T any] struct {
	once sync.Once
	rows *upstream.Page[T]
	err  error
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
		return l.load(pageKey{parent, q})
	})
}

// load returns a page, and fetches it if nobody has before.
func (l *Lists[T]) load(key pageKey) (*upstream.Page[T], error) {
	l.mu.Lock()
	p, ok := l.pages[key]
	if !ok {
		if l.pages == nil {
			l.pages = make(map[pageKey]*page[T])
		}
		p = new(page[T])
		l.pages[key] = p
	}
	l.mu.Unlock()
	p.once.Do(func() {
		p.err = errPanic // which others find if this one panics
		if p.rows, p.err = l.fetch(l.ctx, key.parent, key.query); p.err != nil {
			return
		}
		for _, records := range l.known {
			records.Know(p.rows.Rows)
		}
	})
	return p.rows, p.err
}

var errPanic = errors.New("panic while loading")
