package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// sendPage answers with rows of the ids and says that more follow after next.
func sendPage(w http.ResponseWriter, next string, ids ...int) {
	if next != "" {
		w.Header().Set("Pagination-Next", next)
	}
	rows := make([]map[string]any, len(ids))
	for i, id := range ids {
		rows[i] = map[string]any{"id": id, "workspace_id": 101, "name": "row", "product_ids": []int{}}
	}
	_ = json.NewEncoder(w).Encode(rows)
}

// numbers returns the numbers from first to last.
func numbers(first, last int) []int {
	all := []int{}
	for ; first <= last; first++ {
		all = append(all, first)
	}
	return all
}

// TestCursorCyclesEnd sends pages that name each other as the next one, for every way in
// which a list is walked.
func TestCursorCyclesEnd(t *testing.T) {
	for _, test := range []struct{ list, query string }{
		{"/workspaces/101/products/collections", `workspace(id: "101", subdomain: "acme-academy") { products(first: 1) { nodes { collections(first: 1) { nodes { name } } } } }`},
		{"/workspaces/101/courses", `contact(id: "3000000001", workspaceId: "101") { enrollments(first: 1) { nodes { id } } }`},
		{"/workspaces/101/orders/tags", `workspace(id: "101", subdomain: "acme-academy") { orders(first: 20) { nodes { tags { name } } } }`},
		{"/workspaces/101/contacts", `workspace(id: "101", subdomain: "acme-academy") { contacts(first: 100) { nodes { id } } }`},
		{"/workspaces/101/orders", `contact(id: "3000000001", workspaceId: "101") { orders(first: 100) { nodes { id } } }`},
	} {
		t.Run(test.list, func(t *testing.T) {
			var calls atomic.Int64
			e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
				if path != test.list {
					return false
				}
				calls.Add(1)
				if r.URL.Query().Get("after") == "7020" {
					sendPage(w, "7000", numbers(7021, 7040)...)
				} else {
					sendPage(w, "7020", numbers(7001, 7020)...)
				}
				return true
			}))
			began := time.Now()
			r := e.query(`{ ` + test.query + ` }`)
			if n := calls.Load(); n < 1 || n > 4 {
				t.Errorf("the walk took %d calls", n)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the walk took %s", took)
			}
			if len(r.Errors) > 0 && r.Errors[0].Extensions["code"] != "UPSTREAM_UNAVAILABLE" {
				t.Errorf("the error has another code: %s", r.raw)
			}
		})
	}
}

// TestWalkWithoutProgressFails has the API ignore cursors, or lead in a circle: the list
// is null with one error, and the walk takes no call more than the one that shows it.
func TestWalkWithoutProgressFails(t *testing.T) {
	for name, test := range map[string]struct {
		next  func(after string) (next string, ids []int)
		sort  string
		calls int
	}{
		"ignores after":                {func(string) (string, []int) { return "20", numbers(1, 20) }, "", 2},
		"ignores after, by UPDATED_AT": {func(string) (string, []int) { return "20", numbers(1, 20) }, ", sort: { property: UPDATED_AT }", 2},
		"A, B, A, by UPDATED_AT": {func(after string) (string, []int) {
			if after == "20" {
				return "40", numbers(21, 40)
			}
			return "20", numbers(1, 20)
		}, ", sort: { property: UPDATED_AT }", 3},
		"starts anew behind a row that is gone": {func(after string) (string, []int) {
			if after == "40" {
				return "20", numbers(1, 20)
			}
			n, _ := strconv.Atoi(after)
			return strconv.Itoa(n + 20), numbers(n+1, n+20)
		}, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
				if path != "/workspaces/101/contacts" {
					return false
				}
				next, ids := test.next(r.URL.Query().Get("after"))
				sendPage(w, next, ids...)
				return true
			}))
			r := e.query(`{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 100` + test.sort + `) { nodes { rawId } } } }`)
			if r.code("workspace.contacts") != "UPSTREAM_UNAVAILABLE" || !strings.Contains(r.raw, "did not continue this list") {
				t.Errorf("want one error at the list, got %s", r.raw)
			}
			if calls := e.callsOf(demo.Token); len(calls) != test.calls {
				t.Errorf("want %d calls, got %q", test.calls, calls)
			}
		})
	}
}

