package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

func TestPagingArgumentsGiveAWindow(t *testing.T) {
	n := func(n int) *int { return &n }
	cursor := func(text string) *string { return &text }
	for _, test := range []struct {
		first         *int
		after         *string
		last          *int
		before        *string
		want          upstream.Window
		refusedReason string
	}{
		{nil, nil, nil, nil, upstream.Window{Limit: defaultRows}, ""},
		{n(1), nil, nil, nil, upstream.Window{Limit: 1}, ""},
		{n(maxRows), cursor("7"), nil, nil, upstream.Window{Limit: maxRows, Cursor: "7"}, ""},
		{nil, cursor("7"), nil, nil, upstream.Window{Limit: defaultRows, Cursor: "7"}, ""},
		{nil, nil, n(3), nil, upstream.Window{Limit: 3, Backward: true}, ""},
		{nil, nil, nil, cursor("7"), upstream.Window{Limit: defaultRows, Cursor: "7", Backward: true}, ""},
		{n(1), nil, n(1), nil, upstream.Window{}, "first or last"},
		{nil, cursor("7"), nil, cursor("8"), upstream.Window{}, "after or before"},
		{nil, cursor("7"), n(1), nil, upstream.Window{}, "after goes with first"},
		{n(1), nil, nil, cursor("7"), upstream.Window{}, "before goes with last"},
		{n(0), nil, nil, nil, upstream.Window{}, "first is 0"},
		{n(maxRows + 1), nil, nil, nil, upstream.Window{}, "first is 101"},
		{nil, nil, n(-1), nil, upstream.Window{}, "last is -1"},
		{nil, cursor("x"), nil, nil, upstream.Window{}, "after is not a cursor"},
		{nil, nil, nil, cursor(""), upstream.Window{}, "before is not a cursor"},
	} {
		got, err := window(test.first, test.after, test.last, test.before)
		switch {
		case test.refusedReason == "" && (err != nil || got != test.want):
			t.Errorf("got the window %+v and the error %v, want %+v", got, err, test.want)
		case test.refusedReason != "" && (!errors.Is(err, upstream.BadUserInput) || !strings.Contains(err.Error(), test.refusedReason)):
			t.Errorf("got the error %v, want BAD_USER_INPUT with %q", err, test.refusedReason)
		}
	}
}

// TestFiltersAreNarrowedByValues pins equal filters for equal sets, which can then share calls.
func TestFiltersAreNarrowedByValues(t *testing.T) {
	for _, test := range []struct {
		filter upstream.Filter
		values []string
		want   upstream.Filter
	}{
		{"", nil, ""},
		{noMatch, []string{"a"}, noMatch},
		{"", []string{"b", "a", "b"}, "filter%5Bname%5D=a,b"},
		{"filter%5Bid%5D=1", []string{"a"}, "filter%5Bid%5D=1&filter%5Bname%5D=a"},
	} {
		if got, err := narrow(test.filter, "name", "names", test.values); got != test.want || err != nil {
			t.Errorf("%q narrowed by %q is %q (%v), want %q", test.filter, test.values, got, err, test.want)
		}
	}
	for _, values := range [][]string{slices.Repeat([]string{"a"}, maxFilterValues+1), {"a,b"}, {" "}, {}} {
		if _, err := narrow("", "name", "names", values); !errors.Is(err, upstream.BadUserInput) {
			t.Errorf("%.9q: got the error %v, want BAD_USER_INPUT", values, err)
		}
	}
}

