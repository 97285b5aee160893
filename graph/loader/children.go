package loader

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Children loads the rows of a list by the records that they belong to, such as the orders of
// contacts. REST lists the rows of any number of parents at once, not grouped (clickfunnels-api.md §6). It is
// shared by all operations.
type Children[T any] struct {
	list *List[T]
	// key is the filter that finds rows by their parents. It is empty if REST has none; then the
	// whole list is walked.
	key string
	// parentsOf returns the raw ids of the parents that a row belongs to.
	parentsOf func(*T) []string
	// listsOf, if not nil, returns the records that the rows are listed below, given the record
	// in [Parent.List].
	listsOf func(l *Loaders, parent upstream.Ref) ([]upstream.Ref, error)

	cursor func(*T) string
}

// byKey returns children that a filter finds. Each row has one parent.
func byKey[T any, P row[T]](list *List[T], key string, parent func(*T) string) *Children[T] {
	return &Children[T]{list: list, key: key, parentsOf: func(t *T) []string { return []string{parent(t)} }, cursor: cursor[T, P]}
}

// byWalk returns children that no filter finds. A row may have several parents.
func byWalk[T any, P row[T]](list *List[T], parents func(*T) []string) *Children[T] {
	return &Children[T]{list: list, parentsOf: parents, cursor: cursor[T, P]}
}

// across makes the rows those of several lists, merged by id.
func (c *Children[T]) across(lists func(l *Loaders, parent upstream.Ref) ([]upstream.Ref, error)) *Children[T] {
	c.listsOf = lists
	return c
}

func cursor[T any, P row[T]](t *T) string { return P(t).Ref().ID }

// childrenKey identifies a batch of parents: the same children, list, query and window.
type childrenKey struct {
	children any // *Children
	list     upstream.Ref
	query    upstream.Query
	window   upstream.Window
	exact    bool
}

// Parent identifies the children of one record: the record that they are listed below, and the
// raw id of the record that they belong to.
type Parent struct {
	List upstream.Ref
	ID   string
}

// Of returns a window of each parent's children, in the order of the parents. Each has its own
// error or nil. Parents of the same list, query and window share a batch. exact says that
// [upstream.Slice.More] is used, which can take one more page.
func (c *Children[T]) Of(ctx context.Context, parents []Parent, q upstream.Query, w upstream.Window, exact bool) ([]upstream.Slice[T], []error) {
	l := From(ctx)
	ids, thunks := make([]upstream.Ref, len(parents)), make([]thunk, len(parents))
	byList := make(map[upstream.Ref][]int)
	for i, p := range parents {
		ids[i].ID = p.ID
		byList[p.List] = append(byList[p.List], i)
	}
	for list, indices := range byList {
		key := childrenKey{c, list, q, w, exact}
		b := getOrCreate(l, key, func() *batcher {
			return newBatcher(l.ctx, func(ctx context.Context, ids []upstream.Ref) []*loaded {
				return c.batch(l.forBatch(ctx), key, ids) //nolint:contextcheck // each branch has one of its own
			}, true)
		})
		if b.add(l.branch().ctx, ids, indices, thunks) { //nolint:contextcheck // the operation's
			l.join(WorkspaceOf(list), c.list.rows.kind, b.send)
		}
	}
	l.SettleCall()
	found, errs := make([]upstream.Slice[T], len(parents)), make([]error, len(parents))
	for i, thunk := range thunks {
		value, err := thunk()
		if errs[i] = err; err != nil {
			continue
		}
		found[i] = value.(upstream.Slice[T])
		for _, t := range found[i].Rows {
			l.awaitChain(t)
		}
	}
	return found, errs
}

// WorkspaceOf returns the workspace id of a record, which may be a workspace itself.
func WorkspaceOf(ref upstream.Ref) string {
	if ref.Kind == upstream.KindWorkspace {
		return ref.ID
	}
	return ref.Parent
}