// TestRowsComeOnce edits rows while a list by UPDATED_AT is read, so that the API sends
// some of them again.
func TestRowsComeOnce(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		switch r.URL.Query().Get("after") {
		case "":
			sendPage(w, "20", append(numbers(1, 19), 19, 20)...) // one row twice
		case "20":
			sendPage(w, "38", append([]int{3, 4}, numbers(21, 38)...)...)
		default:
			sendPage(w, "", 5, 39)
		}
		return true
	}))
	for _, rows := range []string{"nodes { rawId }", "edges { node { rawId } }"} {
		r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 60, sort: { property: UPDATED_AT }) { ` + rows + ` } } }`)
		for id := 1; id <= 39; id++ {
			if n := strings.Count(r.raw, fmt.Sprintf(`"rawId":"%d"`, id)); n != 1 {
				t.Errorf("%s: row %d comes %d times", rows, id, n)
			}
		}
	}
}

// TestStaleCursor asks for what follows a row that was deleted, from an API that starts
// anew, answers 404 or answers 422: the caller's own cursor is bad input, and a row that
// disappears during the walk is not.
func TestStaleCursor(t *testing.T) {
	for name, stale := range map[string]func(http.ResponseWriter, *http.Request){
		"starts anew": func(w http.ResponseWriter, _ *http.Request) { sendPage(w, "20", numbers(1, 20)...) },
		"404":         answer(404, "application/json", `{"error":"Not found: Record missing"}`),
		"422":         answer(422, "application/json", `{"error":"Request unprocessable: after is invalid"}`),
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
				if path != "/workspaces/101/contacts" {
					return false
				}
				if r.URL.Query().Get("after") == "40" {
					stale(w, r)
				} else {
					sendPage(w, "40", numbers(21, 40)...)
				}
				return true
			}))
			for arguments, want := range map[string]string{`first: 20, after: "40"`: "BAD_USER_INPUT", `first: 40`: "UPSTREAM_UNAVAILABLE"} {
				r := e.query(`{ workspace(id: "101", subdomain: "acme-academy") { name contacts(` + arguments + `) { nodes { rawId } } } }`)
				if r.code("workspace.contacts") != want || len(r.Errors) != 1 || r.get("workspace.name") == nil {
					t.Errorf("%s: want %s, got %s", arguments, want, r.raw)
				}
			}
		})
	}
}

// TestOwnerLookupsHaveABudget asks for a record whose owner is in an endless list, as a
// client that may see one workspace and make five calls.
func TestOwnerLookupsHaveABudget(t *testing.T) {
	key, hash := access.NewKey()
	t.Setenv("SOME_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf("tokens: { some: { env: SOME_TOKEN } }\nclients:\n  - { name: one, keys: [%q], token: some, workspaces: [101], limits: { calls: 5 } }\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: limits.Limits{Timeout: 30 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate }, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		switch path {
		case "/workspaces/101/courses":
			n, _ := strconv.Atoi(r.URL.Query().Get("after"))
			sendPage(w, strconv.Itoa(n+20), numbers(n+1, n+20)...)
		case "/courses/sections/4":
			_, _ = fmt.Fprint(w, `{"id":4,"course_id":0,"title":"x"}`)
		default:
			return false
		}
		return true
	}))
	r := e.queryAs(key, `{ node(id: "`+model.GlobalID(upstream.Ref{Kind: upstream.KindCourseSection, Parent: "101", ID: "4"})+`") { ... on CourseSection { title } } }`)
	if r.get("node") != nil {
		t.Errorf("a section of no course is shown: %s", r.raw)
	}
	if calls := e.callsOf(demo.Token); len(calls) > 10 {
		t.Errorf("%d calls, want at most five for the request and as many for the owner", len(calls))
	}
}

// TestLongFiltersAreSplit filters by a hundred long e-mail addresses, in front of an API
// that accepts 8 KB: the filter is split over several calls, and the rows are those of
// one list in every direction and window.
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
		addresses[i] = address((i*37)%rows + 1) // so that the parts overlap in their ids
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
			t.Errorf("%s: got %v, more %t", arguments, ids, more)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if longest < 4<<10 {
		t.Errorf("the longest URL has %d bytes: filters are split too early", longest)
	}
	r := e.query(`query($a: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: $a }, sort: { property: UPDATED_AT }) { nodes { rawId } } } }`, map[string]any{"a": addresses})
	if r.code("workspace.contacts") != "BAD_USER_INPUT" {
		t.Errorf("sorted by another property: %s", r.raw)
	}
	r = e.query(`query($a: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: $a }) { nodes { rawId } } } }`, map[string]any{"a": []string{strings.Repeat("x", 5000)}})
	if r.code("workspace.contacts") != "BAD_USER_INPUT" {
		t.Errorf("a value of 5,000 bytes: %s", r.raw)
	}
}

// TestRecordsHaveIDs leaves out rows whose id is no id: they could be neither found again
// nor told apart.
func TestRecordsHaveIDs(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		_, _ = fmt.Fprintf(w, `[{"id":{}},{"id":[1]},{"id":1.5},{"id":-0.0},{"id":"a b"},{"id":%q},{},null,{"id":7,"workspace_id":101}]`, strings.Repeat("9", 500))
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { rawId } } } }`)
	if want := `{"data":{"workspace":{"contacts":{"nodes":[{"rawId":"7"}]}}}}`; r.raw != want {
		t.Errorf("got %.500s, want %s", r.raw, want)
	}
}
