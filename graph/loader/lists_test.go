package loader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/apitest"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestPagesAreFetchedOnceForAllWindows loads overlapping windows of one list at the same time.
func TestPagesAreFetchedOnceForAllWindows(t *testing.T) {
	a := apitest.New(t).Locating(t, "101")
	l := begin(t, a)
	var wait sync.WaitGroup
	for _, test := range []struct {
		window      upstream.Window
		first, last string
	}{
		{upstream.Window{Limit: 10}, "3000000001", "3000000010"},
		{upstream.Window{Limit: 30}, "3000000001", "3000000030"},
		{upstream.Window{Limit: 5, Cursor: "3000000020"}, "3000000021", "3000000025"},
		{upstream.Window{Limit: 10, Backward: true}, "3000000048", "3000000057"},
	} {
		for range 3 {
			wait.Go(func() {
				s, err := ContactList.Of(l).Load(workspaceRef("101"), upstream.Query{}, test.window)
				if err != nil || len(s.Rows) != test.window.Limit || s.Rows[0].RawID() != test.first || s.Rows[len(s.Rows)-1].RawID() != test.last || !s.More {
					t.Errorf("%+v: %d rows and the error %v, want those from %s to %s", test.window, len(s.Rows), err, test.first, test.last)
				}
			})
		}
	}
	wait.Wait()
	const list = "acme-academy /workspaces/101/contacts"
	a.Want(t, list, list+" after=3000000020", list+" sort_order=desc")
}

// TestListOfAnUnknownRecordFails loads a list of a record whose id ClickFunnels did not send.
func TestListOfAnUnknownRecordFails(t *testing.T) {
	a := apitest.New(t)
	_, err := ContactList.Of(begin(t, a)).Load(workspaceRef(""), upstream.Query{}, upstream.Window{Limit: 1})
	if !errors.Is(err, upstream.Unavailable) {
		t.Errorf("got the error %v, want UPSTREAM_UNAVAILABLE", err)
	}
	a.Want(t)
}

// TestFailedPageFailsOnlyItsWindows fails the second page of a list, by an error and by a panic.
func TestFailedPageFailsOnlyItsWindows(t *testing.T) {
	fetches := 0
	list := newList(newResource[upstream.Order](nil, nil), func(_ *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Order], error) {
		fetches++
		switch q.After {
		case "":
			return &upstream.Page[upstream.Order]{Rows: []*upstream.Order{order("1", "9")}, Next: "1"}, nil
		case "1":
			return nil, upstream.NewError(upstream.Unavailable, "broken")
		}
		panic("broken")
	})
	l := New(t.Context(), nil)
	for range 2 { // the second time finds the pages loaded
		if s, err := list.Of(l).Load(upstream.Ref{}, upstream.Query{}, upstream.Window{Limit: 1}); err != nil || len(s.Rows) != 1 {
			t.Errorf("the first page: %d rows and the error %v, want one row", len(s.Rows), err)
		}
		if _, err := list.Of(l).Load(upstream.Ref{}, upstream.Query{}, upstream.Window{Limit: 21}); !errors.Is(err, upstream.Unavailable) {
			t.Errorf("both pages: got the error %v, want the error of the second page", err)
		}
	}
	failed := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v", v)
			}
		}()
		_, err = list.Of(l).Load(upstream.Ref{}, upstream.Query{}, upstream.Window{Limit: 1, Cursor: "5"})
		return err
	}
	if first, second := failed(), failed(); first == nil || !errors.Is(second, errPanic) {
		t.Errorf("a panic: got %v and then %v, want the panic and then an error", first, second)
	}
	if fetches != 3 {
		t.Errorf("%d fetches, want each of 3 pages once", fetches)
	}
}