// maxParents keeps a filter's URL far below the 8 KB that servers commonly accept. ClickFunnels
// documents no limit (clickfunnels-api.md §9, 4).
const maxParents = 100

func (c *Children[T]) batch(l *Loaders, key childrenKey, parents []upstream.Ref) []*loaded {
	results, ids := make([]*loaded, len(parents)), make([]string, len(parents))
	for i, parent := range parents {
		ids[i] = parent.ID
	}
	chunks := slices.Collect(slices.Chunk(ids, maxParents))
	_ = concurrently(l, len(chunks), func(l *Loaders, i int) error { // each result has its own error
		found, err := c.fetch(l, key, chunks[i])
		for k, id := range chunks[i] {
			result := &loaded{Error: err}
			if err == nil {
				result.Data = found[id].toSlice(key.window)
			}
			results[i*maxParents+k] = result
		}
		return err
	})
	for i, result := range results {
		if result == nil {
			results[i] = &loaded{Error: errPanic}
		}
	}
	return results
}

func (c *Children[T]) fetch(l *Loaders, key childrenKey, parents []string) (map[string]*childRows[T], error) {
	if c.listsOf == nil {
		return c.walk(l, key, parents)
	}
	lists, err := c.listsOf(l, key.list)
	if err != nil {
		return nil, err
	}
	// The window can begin anywhere in each list, so all of each list is fetched.
	whole := key
	whole.window = upstream.Window{Limit: math.MaxInt}
	found := make([]map[string]*childRows[T], len(lists))
	if err := concurrently(l, len(lists), func(l *Loaders, i int) (err error) {
		one := whole
		one.list = lists[i]
		found[i], err = c.walk(l, one, parents)
		return err
	}); err != nil {
		return nil, err
	}
	merged := make(map[string]*childRows[T], len(parents))
	for _, id := range parents {
		m := &childRows[T]{}
		for _, rows := range found {
			m.rows = append(m.rows, rows[id].rows...)
		}
		merged[id] = m.window(key.window, c.cursor)
	}
	return merged, nil
}

