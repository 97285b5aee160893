package upstream

import (
	"context"
	"slices"
)

// Page is one answer of a list.
type Page[T any] struct {
	// Rows are at most [PageSize] records.
	Rows []*T
	// Next is what [Query.After] has to be for the next page; empty on the
	// last one.
	Next string
	// Hidden says that rows were left out: the page is not full, and may be empty,
	// though others follow.
	Hidden bool
}

// Keep leaves the rows for which keep is true.
func (p *Page[T]) Keep(keep func(*T) bool) {
	all := len(p.Rows)
	p.Rows = slices.DeleteFunc(p.Rows, func(row *T) bool { return !keep(row) })
	p.Hidden = p.Hidden || len(p.Rows) < all
}

// Window is the part of a list that is wanted.
type Window struct {
	// Limit is the most rows wanted.
	Limit int
	// Cursor is the raw id of the row next to the window: the one before it,
	// or the one behind it when Backward. Empty is the list's own end.
	Cursor string
	// Backward walks from the list's end to its beginning.
	Backward bool
}

// Slice is a window's rows in the list's own order.
type Slice[T any] struct {
	Rows []*T
	// More says that rows follow in the direction of the walk.
	More bool
}

// Walk fetches as many pages as the window takes, one after another since each
// page's cursor is in the one before, and no page more: ClickFunnels says in a
// header whether rows follow. Backward windows are the same walk through the
// list sorted the other way round, the only way the API has (API.md §3.1).
//
// fetch is usually a method of [Client]; a caller that remembers pages can put
// its own in front.
func Walk[T any](ctx context.Context, q Query, w Window, fetch func(context.Context, Query) (*Page[T], error)) (Slice[T], error) {
	q.After = w.Cursor
	if w.Backward {
		q.Descending = !q.Descending
	}
	var s Slice[T]
	// Every page but the last is full, or has hidden rows, so the number of pages is
	// known. The bound also ends the walk of a list whose cursor leads nowhere.
	hidden := 0
	for pages := 0; pages < (w.Limit+PageSize-1)/PageSize; pages++ {
		page, err := fetch(ctx, q)
		if err != nil {
			return Slice[T]{}, err
		}
		s.Rows = append(s.Rows, page.Rows...)
		s.More = page.Next != ""
		if !s.More || page.Next == q.After || len(s.Rows) >= w.Limit {
			break
		}
		q.After = page.Next
		if page.Hidden && hidden < maxHiddenPages {
			hidden++
			pages--
		}
	}
	if len(s.Rows) > w.Limit {
		s.Rows, s.More = s.Rows[:w.Limit], true
	}
	if w.Backward {
		slices.Reverse(s.Rows)
	}
	return s, nil
}