// TestPreloadedRowsAreFoundByID loads the lists of three records. One of the records is missing.
func TestPreloadedRowsAreFoundByID(t *testing.T) {
	a := apitest.New(t).Locating(t, "101")
	l := begin(t, a)
	CourseSectionList.Of(l).Preload([]upstream.Ref{in("101", upstream.KindCourse, 80_001), in("101", upstream.KindCourse, 99), in("101", upstream.KindCourse, 80_002)})
	a.Want(t, "acme-academy /courses/80001/sections", "acme-academy /courses/80002/sections", "acme-academy /courses/99/sections")
	if err := loadNodes(l, in("101", upstream.KindCourseSection, 81_001), in("101", upstream.KindCourseSection, 81_004)); err != nil {
		t.Error(err)
	}
	a.Want(t)
}

// typedOrders is a list of 60 orders that can be filtered by their type: a long text for each
// number from 0 to 199. An order with the number n has the types n and n+100.
type typedOrders struct {
	mu      sync.Mutex
	filters []string
}

func typeText(n int) string { return fmt.Sprintf("%03d%s", n, strings.Repeat("x", 60)) }

func (o *typedOrders) fetch(_ *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Order], error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.filters = append(o.filters, string(q.Filter))
	var rows []*upstream.Order
	for n := range 60 {
		if strings.Contains(string(q.Filter), typeText(n)) || strings.Contains(string(q.Filter), typeText(n+100)) {
			rows = append(rows, order(strconv.Itoa(95+n), "1")) // numbers of two and three digits
		}
	}
	if q.Descending {
		slices.Reverse(rows)
	}
	if q.After != "" {
		rows = rows[1+slices.IndexFunc(rows, func(r *upstream.Order) bool { return r.RawID() == q.After }):]
	}
	page := &upstream.Page[upstream.Order]{Rows: rows[:min(len(rows), upstream.PageSize)]}
	if len(rows) > upstream.PageSize {
		page.Next = page.Rows[upstream.PageSize-1].RawID()
	}
	return page, nil
}

// TestLongFilterIsSplitAndItsRowsAreMerged splits a filter of 200 values. Each row matches two of
// the parts.
func TestLongFilterIsSplitAndItsRowsAreMerged(t *testing.T) {
	var types []string
	for n := range 200 {
		types = append(types, typeText(n))
	}
	filter, err := upstream.Filter("").With("order_type", types...)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		window      upstream.Window
		descending  bool
		first, last string
		more        bool
	}{
		{upstream.Window{Limit: 25}, false, "95", "119", true},
		{upstream.Window{Limit: 100}, false, "95", "154", false},
		{upstream.Window{Limit: 25, Backward: true}, false, "130", "154", true},
		{upstream.Window{Limit: 25}, true, "154", "130", true},
	} {
		o := new(typedOrders)
		list := newList(newResource[upstream.Order](nil, nil), o.fetch)
		s, err := list.Of(New(t.Context(), nil)).Load(upstream.Ref{}, upstream.Query{Filter: filter, Descending: test.descending}, test.window)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.Rows); n != min(test.window.Limit, 60) || s.Rows[0].RawID() != test.first || s.Rows[n-1].RawID() != test.last || s.More != test.more {
			t.Errorf("%+v, descending %t: %d rows, more %t; want those from %s to %s, more %t", test.window, test.descending, n, s.More, test.first, test.last, test.more)
		}
		ids := make(map[string]bool)
		for _, row := range s.Rows {
			if ids[row.RawID()] {
				t.Errorf("%+v: the row %s appears twice", test.window, row.RawID())
			}
			ids[row.RawID()] = true
		}
		if longest := slices.MaxFunc(o.filters, func(a, b string) int { return cmp.Compare(len(a), len(b)) }); len(longest) > 6<<10 || len(o.filters) < 2 {
			t.Errorf("%d filters of up to %d bytes, want several that fit a URL", len(o.filters), len(longest))
		}
	}
	list := newList(newResource[upstream.Order](nil, nil), new(typedOrders).fetch)
	if _, err := list.Of(New(t.Context(), nil)).Load(upstream.Ref{}, upstream.Query{Filter: filter, SortProperty: "updated_at"}, upstream.Window{Limit: 1}); !errors.Is(err, upstream.BadUserInput) {
		t.Errorf("sorted by another property: got the error %v, want BAD_USER_INPUT, since the parts cannot be merged", err)
	}
}
