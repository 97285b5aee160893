package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// sendPage answers with a row for each id. A non-empty next says that more rows follow.
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

// TestCursorCyclesEnd sends pages that name each other as the next one, for every kind of walk.
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
				t.Errorf("the walk took %d calls, want 1 to 4", n)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the walk took %s, want at most 5s", took)
			}
			if len(r.Errors) > 0 && r.Errors[0].Extensions["code"] != "UPSTREAM_UNAVAILABLE" {
				t.Errorf("want UPSTREAM_UNAVAILABLE, got %s", r.raw)
			}
		})
	}
}

// TestRowsSentTwiceAppearOnce edits rows while a list by UPDATED_AT is read, so that the API
// sends some of them again.
func TestRowsSentTwiceAppearOnce(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		switch r.URL.Query().Get("after") {
		case "":
			sendPage(w, "20", append(numbers(1, 19), 19, 20)...) // a row appears twice
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
				t.Errorf("%s: row %d appears %d times, want once", rows, id, n)
			}
		}
	}
}

// TestWalkReturnsEachRowOnceInOrder pages through a list in both directions, with several page
// sizes.
func TestWalkReturnsEachRowOnceInOrder(t *testing.T) {
	e := newEnv(t)
	for _, sort := range []string{"", "sort: { property: UPDATED_AT, direction: DESC },"} {
		whole := walk(t, e, sort, true, 100)
		if len(whole) != 303 {
			t.Fatalf("%d contacts, want 303: lists leave 7 of the 310 out", len(whole))
		}
		seen := make(map[string]bool)
		for _, id := range whole {
			if seen[id] {
				t.Fatalf("%s appears twice, want once", id)
			}
			seen[id] = true
		}
		for _, size := range []int{1, 7, 20, 33} {
			for _, forward := range []bool{true, false} {
				if size == 1 && sort != "" {
					continue
				}
				if got := walk(t, e, sort, forward, size); strings.Join(got, " ") != strings.Join(whole, " ") {
					t.Errorf("%q, pages of %d, forward %v: the rows differ from one page of 100", sort, size, forward)
				}
			}
		}
	}
}

// TestWalkOfChildrenReturnsEachRowOnceInOrder pages through child rows, which are fetched for
// many parents at once.
func TestWalkOfChildrenReturnsEachRowOnceInOrder(t *testing.T) {
	e := newEnv(t)
	const podcast, academy = `contact(id: "3000000078", workspaceId: "103")`, `contact(id: "3000000001", workspaceId: "101")`
	for _, list := range []struct {
		below, path string
		sorts       []string
		rows        int
	}{
		{podcast, "contact.orders", []string{"", "sort: { property: UPDATED_AT, direction: DESC },"}, 26},
		{academy, "contact.orders", []string{"", "sort: { direction: DESC },"}, 2},
		{academy, "contact.enrollments", []string{""}, 2},
		{academy, "contact.opportunities", []string{"", "sort: { property: UPDATED_AT },"}, 1},
		{academy, "contact.formSubmissions", []string{""}, 1},
		{`contact(id: "3000000002", workspaceId: "101")`, "contact.orders", []string{""}, 0},
		{`node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindProductCollection, Parent: "103", ID: "76006"}) + `") { ... on ProductCollection`, "node.products", []string{""}, 24},
	} {
		for _, sort := range list.sorts {
			whole := walkOf(t, e, list.below, list.path, sort, true, 100)
			if len(whole) != list.rows {
				t.Errorf("%s %s: %d rows, want %d", list.path, sort, len(whole), list.rows)
			}
			for _, size := range []int{1, 7, 20} {
				for _, forward := range []bool{true, false} {
					if got := walkOf(t, e, list.below, list.path, sort, forward, size); strings.Join(got, " ") != strings.Join(whole, " ") {
						t.Errorf("%s %s, pages of %d, forward %v: %v, want %v", list.path, sort, size, forward, got, whole)
					}
				}
			}
		}
	}
}

// walk returns the ids of the contacts of workspace 109, page by page.
func walk(t *testing.T, e *env, sort string, forward bool, size int) []string {
	t.Helper()
	return walkOf(t, e, `workspace(id: "109", subdomain: "sol-cursos")`, "workspace.contacts", sort, forward, size)
}

// walkOf pages through the list at a path and returns the ids of its rows. below is the field
// at which the path begins.
func walkOf(t *testing.T, e *env, below, path, sort string, forward bool, size int) []string {
	t.Helper()
	list := path[strings.LastIndex(path, ".")+1:]
	var all []string
	cursor := ""
	for range 400 {
		window := fmt.Sprintf("first: %d", size)
		if !forward {
			window = fmt.Sprintf("last: %d", size)
		}
		if cursor != "" {
			window += map[bool]string{true: ", after: ", false: ", before: "}[forward] + fmt.Sprintf("%q", cursor)
		}
		r := e.must(fmt.Sprintf(`{ %s { %s(%s %s) { edges { cursor node { rawId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`, below, list, sort, window) + strings.Repeat("}", strings.Count(below, "{")))
		var page []string
		for i := range size {
			id, ok := r.get(fmt.Sprintf(path+".edges.%d.node.rawId", i)).(string)
			if !ok {
				break
			}
			if r.get(fmt.Sprintf(path+".edges.%d.cursor", i)) != id {
				t.Fatal("want the row's id as its cursor")
			}
			page = append(page, id)
		}
		info := path + ".pageInfo."
		if len(page) > 0 && (r.get(info+"startCursor") != page[0] || r.get(info+"endCursor") != page[len(page)-1]) {
			t.Fatalf("want the cursors of the first and the last row, got %s", r.raw)
		}
		more, behind, next := r.get(info+"hasNextPage"), r.get(info+"hasPreviousPage"), r.get(info+"endCursor")
		if forward {
			all = append(all, page...)
		} else {
			all = append(page, all...)
			more, behind, next = behind, more, r.get(info+"startCursor")
		}
		if behind != (cursor != "") {
			t.Fatalf("want rows behind unless this is the first page, got %s", r.raw)
		}
		if more == false {
			return all
		}
		cursor = next.(string)
	}
	t.Fatal("the walk does not end after 400 pages")
	return nil
}
