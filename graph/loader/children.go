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
// contacts. REST lists the rows of any number of parents at once, not grouped (API.md §6). It is
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
// documents no limit (API.md §9, 4).
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
	found := make(map[string]*childRows[T], len(parents))
	for _, id := range parents {
		found[id] = &childRows[T]{last: -1}
	}
	q := key.query
	if key.window.Backward {
		q.Descending = !q.Descending
	}
	q.After = key.window.Cursor
	pending := slices.Clone(parents)
	// Each page except the last adds rows of at least one parent.
	pages := len(parents) * (2 + key.window.Limit/upstream.PageSize)
	if c.key == "" || key.window.Limit == math.MaxInt {
		pages = -1 // to the end of the list
	}
	pager := upstream.Pager[T]{Cursor: key.window.Cursor}
	for seen := 0; len(pending) > 0; pages-- {
		if pages == 0 {
			return nil, upstream.NewError(upstream.Unavailable, "ClickFunnels sends rows that were not asked for.")
		}
		asked := q
		if c.key != "" {
			var err error
			slices.Sort(pending)
			if asked.Filter, err = q.Filter.With(c.key, pending...); err != nil {
				return nil, err
			}
		}
		page, err := pager.Turn(l.ctx, asked, c.list.Of(l).pageFetcher(key.list))
		if err != nil {
			return nil, err
		}
		for _, t := range page.Rows {
			for _, id := range c.parentsOf(t) {
				if k := found[id]; k != nil && slices.Contains(pending, id) {
					k.rows, k.last = append(k.rows, t), seen
				}
			}
			seen++
		}
		if page.Next == "" {
			return found, nil
		}
		if page.Hidden {
			pages++ // it may have no row that counts
		}
		before := len(pending)
		only := len(pending) == 1 && c.key != "" // then all rows that follow are its own
		pending = slices.DeleteFunc(pending, func(id string) bool {
			k, enough := found[id], key.window.Limit
			if only && len(k.rows) >= enough {
				k.more = true
				return true
			}
			if key.exact && enough < math.MaxInt {
				enough++
			}
			return len(k.rows) >= enough
		})
		switch {
		case len(pending) == before || c.key == "":
			q.After = page.Next
		case len(pending) > 0:
			pager.Restart()
			if last := c.resumeCursor(found, pending); last != "" {
				q.After = last
			} else {
				q.After = key.window.Cursor
			}
		}
	}
	return found, nil
}

// resumeCursor returns the cursor of the last row that belongs to any of the parents, or "".
func (c *Children[T]) resumeCursor(found map[string]*childRows[T], parents []string) string {
	last := slices.MaxFunc(parents, func(a, b string) int { return cmp.Compare(found[a].last, found[b].last) })
	if k := found[last]; k.last >= 0 {
		return c.cursor(k.rows[len(k.rows)-1])
	}
	return ""
}