// TestFiltersByIDTakeEveryForm pins that only public ids are looked up, all in one batch, and that
// records which do not exist match nothing.
func TestFiltersByIDTakeEveryForm(t *testing.T) {
	o := newOperations(t)
	team, err := o.Client.Contact(t.Context(), upstream.Place{WorkspaceID: "101", Subdomain: "acme-academy"}, "3000000002")
	if err != nil {
		t.Fatal(err)
	}
	public := *team.PublicID()
	global := func(workspace, id string) string {
		return model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id})
	}
	o.locating(t, "101")
	for _, test := range []struct {
		ids   []string
		want  upstream.Filter
		code  upstream.Code // of the error, empty for none
		calls []string
	}{
		{nil, "", "", nil},
		{[]string{}, "", upstream.BadUserInput, nil},
		{[]string{"7", global("101", "6")}, "filter%5Bid%5D=6,7", "", nil},
		{[]string{"7", public}, "filter%5Bid%5D=3000000002,7", "", []string{"acme-academy /contacts/" + public}},
		{[]string{"Nobody"}, noMatch, "", []string{"acme-academy /contacts/Nobody"}},
		{[]string{global("102", "6")}, noMatch, "", nil}, // of another workspace
		{[]string{"a b"}, "", upstream.BadUserInput, nil},
		{[]string{model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"})}, "", upstream.BadUserInput, nil},
		{slices.Repeat([]string{"7"}, maxFilterValues+1), "", upstream.BadUserInput, nil},
	} {
		records := loader.Contacts.Of(loader.New(t.Context(), o.Client))
		got, err := narrowByIDs[upstream.Contact]("", "id", "ids", records, upstream.KindContact, "101", test.ids)
		if got != test.want || (err == nil) != (test.code == "") || err != nil && !errors.Is(err, test.code) {
			t.Errorf("%.3q: got %q and the error %v, want %q and %q", test.ids, got, err, test.want, test.code)
		}
		o.Want(t, test.calls...)
	}
}

// TestListArgumentsReachREST pins filters and orders of lists as parameters of their calls.
func TestListArgumentsReachREST(t *testing.T) {
	for fields, want := range map[string]string{
		`contacts(filter: { emailAddresses: ["b", "a"], isActive: true, tagIds: ["5001"] }) { nodes { id } }`: lists101 + "contacts email_address×2 is_active×1 tag_ids×1",
		`contacts(sort: { property: UPDATED_AT, direction: DESC }) { nodes { id } }`:                          lists101 + "contacts sort_order=desc sort_property=updated_at",
		`contacts(sort: { property: ID }) { nodes { id } }`:                                                   lists101 + "contacts",
		`contacts(last: 3, sort: { property: ID, direction: DESC }) { nodes { id } }`:                         lists101 + "contacts",
		`salesOpportunities(sort: { property: SORT_ORDER }) { nodes { id } }`:                                 lists101 + "sales/opportunities sort_property=sort_order",
		`contacts(filter: { ids: null, isActive: null }) { nodes { id } }`:                                    lists101 + "contacts",
	} {
		o := newOperations(t)
		o.data(t, in101(fields))
		o.Want(t, want)
	}
}

// TestNodesAreNullWhereTheyFail loads four nodes. Two of them do not exist.
func TestNodesAreNullWhereTheyFail(t *testing.T) {
	o := newOperations(t).locating(t, "101")
	id := func(kind upstream.Kind, parent, id string) string {
		return model.GlobalID(upstream.Ref{Kind: kind, Parent: parent, ID: id})
	}
	ids := `"` + strings.Join([]string{id(upstream.KindContact, "101", "3000000001"), id(upstream.KindTeam, "", "99"), "raw", id(upstream.KindContact, "101", "3000000002")}, `", "`) + `"`
	got := o.execute(t, `{ nodes(ids: [`+ids+`]) { ... on Contact { firstName } } }`, "")
	if !strings.Contains(got, `{"nodes":[{"firstName":"Ada"},null,null,{"firstName":"Bruno"}]}`) {
		t.Errorf("got %s, want two contacts and two nulls", got)
	}
	for path, code := range map[string]string{`["nodes",1]`: "NOT_FOUND", `["nodes",2]`: "BAD_USER_INPUT"} {
		if !strings.Contains(got, `"path":`+path+`,"extensions":{"code":"`+code+`"}`) {
			t.Errorf("got %s, want %s at %s", got, code, path)
		}
	}
	o.Want(t, "acme-academy /workspaces/101/contacts id×2", "accounts /teams/99")
	if got := o.execute(t, `{ nodes(ids: [`+strings.Repeat(`"a" `, maxRows+1)+`]) { id } }`, ""); !strings.Contains(got, "101 values") {
		t.Errorf("got %s, want an error about the number of ids", got)
	}
}
