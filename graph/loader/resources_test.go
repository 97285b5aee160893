package loader

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/apitest"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestRecordsOfEachKindTakeTheFewestCalls loads records of the example data in one operation,
// whose workspace is known. Each row pins how REST finds a kind by its ids.
func TestRecordsOfEachKindTakeTheFewestCalls(t *testing.T) {
	for _, test := range []struct {
		name string
		refs []upstream.Ref
		want []string
	}{
		{"by a filter, a page at a time", contactRefs(1, 25), []string{"acme-academy /workspaces/101/contacts id×20", "acme-academy /workspaces/101/contacts id×5"}},
		{"one by its member path", contactRefs(4, 4), []string{"acme-academy /contacts/3000000004"}},
		{"one that lists omit by its member path", contactRefs(40, 42), []string{"acme-academy /workspaces/101/contacts id×3", "acme-academy /contacts/3000000041"}},
		{"the same twice", append(contactRefs(1, 2), contactRefs(1, 2)...), []string{"acme-academy /workspaces/101/contacts id×2"}},
		{"without a filter, by walking the list", []upstream.Ref{in("101", upstream.KindCourse, 80_001), in("101", upstream.KindCourse, 80_002)}, []string{"acme-academy /workspaces/101/courses"}},
		{"one without a filter, by its member path", []upstream.Ref{in("101", upstream.KindCourse, 80_001)}, []string{"acme-academy /courses/80001"}},
		{"without any list, each by its member path", []upstream.Ref{in("101", upstream.KindCourseSection, 81_001), in("101", upstream.KindCourseSection, 81_002)}, []string{"acme-academy /courses/sections/81001", "acme-academy /courses/sections/81002"}},
		{"on the accounts host", []upstream.Ref{{Kind: upstream.KindTeam, ID: "11"}, {Kind: upstream.KindUser, ID: "9001"}, workspaceRef("102")}, []string{"accounts /teams/11", "accounts /users/9001", "accounts /workspaces/102"}},
		{"within their team", []upstream.Ref{{Kind: upstream.KindMembership, Parent: "11", ID: "8110"}, {Kind: upstream.KindMembership, Parent: "11", ID: "8111"}, {Kind: upstream.KindSubscription, Parent: "11", ID: "401"}}, []string{"accounts /teams/11"}},
		{"of several kinds", append(contactRefs(1, 2), in("101", upstream.KindPage, 30_001), in("101", upstream.KindPage, 30_002)), []string{"acme-academy /workspaces/101/contacts id×2", "acme-academy /workspaces/101/pages id×2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := apitest.New(t).Locating(t, "101")
			if err := loadNodes(begin(t, a), test.refs...); err != nil {
				t.Error(err)
			}
			a.Want(t, test.want...)
		})
	}
}

// TestWalkForIDsEndsWithTheCallsOfMemberPaths pins that a walk makes no more calls than one per
// id, and that records which it did not find are fetched by their member paths.
func TestWalkForIDsEndsWithTheCallsOfMemberPaths(t *testing.T) {
	a := apitest.New(t).Locating(t, "101")
	page := 0
	a.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		switch path {
		case "/workspaces/101/courses":
			page++
			w.Header().Set("Pagination-Next", fmt.Sprint(page))
			_, _ = fmt.Fprintf(w, `[{"id":%d}]`, page)
		case "/courses/70", "/courses/71":
			_, _ = fmt.Fprintf(w, `{"id":%s}`, path[len("/courses/"):])
		default:
			return false
		}
		return true
	}
	if err := loadNodes(begin(t, a), in("101", upstream.KindCourse, 1), in("101", upstream.KindCourse, 70), in("101", upstream.KindCourse, 71)); err != nil {
		t.Error(err)
	}
	a.Want(t, "acme-academy /workspaces/101/courses", "acme-academy /workspaces/101/courses after=1", "acme-academy /workspaces/101/courses after=2", "acme-academy /courses/70", "acme-academy /courses/71")
}

// TestKindsThatRESTFindsByIDs pins which kinds share calls.
func TestKindsThatRESTFindsByIDs(t *testing.T) {
	for kind, want := range map[upstream.Kind]bool{
		upstream.KindContact: true, upstream.KindOrder: true, upstream.KindCourse: true,
		upstream.KindCourseSection: false, upstream.KindTeam: false, upstream.KindWorkspace: false, upstream.KindMembership: false, "nothing": false,
	} {
		if got := Batches(kind); got != want {
			t.Errorf("several records of the kind %s in one call: %t, want %t", kind, got, want)
		}
	}
	if Contacts.Owned() || !OrderInvoices.Owned() {
		t.Error("contacts name their workspace, and invoices do not")
	}
}

