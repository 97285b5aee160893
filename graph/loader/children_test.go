package loader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// orderList is a list of orders of contacts. It is as strict as ClickFunnels can be: a cursor
// must be a row that passes the filter (clickfunnels-api.md §9, 8).
type orderList struct {
	t     *testing.T
	rows  []*upstream.Order
	calls int
}

func (s *orderList) fetch(_ *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Order], error) {
	s.calls++
	rows := slices.Clone(s.rows)
	if q.Filter != "" {
		filter, err := url.ParseQuery(string(q.Filter))
		if err != nil {
			s.t.Error(err)
		}
		who := strings.Split(filter.Get("filter[contact_id]"), ",")
		rows = slices.DeleteFunc(rows, func(o *upstream.Order) bool { return !slices.Contains(who, o.ContactID()) })
	}
	if q.Descending {
		slices.Reverse(rows)
	}
	if q.After != "" {
		i := slices.IndexFunc(rows, func(o *upstream.Order) bool { return o.RawID() == q.After })
		if i < 0 {
			s.t.Errorf("after %s, which is not on the list of %s", q.After, q.Filter)
		}
		rows = rows[i+1:]
	}
	page := &upstream.Page[upstream.Order]{Rows: rows}
	if len(rows) > upstream.PageSize {
		page.Rows = rows[:upstream.PageSize]
		page.Next = page.Rows[upstream.PageSize-1].RawID()
	}
	return page, nil
}

// expected returns a parent's window by plain slicing.
func (s *orderList) expected(id string, w upstream.Window) (rows []string, more bool) {
	for _, o := range s.rows {
		if o.ContactID() == id {
			rows = append(rows, o.RawID())
		}
	}
	if w.Backward {
		more = len(rows) > w.Limit
		return rows[max(0, len(rows)-w.Limit):], more
	}
	return rows[:min(len(rows), w.Limit)], len(rows) > w.Limit
}

// TestChildrenBatchMatchesSingleParents compares the windows of a batch of parents with those of
// each parent alone, for random lists and windows. It also bounds the number of calls.
func TestChildrenBatchMatchesSingleParents(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := &orderList{t: t}
			parents := 1 + r.IntN(30)
			for i := range r.IntN(400) {
				who := r.IntN(parents + 3) // some belong to no requested parent
				if r.IntN(3) == 0 {
					who = 0 // one parent has very many
				}
				s.rows = append(s.rows, order(strconv.Itoa(1000+i), strconv.Itoa(1+who)))
			}
			children := byKey(newList(newResource[upstream.Order](nil, nil), s.fetch), "contact_id", func(o *upstream.Order) string { return o.ContactID() })
			ctx := With(context.Background(), New(context.Background(), nil))
			w := upstream.Window{Limit: 1 + r.IntN(30), Backward: r.IntN(2) == 0}
			var asked []Parent
			for i := range parents {
				asked = append(asked, Parent{ID: strconv.Itoa(1 + i)})
			}
			exact := r.IntN(2) == 0
			got, errs := children.Of(ctx, asked, upstream.Query{}, w, exact)
			most := 1
			for i, p := range asked {
				if errs[i] != nil {
					t.Fatal(errs[i])
				}
				want, more := s.expected(p.ID, w)
				var rows []string
				for _, o := range got[i].Rows {
					rows = append(rows, o.RawID())
				}
				if fmt.Sprint(rows) != fmt.Sprint(want) {
					t.Errorf("seed %d: %s has %v, want %v (%+v)", seed, p.ID, rows, want, w)
				}
				if exact && got[i].More != more {
					t.Errorf("seed %d: %s has more: %t, want %t (%+v)", seed, p.ID, got[i].More, more, w)
				}
				most += 1 + (w.Limit+1)/upstream.PageSize
			}
			if s.calls > most {
				t.Errorf("seed %d: %d calls for %d parents, %d at most", seed, s.calls, parents, most)
			}
		})
	}
}

// TestChildrenDropCompleteParentsFromTheFilter puts one parent's thousand rows before those of
// others. The others must cost no calls for them.
func TestChildrenDropCompleteParentsFromTheFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &orderList{t: t}
		for i := range 1_000 {
			s.rows = append(s.rows, order(strconv.Itoa(10_000+i), "1"))
		}
		for i := range 9 {
			s.rows = append(s.rows, order(strconv.Itoa(20_000+i), strconv.Itoa(2+i)))
		}
		children := byKey(newList(newResource[upstream.Order](nil, nil), s.fetch), "contact_id", func(o *upstream.Order) string { return o.ContactID() })
		ctx := With(context.Background(), New(context.Background(), nil))
		var parents []Parent
		for i := range 10 {
			parents = append(parents, Parent{ID: strconv.Itoa(1 + i)})
		}
		got, errs := children.Of(ctx, parents, upstream.Query{}, upstream.Window{Limit: 5}, true)
		for i, slice := range got {
			if want := map[bool]int{true: 5, false: 1}[i == 0]; errs[i] != nil || len(slice.Rows) != want || slice.More != (i == 0) {
				t.Errorf("%s: %d rows, more %t, %v", parents[i].ID, len(slice.Rows), slice.More, errs[i])
			}
		}
		if s.calls != 2 {
			t.Errorf("%d calls, want 2", s.calls)
		}
	})
}

// TestChildrenStopWhenTheFilterIsIgnored lets ClickFunnels send endless rows that do not match
// the filter. The walk must end with an error.
func TestChildrenStopWhenTheFilterIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		children := byKey(newList(newResource[upstream.Order](nil, nil), func(*Loaders, upstream.Ref, upstream.Query) (*upstream.Page[upstream.Order], error) {
			calls++
			return &upstream.Page[upstream.Order]{Rows: []*upstream.Order{order(strconv.Itoa(calls), "99")}, Next: strconv.Itoa(calls)}, nil
		}), "contact_id", func(o *upstream.Order) string { return o.ContactID() })
		ctx := With(context.Background(), New(context.Background(), nil))
		_, errs := children.Of(ctx, []Parent{{ID: "1"}, {ID: "2"}}, upstream.Query{}, upstream.Window{Limit: 20}, false)
		if errs[0] == nil || errs[1] == nil || calls > 6 {
			t.Errorf("%v after %d calls", errs, calls)
		}
	})
}

// TestChildrenContinuePastHiddenPages hides all rows of the first pages. The walk must continue.
func TestChildrenContinuePastHiddenPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &orderList{t: t}
		for i := range 200 {
			s.rows = append(s.rows, order(strconv.Itoa(1000+i), "1"))
		}
		children := byKey(newList(newResource[upstream.Order](nil, nil), func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Order], error) {
			page, err := s.fetch(l, parent, q)
			page.Keep(func(o *upstream.Order) bool { return o.RawID() >= "1130" })
			return page, err
		}), "contact_id", func(o *upstream.Order) string { return o.ContactID() })
		ctx := With(context.Background(), New(context.Background(), nil))
		got, errs := children.Of(ctx, []Parent{{ID: "1"}}, upstream.Query{}, upstream.Window{Limit: 5}, true)
		if errs[0] != nil || len(got[0].Rows) != 5 || got[0].Rows[0].RawID() != "1130" || !got[0].More {
			t.Errorf("%d rows, more %t, %v", len(got[0].Rows), got[0].More, errs[0])
		}
	})
}
