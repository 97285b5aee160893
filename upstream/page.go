package upstream

import (
	"context"
	"errors"
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
	// Chain is how many calls it took one after another to get the page, the last one
	// included; 0 where nobody counts.
	Chain int
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
// its own in front. The walk ends whatever fetch returns: see [Pager].
func Walk[T any](ctx context.Context, q Query, w Window, fetch func(context.Context, Query) (*Page[T], error)) (Slice[T], error) {
	q.After = w.Cursor
	if w.Backward {
		q.Descending = !q.Descending
	}
	pager := Pager[T]{Cursor: w.Cursor}
	var s Slice[T]
	// Every page but the last is full, or lacks rows that are hidden or came before,
	// so the number of pages is known.
	short := 0
	for pages := 0; pages < (w.Limit+PageSize-1)/PageSize; pages++ {
		page, err := pager.Turn(ctx, q, fetch)
		if err != nil {
			return Slice[T]{}, err
		}
		s.Rows = append(s.Rows, page.Rows...)
		s.More = page.Next != ""
		if !s.More || len(s.Rows) >= w.Limit {
			break
		}
		q.After = page.Next
		if page.Hidden && short < maxHiddenPages {
			short++
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

// Pager turns the pages of one walk through a list and makes sure that the walk goes
// forward: no row comes twice, and a page that leads back ends the walk with an error.
// Every loop over pages uses one. The zero value begins at the list's own end. It is
// not safe for concurrent use.
type Pager[T any] struct {
	// Cursor is the one that the caller gave; empty if the walk begins at the list's end.
	Cursor string

	pages   int
	rows    map[string]int  // the number of the page with which each row came
	cursors map[string]bool // that were used
}

// Restart lets the walk go back to an earlier cursor, for rows that a filter left out
// before.
func (p *Pager[T]) Restart() { clear(p.cursors) }

// Turn fetches the page that the query asks for and leaves out the rows that came
// before; the page is then marked as [Page.Hidden]. It fails when the context has ended,
// and when the walk would not end:
//
//   - The first row of a list sorted by id is at or before the cursor.
//   - More rows are to follow, but none of the page is new.
//   - The cursor of the next page was used before.
//
// At the caller's own cursor, the error has the code BadUserInput: the cursor's row may
// have been deleted. ClickFunnels does not say how it answers then (API.md §9, 8).
// Elsewhere the error is retryable.
func (p *Pager[T]) Turn(ctx context.Context, q Query, fetch func(context.Context, Query) (*Page[T], error)) (*Page[T], error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	page, err := fetch(ctx, q)
	if errors.Is(err, errCursorRejected) {
		return nil, p.noProgress(q, err)
	}
	if err != nil {
		return nil, err
	}
	if len(page.Rows) > 0 && !q.follows(keyOf(page.Rows[0])) {
		return nil, p.noProgress(q, errors.New("the page begins before the cursor"))
	}
	fresh := p.withoutRepeats(page)
	if fresh.Next == "" {
		return fresh, nil
	}
	if p.cursors == nil {
		p.cursors = make(map[string]bool)
	}
	p.cursors[q.After] = true
	if p.cursors[fresh.Next] || len(page.Rows) > 0 && len(fresh.Rows) == 0 {
		return nil, p.noProgress(q, errors.New("the page leads back"))
	}
	return fresh, nil
}

// fresh returns the page without the rows that came before. Rows that came with an earlier
// page are hidden: the page has fewer rows than it could.
func (p *Pager[T]) withoutRepeats(page *Page[T]) *Page[T] {
	if p.rows == nil {
		p.rows = make(map[string]int, len(page.Rows))
	}
	fresh := *page // whose rows others may share
	fresh.Rows = make([]*T, 0, len(page.Rows))
	p.pages++
	for _, row := range page.Rows {
		key := keyOf(row)
		switch first := p.rows[key]; first {
		case 0:
			p.rows[key] = p.pages
			fresh.Rows = append(fresh.Rows, row)
		case p.pages: // twice in one page
		default:
			fresh.Hidden = true
		}
	}
	return &fresh
}

// stuck is the error of a walk that does not go forward.
func (p *Pager[T]) noProgress(q Query, cause error) error {
	if q.After != "" && q.After == p.Cursor {
		return &Error{Code: BadUserInput, cause: cause, Message: "ClickFunnels does not continue this list after the given cursor: the cursor's row may have been deleted. Start again without a cursor."}
	}
	return &Error{Code: Unavailable, Retryable: true, cause: cause, Message: "ClickFunnels did not continue this list after its last row: the list may have changed while it was read. Try again."}
}

func keyOf(row any) string { return row.(interface{ Key() string }).Key() }
