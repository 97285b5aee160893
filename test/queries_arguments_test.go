package test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestFiltersSelectRows counts the rows of each filter of contacts and of tags.
func TestFiltersSelectRows(t *testing.T) {
	e := newEnv(t)
	tag := model.GlobalID(upstream.Ref{Kind: upstream.KindContactTag, Parent: "101", ID: "5001"})
	contact := e.must(`{ workspace(id: "101") { contact(id: "3000000002") { id publicId emailAddress } } }`)
	public := contact.get("workspace.contact.publicId").(string)
	for _, test := range []struct {
		filter string
		want   int
	}{
		{`ids: ["3000000002", "3000000003"]`, 2},
		{`ids: [3000000002]`, 1},
		{`ids: ["` + contact.get("workspace.contact.id").(string) + `"]`, 1},
		{`ids: ["` + public + `", "3000000003"]`, 2},
		{`ids: ["` + public + `", "3000000002"]`, 1},
		{`ids: ["999"]`, 0},
		{`ids: ["nosuch"]`, 0},
		{`ids: []`, 0},
		{`ids: [], isActive: true`, 0},
		{`ids: null`, 56},
		{`ids: ["` + model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "102", ID: "3000000058"}) + `"]`, 0},
		{`emailAddresses: ["` + contact.get("workspace.contact.emailAddress").(string) + `", "no+body@example.com"]`, 1},
		{`emailAddresses: ["a&filter[id]=3000000001#%20?"]`, 0},
		{`tagIds: ["` + tag + `"]`, 9},
		{`isActive: false`, 6},
		{`isActive: true`, 50},
		{`isActive: true, ids: ["3000000006", "3000000007"]`, 1},
	} {
		r := e.must(`{ workspace(id: "101") { contacts(first: 100, filter: { ` + test.filter + ` }) { nodes { rawId } } } }`)
		if nodes, _ := r.get("workspace.contacts.nodes").([]any); len(nodes) != test.want {
			t.Errorf("%s: %d contacts, want %d", test.filter, len(nodes), test.want)
		}
	}
	r := e.must(`{ workspace(id: "101") { contactTags(filter: { names: ["VIP", "Lead"] }) { nodes { name workspace { name } } } } }`)
	if nodes, _ := r.get("workspace.contactTags.nodes").([]any); len(nodes) != 2 {
		t.Errorf("want two tags by name, got %s", r.raw)
	}
}

// TestBadArgumentsMakeNoCall expects one clear error at the field of each bad argument, and no
// REST call.
func TestBadArgumentsMakeNoCall(t *testing.T) {
	e := newEnv(t)
	for _, test := range []struct{ field, path, code, text string }{
		{`teams(first: 0) { nodes { id } }`, "teams", "BAD_USER_INPUT", "first is 0; it can be 1 to 100."},
		{`teams(first: 101) { nodes { id } }`, "teams", "BAD_USER_INPUT", "first is 101; it can be 1 to 100."},
		{`teams(last: -1) { nodes { id } }`, "teams", "BAD_USER_INPUT", "last is -1; it can be 1 to 100."},
		{`teams(first: 1, last: 1) { nodes { id } }`, "teams", "BAD_USER_INPUT", "Give first or last, not both."},
		{`teams(after: "1", before: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "Give after or before, not both."},
		{`teams(last: 1, after: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after goes with first; before goes with last."},
		{`teams(first: 1, before: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "before goes with last; after goes with first."},
		{`teams(after: "") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor."},
		{`teams(after: "1&x=2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor."},
		{`team(id: "../users") { name }`, "team", "BAD_USER_INPUT", "This is not the id of a team: give its id, rawId or publicId."},
		{`team(id: "") { name }`, "team", "BAD_USER_INPUT", "This is not the id of a team: give its id, rawId or publicId."},
		{`team(id: "MTp3b3Jrc3BhY2U6MTAx") { name }`, "team", "BAD_USER_INPUT", "This is the id of a workspace, where the id of a team is expected."},
		{`node(id: "11") { id }`, "node", "BAD_USER_INPUT", "This is not the id of an object. A raw or public id does not tell its type: use the type's own field for it."},
		{`contact(id: "3000000001") { id }`, "contact", "BAD_USER_INPUT", "Give workspaceId as well: a contact's raw or public id does not tell its workspace."},
		{`contact(id: "` + contactIDs(1)[0] + `", workspaceId: "102") { id }`, "contact", "NOT_FOUND", "There is no such contact in this workspace."},
		{`workspace(id: "101", subdomain: "evil.example.com/") { name }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "a@b") { contacts { nodes { id } } }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "") { contacts { nodes { id } } }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: ["a,b"] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "A filter value must not be blank or contain a comma or a line break."},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: [" "] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "A filter value must not be blank or contain a comma or a line break."},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { ids: ["a b"] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "This is not the id of a contact: give its id, rawId or publicId."},
	} {
		e.forget()
		r := e.query("{ " + test.field + " }")
		if len(r.Errors) != 1 || r.code(test.path) != test.code || r.Errors[0].Message != test.text {
			t.Errorf("%s: want %s %q, got %s", test.field, test.code, test.text, r.raw)
		}
		if calls := e.callsOf(demo.Token); len(calls) != 0 {
			t.Errorf("%s: want no calls, got %q", test.field, calls)
		}
	}
	for _, variables := range []map[string]any{{"d": "asc"}, {"d": 7}} {
		if r := e.query(`query($d: SortDirection!) { workspace(id: "101", subdomain: "acme-academy") { contacts(sort: { direction: $d }) { nodes { id } } } }`, variables); len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
			t.Errorf("%v: want BAD_USER_INPUT, got %s", variables, r.raw)
		}
	}
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = fmt.Sprint(i + 1)
	}
	r := e.query(`query($ids: [ID!]!) { nodes(ids: $ids) { id } workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { ids: $ids }) { nodes { id } } } }`, map[string]any{"ids": ids})
	if r.Data != nil || len(r.Errors) == 0 || !strings.Contains(r.raw, "ids has 101 values; it can have 100.") {
		t.Errorf("101 ids: want an error with the limit, got %s", r.raw)
	}
}