func TestMissingRecordsHaveTheCodeNotFound(t *testing.T) {
	a := apitest.New(t)
	for _, test := range []struct {
		ref  upstream.Ref
		code upstream.Code
	}{
		{upstream.Ref{Kind: upstream.KindTeam, ID: "99"}, upstream.NotFound},
		{in("101", upstream.KindContact, 99), upstream.NotFound},
		{in("999", upstream.KindContact, 99), upstream.NotFound},
		{in("102", upstream.KindContact, 3_000_000_001), upstream.NotFound}, // of another workspace
		{upstream.Ref{Kind: upstream.KindMembership, Parent: "11", ID: "99"}, upstream.NotFound},
		{upstream.Ref{Kind: upstream.KindMembership, Parent: "12", ID: "8110"}, upstream.NotFound}, // of another team
		{upstream.Ref{Kind: "nothing", ID: "1"}, upstream.BadUserInput},
	} {
		l := begin(t, a)
		l.RequestNodes([]upstream.Ref{test.ref})
		if node, err := l.Node(test.ref); !errors.Is(err, test.code) || node != nil {
			t.Errorf("%+v: got %v and the error %v, want %s", test.ref, node, err, test.code)
		}
	}
}

// TestListedRecordsAreNotFetchedAgain loads rows of lists by their ids, and finds them as
// [Records.Cached].
func TestListedRecordsAreNotFetchedAgain(t *testing.T) {
	a := apitest.New(t).Locating(t, "101")
	l := begin(t, a)
	list, err := ContactList.Of(l).Load(workspaceRef("101"), upstream.Query{}, upstream.Window{Limit: 3})
	if err != nil || len(list.Rows) != 3 {
		t.Fatalf("%d contacts, want 3: %v", len(list.Rows), err)
	}
	a.Take()
	for _, contact := range list.Rows {
		for _, id := range contact.IDs() {
			if found, err := Contacts.Of(l).Load(in("101", upstream.KindContact, id)); found != contact {
				t.Errorf("%s: got %v and the error %v, want the row of the list", id, found, err)
			}
		}
		if node, cached, err := Contacts.Of(l).Cached(contact.Ref()); node != Node(contact) || !cached || err != nil {
			t.Errorf("%s: not found as loaded: %v %t %v", contact.RawID(), node, cached, err)
		}
	}
	if _, cached, _ := Contacts.Of(l).Cached(in("101", upstream.KindContact, 99)); cached {
		t.Error("a contact that was never loaded is found as loaded")
	}
	a.Want(t)
	if _, err := Contacts.Of(begin(t, a)).Load(list.Rows[0].Ref()); err != nil {
		t.Error(err)
	}
	a.Want(t, "acme-academy /contacts/3000000001") // another operation shares nothing
}

// renamed is the call that follows a 404: the workspace may have another subdomain by now.
const renamed = "accounts /workspaces/101"

// scopeCheck is a case of a client that may see the workspace 101 only. ClickFunnels answers one
// path with a record or list, whose owner may belong to another workspace.
type scopeCheck struct {
	name, path, body string
	load             func(*Loaders) error
	seen             bool
	want             []string
}

// TestScopedClientsSeeOnlyRecordsOfTheirWorkspaces pins which records of a foreign owner are
// hidden, and the calls that find out.
func TestScopedClientsSeeOnlyRecordsOfTheirWorkspaces(t *testing.T) {
	const foreign = "3000000058" // a contact of the workspace 102
	one := func(kind upstream.Kind, id int) func(*Loaders) error {
		return func(l *Loaders) error { return loadNodes(l, in("101", kind, id)) }
	}
	for _, test := range []scopeCheck{
		{"a record of an own owner", "/contacts/applied_tags/1", `{"id":1,"contact_id":3000000001}`, one(upstream.KindAppliedContactTag, 1), true, []string{"acme-academy /contacts/applied_tags/1", "acme-academy /contacts/3000000001"}},
		{"a record of a foreign owner", "/contacts/applied_tags/1", `{"id":1,"contact_id":` + foreign + `}`, one(upstream.KindAppliedContactTag, 1), false, []string{"acme-academy /contacts/applied_tags/1", "acme-academy /contacts/" + foreign, renamed}},
		{"a record without an owner", "/contacts/applied_tags/1", `{"id":1}`, one(upstream.KindAppliedContactTag, 1), false, []string{"acme-academy /contacts/applied_tags/1"}},
		{"a record of an owner's own owner", "/courses/lessons/1", `{"id":1,"section_id":81001}`, one(upstream.KindCourseLesson, 1), true, []string{"acme-academy /courses/lessons/1", "acme-academy /courses/sections/81001", "acme-academy /workspaces/101/courses"}},
		{"a course of the list", "", ``, one(upstream.KindCourse, 80_001), true, []string{"acme-academy /workspaces/101/courses"}},
		{"a course that only its member path finds", "/courses/80003", `{"id":80003}`, one(upstream.KindCourse, 80_003), false, []string{"acme-academy /workspaces/101/courses"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := apitest.New(t).Within(t, "101").Locating(t, "101")
			a.Replace(test.path, test.body)
			if err := test.load(begin(t, a)); (err == nil) != test.seen || err != nil && !errors.Is(err, upstream.NotFound) {
				t.Errorf("got the error %v; want the record to be found: %t", err, test.seen)
			}
			a.Want(t, test.want...)
		})
	}
}

