package loader

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// pageKey identifies a page of a list.
type pageKey struct {
	parent upstream.Ref
	query  upstream.Query
}

// List says how the pages of a list are fetched. It is shared by all operations.
type List[T any] struct {
	rows  *Resource[T]
	fetch fetchPage[T]
}

func newList[T any](rows *Resource[T], fetch fetchPage[T]) *List[T] { return &List[T]{rows, fetch} }

// WholeList is the size of a window that holds any list. The call budget bounds such a walk.
const WholeList = 1 << 30

// findByWalk makes the list the way to find its records by id, since REST has no filter for them
// (clickfunnels-api.md §6). For several ids it walks the list until all are found, but makes no more calls
// than one per id.
//
// For a scoped client it walks the list for a single id, too: such a record does not name its
// workspace, so only the list proves that it belongs there. So it does for all clients if there is
// no path for a single record.
func findByWalk[T any](list *List[T]) *List[T] {
	byMember := list.rows.fetchOne
	list.rows.fetchOne = func(l *Loaders, ref upstream.Ref) (*T, error) {
		if byMember != nil && !l.client.Scoped() {
			return byMember(l, ref)
		}
		var found *T
		err := pageThrough(l, list, ref.Parent, WholeList, func(rows []*T) bool {
			i := slices.IndexFunc(rows, func(t *T) bool {
				_, ids := list.rows.addressOf(t)
				return slices.Contains(ids, ref.ID)
			})
			if i >= 0 {
				found = rows[i]
			}
			return i >= 0
		})
		if err == nil && found == nil {
			err = upstream.RecordNotFound()
		}
		return found, err
	}
	list.rows.fetchMany = func(l *Loaders, workspace string, ids []string) ([]*T, error) {
		var found []*T
		err := pageThrough(l, list, workspace, len(ids), func(rows []*T) bool {
			for _, t := range rows {
				if ref, _ := list.rows.addressOf(t); slices.Contains(ids, ref.ID) {
					found = append(found, t)
				}
			}
			return len(found) == len(ids)
		})
		return found, err
	}
	return list
}

// pageThrough passes the pages of a workspace's list to until, which returns true to stop. It
// fetches at most the given number of pages.
func pageThrough[T any](l *Loaders, list *List[T], workspace string, most int, until func([]*T) bool) error {
	q := upstream.Query{}
	var pager upstream.Pager[T]
	for range most {
		page, err := pager.Next(l.ctx, q, list.Of(l).pageFetcher(upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace}))
		if err != nil {
			return err
		}
		if until(page.Rows) || page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
	return nil
}

// From returns the lists of the context's operation.
func (list *List[T]) From(ctx context.Context) *Lists[T] { return list.Of(From(ctx)) }

// Of returns the lists of the loaders' operation.
func (list *List[T]) Of(l *Loaders) *Lists[T] {
	return &Lists[T]{list, l, getOrCreate(l, list, func() *pageCache[T] { return new(pageCache[T]) })}
}

// Lists loads the lists of one kind for an operation. Each page is fetched once, however many
// fields, aliases or windows use it. It needs no dataloader, since REST cannot batch pages and no
// load waits. The rows are primed for loads by id. It is safe for concurrent use.
type Lists[T any] struct {
	list    *List[T]
	loaders *Loaders
	*pageCache[T]
}

// pageCache holds the pages that an operation has loaded.
type pageCache[T any] struct {
	mu    sync.Mutex
	pages map[pageKey]*page[T]
}

// page is one page of a list, fetched once.
type page[T any] struct {
	once sync.Once
	rows *upstream.Page[T]
	err  error
}

// Load returns a window of a parent's list. The parent is the zero Ref for a list without one. A
// filter that is too long for one URL is split into several calls, whose rows are merged by id.
func (l *Lists[T]) Load(parent upstream.Ref, q upstream.Query, w upstream.Window) (upstream.Slice[T], error) {
	if parent.Kind != "" && parent.ID == "" {
		return upstream.Slice[T]{}, upstream.NewError(upstream.Unavailable, "ClickFunnels sent no id by which this could be found.")
	}
	filters := q.Filter.Split()
	if len(filters) == 1 {
		return upstream.Walk(l.loaders.ctx, q, w, l.pageFetcher(parent))
	}
	if q.SortProperty != "" {
		return upstream.Slice[T]{}, upstream.NewError(upstream.BadUserInput, "So long a filter takes several calls, whose rows can be sorted by ID only: leave the sort out, or filter by fewer values.")
	}
	windows := make([]upstream.Slice[T], len(filters))
	err := concurrently(l.loaders, len(filters), func(on *Loaders, i int) (err error) {
		q := q
		q.Filter = filters[i]
		windows[i], err = upstream.Walk(on.ctx, q, w, l.list.Of(on).pageFetcher(parent))
		return err
	})
	if err != nil {
		return upstream.Slice[T]{}, err
	}
	return l.merge(windows, q.Descending, w), nil
}

// merge merges the same window of several filters, sorted by id and without duplicates.
func (l *Lists[T]) merge(windows []upstream.Slice[T], descending bool, w upstream.Window) upstream.Slice[T] {
	number := func(t *T) uint64 {
		ref, _ := l.list.rows.addressOf(t)
		n, _ := strconv.ParseUint(ref.ID, 10, 64)
		return n
	}
	var s upstream.Slice[T]
	for _, window := range windows {
		s.Rows = append(s.Rows, window.Rows...)
		s.More = s.More || window.More
	}
	slices.SortFunc(s.Rows, func(a, b *T) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(number(a), number(b))
	})
	s.Rows = slices.CompactFunc(s.Rows, func(a, b *T) bool { return number(a) == number(b) })
	if over := len(s.Rows) - w.Limit; over > 0 {
		s.More = true
		if w.Backward {
			s.Rows = s.Rows[over:]
		} else {
			s.Rows = s.Rows[:w.Limit]
		}
	}
	return s
}

// pageFetcher returns the function that fetches a page of a parent's list, for a walk.
func (l *Lists[T]) pageFetcher(parent upstream.Ref) func(context.Context, upstream.Query) (*upstream.Page[T], error) {
	return func(_ context.Context, q upstream.Query) (*upstream.Page[T], error) {
		return l.loadPage(pageKey{parent, q})
	}
}

// Preload fetches the whole lists of parents concurrently, so that their rows can be loaded by
// id. It ignores errors: loads of rows that are missing then fetch them.
func (l *Lists[T]) Preload(parents []upstream.Ref) {
	_ = concurrently(l.loaders, len(parents), func(on *Loaders, i int) error {
		_, err := l.list.Of(on).Load(parents[i], upstream.Query{}, upstream.Window{Limit: WholeList})
		return err
	})
}

// loadPage returns a page, which the first caller fetches.
func (l *Lists[T]) loadPage(key pageKey) (*upstream.Page[T], error) {
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
	before, _ := upstream.ChainOf(l.loaders.ctx)
	p.once.Do(func() {
		p.err = errPanic // for other callers, if this one panics
		if p.rows, p.err = l.list.fetch(l.loaders.forBatch(l.loaders.ctx), key.parent, key.query); p.err == nil {
			l.list.rows.Of(l.loaders).Prime(p.rows.Rows)
		}
	})
	if p.err == nil {
		// The page is one call after the caller's previous calls, even if another caller fetched
		// it.
		upstream.AwaitChain(l.loaders.ctx, min(p.rows.Chain, before+1))
	}
	return p.rows, p.err
}

var errPanic = errors.New("panic while loading")