// TestArgumentsTakeEveryFormOfID passes global, raw and public ids to every argument that takes
// an id.
func TestArgumentsTakeEveryFormOfID(t *testing.T) {
	e := newEnv(t)
	known := e.must(`{ team(id: "11") { id rawId publicId } workspace(id: "101") { id rawId publicId } contact(id: "3000000002", workspaceId: "101") { id rawId publicId } }`)
	forms := func(path string) []string {
		var all []string
		for _, form := range []string{".id", ".rawId", ".publicId"} {
			all = append(all, known.get(path+form).(string))
		}
		return all
	}
	for _, team := range forms("team") {
		if r := e.must(`{ team(id: "` + team + `") { name workspaces { nodes { rawId } } } way: team(id: "` + team + `") { workspaces { nodes { rawId } } } }`); r.get("team.name") != "Acme Coaching" || r.get("way.workspaces.nodes.0.rawId") != "101" {
			t.Errorf("team %s: want its name and workspaces, got %s", team, r.raw)
		}
	}
	for _, workspace := range forms("workspace") {
		for _, subdomain := range []string{"", `, subdomain: "acme-academy"`, `, subdomain: "ACME-Academy"`} {
			r := e.must(`{ workspace(id: "` + workspace + `"` + subdomain + `) { name contacts(first: 1) { nodes { rawId } } } way: workspace(id: "` + workspace + `"` + subdomain + `) { contacts(first: 1) { nodes { id } } } }`)
			if r.get("workspace.name") != "Acme Academy" || r.get("workspace.contacts.nodes.0.rawId") != "3000000001" || r.get("way.contacts.nodes.0.id") != contactIDs(1)[0] {
				t.Errorf("workspace %s: want its name and contacts, got %s", workspace, r.raw)
			}
		}
		for _, contact := range forms("contact") {
			fresh := newEnv(t)
			r := fresh.must(`{ contact(id: "` + contact + `", workspaceId: "` + workspace + `") { id firstName appliedTags { nodes { id } } } workspace(id: "` + workspace + `") { contact(id: "` + contact + `") { id } } }`)
			if r.get("contact.id") != known.get("contact.id") || r.get("workspace.contact.id") != known.get("contact.id") || r.get("contact.firstName") != "Bruno" {
				t.Errorf("contact %s of %s: want its ids and name, got %s", contact, workspace, r.raw)
			}
		}
	}
	for _, path := range []string{"team", "workspace", "contact"} {
		id := known.get(path + ".id").(string)
		if r := e.must(`{ node(id: "` + id + `") { id __typename } }`); r.get("node.id") != id {
			t.Errorf("node %s: want the same id, got %s", id, r.raw)
		}
	}
}

