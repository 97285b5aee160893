package test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

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
