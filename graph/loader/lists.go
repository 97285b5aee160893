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

// pageKey says which page of which list.
type pageKey struct {
	parent upstream.Ref
	query  upstream.Query
}

// List is a list of records and how its pages are fetched. It is the same for all
// operations.
type List[T any] struct {
	rows  *Resource[T]
	fetch fetchPage[T]
}

func newList[T any](rows *Resource[T], fetch fetchPage[T]) *List[T] { return &List[T]{rows, fetch} }

// wholeList is a window that holds all of any list; the budget of calls bounds it.
const wholeList = 1 << 30

// findsAll has the list be where records are found by their ids, several at a time, since
// REST has no filter for them (API.md §6): it is walked until all are found, as long as
// that is not more calls than asking for each. A record that does not say where it
// belongs is there only if it is on the list, so that a caller who must not see
// everything is not shown it by its id alone.
func findByWalk[T any](list *List[T]) *List[T] {
	walk := func(l *Loaders, workspace string, most int, until func([]*T) bool) error {
		q := upstream.Query{}
		var pager upstream.Pager[T]
		for range most {
			page, err := pager.Turn(l.ctx, q, list.Of(l).pageFetcher(upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace}))
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
	byMember := list.rows.fetchOne
	list.rows.fetchOne = func(l *Loaders, ref upstream.Ref) (*T, error) {
		if !l.client.Scoped() {
			return byMember(l, ref)
		}
		var found *T
		err := walk(l, ref.Parent, wholeList, func(rows []*T) bool {
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
			err = upstream.NotThere()
		}
		return found, err
	}
	list.rows.fetchMany = func(l *Loaders, workspace string, ids []string) ([]*T, error) {
		var found []*T
		err := walk(l, workspace, len(ids), func(rows []*T) bool {
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

// From returns the lists of the operation that the context belongs to.
func (list *List[T]) From(ctx context.Context) *Lists[T] { return list.Of(From(ctx)) }

// Of returns the lists of an operation.
func (list *List[T]) Of(l *Loaders) *Lists[T] {
	return &Lists[T]{list, l, getOrCreate(l, list, func() *pageCache[T] { return new(pageCache[T]) })}
}

// Lists fetches the lists of one kind for an operation, each page once, however
// many fields, aliases or windows want it. REST cannot batch them, so that nothing
// waits and a dataloader would have nothing to do. The records seen are made
// known to the loaders by id. It is safe for concurrent use.
type Lists[T any] struct {
	list    *List[T]
	loaders *Loaders
	*pageCache[T]
}

// turned are the pages that an operation has turned to.
type pageCache[T any] struct {
	mu    sync.Mutex
	pages map[pageKey]*page[T]
}

// page is one page of a list, which is fetched once.
type page[T any] struct {
	once sync.Once
	rows *upstream.Page[T]
	err  error
}

// Load returns the window of a parent's list. The parent of a list that has
// none is the zero Ref.
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
	err := sideBySide(l.loaders, len(filters), func(on *Loaders, i int) (err error) {
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

// merge returns the window of several windows of one list, sorted by id.
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

// pagesOf returns what fetches a page of a parent's list, for a walk.
func (l *Lists[T]) pageFetcher(parent upstream.Ref) func(context.Context, upstream.Query) (*upstream.Page[T], error) {
	return func(_ context.Context, q upstream.Query) (*upstream.Page[T], error) {
		return l.loadPage(pageKey{parent, q})
	}
}

// Read fetches the whole lists of parents, side by side, so that their rows are known by
// their ids. What cannot be read is not.
func (l *Lists[T]) Preload(parents []upstream.Ref) {
	_ = sideBySide(l.loaders, len(parents), func(on *Loaders, i int) error {
		_, err := l.list.Of(on).Load(parents[i], upstream.Query{}, upstream.Window{Limit: wholeList})
		return err
	})
}

// load returns a page, and fetches it if nobody has before.
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
		p.err = errPanic // which others find if this one panics
		if p.rows, p.err = l.list.fetch(l.loaders.forBatch(l.loaders.ctx), key.parent, key.query); p.err == nil {
			l.list.rows.Of(l.loaders).Prime(p.rows.Rows)
		}
	})
	if p.err == nil {
		// Whoever fetched the page, it is one call after what came before.
		upstream.AwaitChain(l.loaders.ctx, min(p.rows.Chain, before+1))
	}
	return p.rows, p.err
}

var errPanic = errors.New("panic while loading")
