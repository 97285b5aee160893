package upstream

import (
	"context"
	"errors"
	"slices"
)

// Page is one page of a list.
type Page[T any] struct {
	// Rows holds at most [PageSize] records.
	Rows []*T
	// Next is the value of [Query.After] for the next page. It is empty on the last page.
	Next string
	// Hidden reports that rows were removed. The page may then be short or empty although other
	// pages follow.
	Hidden bool
	// Chain is the length of the chain of calls that fetched the page, including the last one. It
	// is 0 if the context does not count calls.
	Chain int
}

// Keep removes the rows for which keep returns false.
func (p *Page[T]) Keep(keep func(*T) bool) {
	all := len(p.Rows)
	p.Rows = slices.DeleteFunc(p.Rows, func(row *T) bool { return !keep(row) })
	p.Hidden = p.Hidden || len(p.Rows) < all
}

// Window is the requested part of a list.
type Window struct {
	// Limit is the maximum number of rows.
	Limit int
	// Cursor is the raw id of the row just before the window, or just after it if Backward. Empty
	// means the beginning or the end of the list.
	Cursor string
	// Backward walks from the end of the list to its beginning.
	Backward bool
}

// Slice holds a window's rows in the order of the list.
type Slice[T any] struct {
	Rows []*T
	// More reports whether more rows follow in the direction of the walk.
	More bool
}

// Walk fetches the pages of a window. It fetches them one after another, because each page holds
// the cursor of the next. It makes no extra call, because a header states whether rows follow.
// Backward windows walk the list in descending order, the only way that the API offers
// (clickfunnels-api.md §3.1).
//
// fetch is usually a method of [Client]; a caller can wrap it to cache pages. The walk ends
// whatever fetch returns; see [Pager]. An error of fetch ends it.
func Walk[T any](ctx context.Context, q Query, w Window, fetch func(context.Context, Query) (*Page[T], error)) (Slice[T], error) {
	q.After = w.Cursor
	if w.Backward {
		q.Descending = !q.Descending
	}
	pager := Pager[T]{Cursor: w.Cursor}
	var s Slice[T]
	// Every page except the last is full, or lacks hidden or repeated rows. The number of pages is
	// therefore known.
	short := 0
	for pages := 0; pages < (w.Limit+PageSize-1)/PageSize; pages++ {
		page, err := pager.Next(ctx, q, fetch)
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

// Pager fetches the pages of one walk through a list and ensures progress: it drops repeated rows,
// and fails on a page that leads back. Every loop over pages uses one. The zero value starts at the
// beginning of the list. A Pager is not safe for concurrent use.
type Pager[T any] struct {
	// Cursor is the caller's cursor; empty if the walk starts at the beginning.
	Cursor string

	pages   int
	rows    map[string]int  // page number of each row's first appearance
	cursors map[string]bool // already used
}

// Restart allows the walk to return to an earlier cursor, for rows that a filter excluded before.
func (p *Pager[T]) Restart() { clear(p.cursors) }

// Next fetches the page of a query and removes rows of earlier pages; it then marks the page as
// [Page.Hidden]. It fails if the context has ended, and if the walk would not end:
//
//   - The first row of a list sorted by id is at or before the cursor.
//   - More rows follow, but no row of the page is new.
//   - The cursor of the next page was used before.
//
// At the caller's own cursor, the error has the code BadUserInput: the cursor's row may have been
// deleted. How ClickFunnels responds in that case is unknown (clickfunnels-api.md §9, 8). Elsewhere the error is
// retryable.
func (p *Pager[T]) Next(ctx context.Context, q Query, fetch func(context.Context, Query) (*Page[T], error)) (*Page[T], error) {
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

// withoutRepeats returns the page without rows that came before. Rows of earlier pages count as
// hidden, because the page is then shorter than it could be.
func (p *Pager[T]) withoutRepeats(page *Page[T]) *Page[T] {
	if p.rows == nil {
		p.rows = make(map[string]int, len(page.Rows))
	}
	fresh := *page // its rows may be shared
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

// noProgress is the error of a walk that makes no progress.
func (p *Pager[T]) noProgress(q Query, cause error) error {
	if q.After != "" && q.After == p.Cursor {
		return &Error{Code: BadUserInput, cause: cause, Message: "ClickFunnels does not continue this list after the given cursor: the cursor's row may have been deleted. Start again without a cursor."}
	}
	return &Error{Code: Unavailable, Retryable: true, cause: cause, Message: "ClickFunnels did not continue this list after its last row: the list may have changed while it was read. Try again."}
}

func keyOf(row any) string { return row.(interface{ Key() string }).Key() }