// TestNullFilterIsNoFilter sets each field of each filter to null. The REST call is the same as
// without a filter.
func TestNullFilterIsNoFilter(t *testing.T) {
	e := newEnv(t)
	schema := e.must(`{ __type(name: "Workspace") { fields { name args { name type { name inputFields { name } } } } } }`)
	checked := 0
	for _, field := range schema.get("__type.fields").([]any) {
		name := field.(map[string]any)["name"].(string)
		for _, arg := range field.(map[string]any)["args"].([]any) {
			if arg.(map[string]any)["name"] != "filter" {
				continue
			}
			calls := func(filter string) []string {
				e.must(`{ workspace(id: "101", subdomain: "acme-academy") { ` + name + filter + ` { nodes { id } } } }`)
				return e.take(demo.Token)
			}
			want := calls("")
			for _, input := range arg.(map[string]any)["type"].(map[string]any)["inputFields"].([]any) {
				filter := fmt.Sprintf("(filter: {%s: null})", input.(map[string]any)["name"])
				if got := calls(filter); !slices.Equal(got, want) {
					t.Errorf("%s%s: %q, want %q", name, filter, got, want)
				}
				checked++
			}
		}
	}
	if checked < 10 {
		t.Errorf("%d fields of filters were checked, want at least 10", checked)
	}
}

// TestLongFiltersAreSplit filters by a hundred long e-mail addresses in front of an API that
// accepts URLs of 8 KB. The filter is split over several calls. The rows are those of one list
// in every direction and window.
func TestLongFiltersAreSplit(t *testing.T) {
	const rows = 100
	address := func(id int) string { return fmt.Sprintf("%s.%03d@example.com", strings.Repeat("x", 80), id) }
	var mu sync.Mutex
	longest := 0
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		mu.Lock()
		longest = max(longest, len(r.RequestURI))
		mu.Unlock()
		if len(r.RequestURI) > 8<<10 {
			w.WriteHeader(http.StatusRequestURITooLong)
			return true
		}
		q := r.URL.Query()
		after, _ := strconv.Atoi(q.Get("after"))
		values := strings.Split(q.Get("filter[email_address]"), ",")
		var found []int
		for id := 1; id <= rows; id++ {
			if slices.Contains(values, address(id)) {
				found = append(found, id)
			}
		}
		if q.Get("sort_order") == "desc" {
			slices.Reverse(found)
			found = slices.DeleteFunc(found, func(id int) bool { return after != 0 && id >= after })
		} else {
			found = slices.DeleteFunc(found, func(id int) bool { return id <= after })
		}
		next := ""
		if len(found) > upstream.PageSize {
			found = found[:upstream.PageSize]
			next = strconv.Itoa(found[len(found)-1])
		}
		sendPage(w, next, found...)
		return true
	}))
	addresses := make([]string, rows)
	for i := range addresses {
		addresses[i] = address((i*37)%rows + 1) // so that the ids of the split filters overlap
	}
	list := func(arguments string) (ids []int, more bool) {
		t.Helper()
		r := e.must(`query($a: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: $a }, `+arguments+`) { nodes { rawId } pageInfo { hasNextPage hasPreviousPage } } } }`, map[string]any{"a": addresses})
		for i := 0; ; i++ {
			id, ok := r.get(fmt.Sprintf("workspace.contacts.nodes.%d.rawId", i)).(string)
			if !ok {
				break
			}
			n, _ := strconv.Atoi(id)
			ids = append(ids, n)
		}
		info := map[bool]string{true: "hasPreviousPage", false: "hasNextPage"}[strings.HasPrefix(arguments, "last")]
		return ids, r.get("workspace.contacts.pageInfo."+info) == true
	}
	down := numbers(31, 60)
	slices.Reverse(down)
	for arguments, want := range map[string]struct {
		ids  []int
		more bool
	}{
		"first: 100":               {numbers(1, 100), false},
		"first: 20":                {numbers(1, 20), true},
		"first: 30, after: \"60\"": {numbers(61, 90), true},
		"last: 30, before: \"61\"": {numbers(31, 60), true},
		"last: 50, before: \"31\"": {numbers(1, 30), false},
		"first: 30, sort: { direction: DESC }, after: \"61\"": {down, true},
	} {
		if ids, more := list(arguments); !slices.Equal(ids, want.ids) || more != want.more {
			t.Errorf("%s: got %v, more %t; want %v, more %t", arguments, ids, more, want.ids, want.more)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if longest < 4<<10 {
		t.Errorf("the longest URL has %d bytes, want at least 4096: filters are split too early", longest)
	}
	r := e.query(`query($a: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: $a }, sort: { property: UPDATED_AT }) { nodes { rawId } } } }`, map[string]any{"a": addresses})
	if r.code("workspace.contacts") != "BAD_USER_INPUT" {
		t.Errorf("sorted by another property: want BAD_USER_INPUT, got %s", r.raw)
	}
	r = e.query(`query($a: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: $a }) { nodes { rawId } } } }`, map[string]any{"a": []string{strings.Repeat("x", 5000)}})
	if r.code("workspace.contacts") != "BAD_USER_INPUT" {
		t.Errorf("a value of 5,000 bytes: want BAD_USER_INPUT, got %s", r.raw)
	}
}
