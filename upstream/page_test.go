package upstream

import (
	"context"
	"strconv"
	"testing"
)

// TestWalkContinuesPastHiddenPages hides all rows of the first pages.
func TestWalkContinuesPastHiddenPages(t *testing.T) {
	calls := 0
	fetch := func(_ context.Context, q Query) (*Page[Order], error) {
		calls++
		page := &Page[Order]{}
		first, _ := strconv.Atoi(q.After)
		for i := range PageSize {
			page.Rows = append(page.Rows, NewRecord[Order](Ref{ID: strconv.Itoa(first + 1 + i)}))
		}
		page.Next = strconv.Itoa(first + PageSize)
		page.Keep(func(o *Order) bool { n, _ := strconv.Atoi(o.RawID()); return n > 3*PageSize+15 })
		return page, nil
	}
	for limit, want := range map[int]int{3: 4, 5: 4, 6: 5, 30: 6} {
		calls = 0
		s, err := Walk(t.Context(), Query{}, Window{Limit: limit}, fetch)
		if err != nil || len(s.Rows) != limit || s.Rows[0].RawID() != strconv.Itoa(3*PageSize+16) || !s.More || calls != want {
			t.Errorf("%d rows: %d, more %t, by %d calls, want %d: %v", limit, len(s.Rows), s.More, calls, want, err)
		}
	}
	// A walk whose pages are all hidden ends.
	calls = 0
	s, err := Walk(t.Context(), Query{}, Window{Limit: 5}, func(_ context.Context, q Query) (*Page[Order], error) {
		calls++
		n, _ := strconv.Atoi(q.After)
		return &Page[Order]{Next: strconv.Itoa(n + 1), Hidden: true}, nil
	})
	if err != nil || len(s.Rows) != 0 || calls != maxHiddenPages+1 {
		t.Errorf("%d rows by %d calls: %v", len(s.Rows), calls, err)
	}
}