// TestScopedListsLeaveOutForeignRows lists rows of own and of foreign owners, with a client that
// sees one workspace, and with one that sees everything.
func TestScopedListsLeaveOutForeignRows(t *testing.T) {
	for _, test := range []struct {
		name, path, body string
		rows             func(*Loaders) (int, error)
		seen             int
		want             []string // the calls of the scoped client
	}{
		{
			"of the workspace", "/workspaces/101/orders/invoices", `[{"id":1,"order_id":50001},{"id":2,"order_id":50027}]`,
			func(l *Loaders) (int, error) {
				s, err := WorkspaceOrderInvoiceList.Of(l).Load(workspaceRef("101"), upstream.Query{}, upstream.Window{Limit: 20})
				return len(s.Rows), err
			}, 1,
			[]string{"acme-academy /workspaces/101/orders/invoices", "acme-academy /workspaces/101/orders id×2", "acme-academy /orders/50027", renamed},
		},
		{
			"of a record", "/contacts/3000000001/applied_tags", `[{"id":1,"contact_id":3000000001},{"id":2,"contact_id":3000000058},{"id":3}]`,
			func(l *Loaders) (int, error) {
				s, err := AppliedContactTagList.Of(l).Load(in("101", upstream.KindContact, 3_000_000_001), upstream.Query{}, upstream.Window{Limit: 20})
				return len(s.Rows), err
			}, 1,
			[]string{"acme-academy /contacts/3000000001", "acme-academy /contacts/3000000001/applied_tags"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := apitest.New(t)
			a.Replace(test.path, test.body)
			a.Locating(t, "101")
			if n, err := test.rows(begin(t, a)); n <= test.seen || err != nil {
				t.Errorf("without a scope: %d rows and the error %v, want all rows", n, err)
			}
			if calls := a.Take(); len(calls) != 1 {
				t.Errorf("without a scope: calls %q, want the list alone", calls)
			}
			a.Within(t, "101").Locating(t, "101")
			if n, err := test.rows(begin(t, a)); n != test.seen || err != nil {
				t.Errorf("with a scope: %d rows and the error %v, want %d", n, err, test.seen)
			}
			a.Want(t, test.want...)
		})
	}
}

// TestListOfAForeignOwnerIsNotFetched asks for the children of a record that the client must not
// see.
func TestListOfAForeignOwnerIsNotFetched(t *testing.T) {
	a := apitest.New(t).Within(t, "101").Locating(t, "101")
	_, err := AppliedContactTagList.Of(begin(t, a)).Load(in("101", upstream.KindContact, 3_000_000_058), upstream.Query{}, upstream.Window{Limit: 20})
	if !errors.Is(err, upstream.NotFound) {
		t.Errorf("got the error %v, want NOT_FOUND", err)
	}
	a.Want(t, "acme-academy /contacts/3000000058", renamed)
}

// TestOwnerChecksFailTheirLoad fails the check of an owner. In a list, that is the list's
// error; of a record, only a time-out looks like a missing record.
func TestOwnerChecksFailTheirLoad(t *testing.T) {
	a := apitest.New(t).Within(t, "101").Locating(t, "101")
	a.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		switch path {
		case "/workspaces/101/orders/invoices":
			_, _ = io.WriteString(w, `[{"id":1,"order_id":50001}]`)
		case "/orders/invoices/1":
			_, _ = io.WriteString(w, `{"id":1,"order_id":50001}`)
		case "/orders/50001":
			w.WriteHeader(http.StatusGatewayTimeout)
		default:
			return false
		}
		return true
	}
	if _, err := WorkspaceOrderInvoiceList.Of(begin(t, a)).Load(workspaceRef("101"), upstream.Query{}, upstream.Window{Limit: 20}); !errors.Is(err, upstream.Timeout) {
		t.Errorf("the list: got the error %v, want the UPSTREAM_TIMEOUT of the check", err)
	}
	if _, err := OrderInvoices.Of(begin(t, a)).Load(in("101", upstream.KindOrderInvoice, 1)); !errors.Is(err, upstream.NotFound) {
		t.Errorf("the record: got the error %v, want NOT_FOUND, since its workspace remains unknown", err)
	}
}