// concurrently runs f for 0 to n-1 concurrently, each with loaders of its own, and waits for all.
// It returns one of their errors, if any. A panic of f is an error.
func concurrently(l *Loaders, n int, f func(l *Loaders, i int) error) error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	branches := make([]*Loaders, n)
	for i := range n {
		errs[i], branches[i] = errPanic, l.branch()
		calls.Go(func() {
			defer func() { _ = recover() }()
			errs[i] = f(branches[i], i)
		})
	}
	calls.Wait()
	for _, branch := range branches {
		if n, ok := upstream.ChainOf(branch.ctx); ok {
			upstream.AwaitChain(l.ctx, n)
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// childRows are the rows of one parent, in the direction of the walk.
type childRows[T any] struct {
	rows []*T
	more bool
	last int // index of the last row among all rows of the walk
}

func (r *childRows[T]) toSlice(w upstream.Window) upstream.Slice[T] {
	s := upstream.Slice[T]{Rows: r.rows, More: r.more}
	if len(s.Rows) > w.Limit {
		s.Rows, s.More = s.Rows[:w.Limit], true
	}
	if w.Backward {
		slices.Reverse(s.Rows)
	}
	return s
}

// window sorts the rows and drops those outside the window's cursor.
func (r *childRows[T]) window(w upstream.Window, cursor func(*T) string) *childRows[T] {
	number := func(t *T) uint64 {
		n, _ := strconv.ParseUint(cursor(t), 10, 64)
		return n
	}
	slices.SortFunc(r.rows, func(a, b *T) int {
		if w.Backward {
			a, b = b, a
		}
		return cmp.Compare(number(a), number(b))
	})
	if from, err := strconv.ParseUint(w.Cursor, 10, 64); err == nil {
		r.rows = slices.DeleteFunc(r.rows, func(t *T) bool {
			return w.Backward && number(t) >= from || !w.Backward && number(t) <= from
		})
	}
	return r
}

// walk pages through a list until each parent has enough rows. A parent that has enough is
// dropped from the filter, so that one with very many rows costs the others nothing. The walk
// then resumes after the last row of the remaining parents, so that it skips and repeats none.
func (c *Children[T]) walk(l *Loaders, key childrenKey, parents []string) (map[string]*childRows[T], error) {
	w := &childWalk[T]{
		children: c, key: key, query: key.query, pager: upstream.Pager[T]{Cursor: key.window.Cursor},
		pending: slices.Clone(parents), found: make(map[string]*childRows[T], len(parents)),
	}
	w.query.Descending = key.query.Descending != key.window.Backward
	w.query.After = key.window.Cursor
	for _, id := range parents {
		w.found[id] = &childRows[T]{last: -1}
	}
	// Each page except the last adds rows of at least one parent.
	pages := len(parents) * (2 + key.window.Limit/upstream.PageSize)
	if c.key == "" || key.window.Limit == math.MaxInt {
		pages = -1 // to the end of the list
	}
	for ; len(w.pending) > 0; pages-- {
		if pages == 0 {
			return nil, upstream.NewError(upstream.Unavailable, "ClickFunnels sends rows that were not asked for.")
		}
		page, err := w.turn(l)
		if err != nil {
			return nil, err
		}
		w.collect(page.Rows)
		if page.Next == "" {
			break
		}
		if page.Hidden {
			pages++ // it may have no row that counts
		}
		w.advance(page.Next)
	}
	return w.found, nil
}

// childWalk is one run of [Children.walk].
type childWalk[T any] struct {
	children *Children[T]
	key      childrenKey
	query    upstream.Query // for the next page, without the parents
	pager    upstream.Pager[T]
	pending  []string // parents that do not have enough rows
	found    map[string]*childRows[T]
	seen     int // number of rows
}

// turn fetches the next page.
func (w *childWalk[T]) turn(l *Loaders) (*upstream.Page[T], error) {
	q := w.query
	if key := w.children.key; key != "" {
		var err error
		slices.Sort(w.pending)
		if q.Filter, err = q.Filter.With(key, w.pending...); err != nil {
			return nil, err
		}
	}
	return w.pager.Next(l.ctx, q, w.children.list.Of(l).pageFetcher(w.key.list))
}

// collect adds the rows of a page to their parents.
func (w *childWalk[T]) collect(rows []*T) {
	for _, t := range rows {
		for _, id := range w.children.parentsOf(t) {
			if found := w.found[id]; found != nil && slices.Contains(w.pending, id) {
				found.rows, found.last = append(found.rows, t), w.seen
			}
		}
		w.seen++
	}
}

// advance drops the parents that have enough rows, and sets the cursor of the next page.
func (w *childWalk[T]) advance(next string) {
	before, filtered := len(w.pending), w.children.key != ""
	only := before == 1 && filtered // then all rows that follow are its own
	w.pending = slices.DeleteFunc(w.pending, func(id string) bool { return w.hasEnough(w.found[id], only) })
	switch {
	case len(w.pending) == before || !filtered:
		w.query.After = next
	case len(w.pending) > 0:
		w.pager.Restart()
		w.query.After = cmp.Or(w.resumeCursor(), w.key.window.Cursor)
	}
}

func (w *childWalk[T]) hasEnough(rows *childRows[T], only bool) bool {
	enough := w.key.window.Limit
	if only && len(rows.rows) >= enough {
		rows.more = true
		return true
	}
	if w.key.exact && enough < math.MaxInt {
		enough++
	}
	return len(rows.rows) >= enough
}

// resumeCursor returns the cursor of the last row of any of the pending parents, or "" if they
// have no rows.
func (w *childWalk[T]) resumeCursor() string {
	last := slices.MaxFunc(w.pending, func(a, b string) int { return cmp.Compare(w.found[a].last, w.found[b].last) })
	if rows := w.found[last]; rows.last >= 0 {
		return w.children.cursor(rows.rows[len(rows.rows)-1])
	}
	return ""
}
