// Package demo is a simulated ClickFunnels API: a few teams, several workspaces
// each, and enough contacts to page through, all made up and the same at every
// start. It is as strict as the real one, so that what works here works there:
// it wants a bearer and a User-Agent, answers 404 on the wrong subdomain and 400
// to an unknown filter key, and sends pages of 20 rows with the cursor of the
// next page in a header (API.md §§1–4).
//
// What is written to it lasts as long as the server. It serves `funnelgraph --demo` and
// the tests.
package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Token is the bearer that the simulated API accepts.
const Token = "demo-token"

// BasePath is where the API stands on each host.
const BasePath = "/api/v2"

// Template returns the upstream URL template that leads to a [Server] which
// listens on the given address, such as "127.0.0.1:8081".
func Template(address string) string { return "http://" + address + "/{subdomain}" + BasePath }

// pageSize is the number of rows of a page.
const pageSize = 20

// Server is the simulated API, a [http.Handler], safe for concurrent use. The
// subdomain is the first path segment, as in [Template], or else the first
// label of the host.
type Server struct {
	contacts []int

	mu     sync.RWMutex
	tables []*table
	// owns says that the data is the server's own: until it is written to, it is the
	// same for all.
	ownsTables bool
}

// New returns a server with the example data. contacts, if given, says how many
// contacts the workspaces have, going round.
func New(contacts ...int) *Server {
	if len(contacts) == 0 {
		return &Server{contacts: contactsPerWorkspace, tables: example()}
	}
	return &Server{contacts: contacts, tables: indexed(exampleData(contacts)), ownsTables: true}
}

// example is the data of all servers that want nothing else; none changes it.
var example = sync.OnceValue(func() []*table { return indexed(exampleData(contactsPerWorkspace)) })

func indexed(tables []*table) []*table {
	for _, t := range tables {
		t.index()
	}
	return tables
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.UserAgent() == "" {
		// Turned away before the API, by a page (API.md §2).
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "<html><body><h1>%s</h1></body></html>", html.EscapeString("Access denied"))
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		fail(w, http.StatusUnauthorized, "API key missing or invalid")
		return
	}
	subdomain, path, ok := split(r)
	if !ok {
		fail(w, http.StatusNotFound, "No such route")
		return
	}
	if r.Method != http.MethodGet {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.serveWrite(w, r, subdomain, path) {
			fail(w, http.StatusNotFound, "No such route")
		}
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tables {
		if parent, ok := match(t.list, path); ok {
			s.serveList(w, r, t, subdomain, parent)
			return
		}
	}
	for _, t := range s.tables {
		if id, ok := match(t.member, path); ok {
			serveMember(w, r, t, subdomain, id)
			return
		}
	}
	fail(w, http.StatusNotFound, "No such route")
}

// split takes a request's subdomain and the path below the API's base.
func split(r *http.Request) (subdomain, path string, ok bool) {
	if rest, ok := strings.CutPrefix(r.URL.Path, BasePath+"/"); ok {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		subdomain, _, _ = strings.Cut(host, ".")
		return subdomain, rest, true
	}
	subdomain, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	path, ok = strings.CutPrefix("/"+rest, BasePath+"/")
	return subdomain, path, ok
}

// match holds a path against a pattern with one "*" at most, and returns what
// stands there.
func match(pattern, path string) (id string, ok bool) {
	before, after, _ := strings.Cut(pattern, "*")
	if before == pattern {
		return "", path == pattern
	}
	id, ok = strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, after)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

func fail(w http.ResponseWriter, status int, text string) {
	send(w, status, encode(map[string]string{"error": text}))
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // the example data is ours
	}
	return body
}

// row is a record as it goes over the wire.
type row map[string]any

func (r row) id() int64 { return r["id"].(int64) }

// is reports whether the path id, raw or public, means this row.
func (r row) is(id string) bool { return id == strconv.FormatInt(r.id(), 10) || id == r["public_id"] }

// table is one resource: its paths, its rules and its rows, in the order of
// their ids.
type table struct {
	list   string // such as "workspaces/*/contacts"
	member string // such as "contacts/*"
	// parent is the field that names the row's parent, of which list's "*" is
	// the id; empty without one.
	parent  string
	parents *table
	// filters tells of each filter key whether a row has one of the values.
	filters map[string]func(r row, values []string) bool
	// hidden rows are left out of lists and found by their id.
	hidden func(row) bool
	// expand completes a row with a field sent only on demand.
	expand map[string]func(row) any
	rows   []row
	// writes are what can be changed; nil is nothing.
	writes *writes
	// complete, if not nil, returns a row with what is taken from other tables.
	complete func(row) row
	// resource is what the table was made from; nil for one that is written by hand.
	resource *Resource
	// subdomain says on which host a row lives.
	subdomain func(row) string

	byID     map[string]row // by raw and by public id
	children map[any][]row  // by the parent's id
	encoded  *sync.Map      // of []byte, by the raw id
}

// index prepares the rows for being found and sent.
func (t *table) index() {
	t.byID, t.children, t.encoded = make(map[string]row, 2*len(t.rows)), make(map[any][]row), new(sync.Map)
	for _, r := range t.rows {
		t.byID[strconv.FormatInt(r.id(), 10)] = r
		t.byID[r["public_id"].(string)] = r
		t.children[r[t.parent]] = append(t.children[r[t.parent]], r)
	}
}

func (t *table) completed(r row) row {
	if t.complete == nil {
		return r
	}
	return t.complete(r)
}

func (t *table) find(id string) (row, bool) {
	r, ok := t.byID[id]
	return r, ok
}

func serveMember(w http.ResponseWriter, r *http.Request, t *table, subdomain, id string) {
	found, ok := t.find(id)
	if !ok || t.subdomain(found) != subdomain {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	send(w, http.StatusOK, t.expanded(found, r.URL.Query()["expand[]"]))
}

// expanded returns the row as it is sent, with the fields asked for on top.
func (t *table) expanded(r row, keys []string) []byte {
	if len(keys) == 0 {
		known, ok := t.encoded.Load(r.id())
		if !ok {
			known, _ = t.encoded.LoadOrStore(r.id(), encode(t.completed(r)))
		}
		return known.([]byte)
	}
	for _, key := range keys {
		if value, ok := t.expand[key]; ok {
			r = with(maps.Clone(r), row{key: value(r)})
		}
	}
	return encode(t.completed(r))
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request, t *table, subdomain, parent string) {
	rows := t.rows
	if t.parents != nil {
		owner, ok := t.parents.find(parent)
		if !ok || t.hostOf(owner) != subdomain {
			fail(w, http.StatusNotFound, "Not found: Record missing")
			return
		}
		rows = t.children[owner.id()]
	} else if subdomain != accounts {
		fail(w, http.StatusNotFound, "Not found")
		return
	}
	if t.hidden != nil {
		rows = filtered(rows, func(r row) bool { return !t.hidden(r) })
	}
	query := r.URL.Query()
	for key, given := range query {
		name, ok := strings.CutPrefix(key, "filter[")
		if !ok {
			continue // unknown parameters are ignored (API.md §3.3)
		}
		name = strings.TrimSuffix(name, "]")
		keep, ok := t.filters[name]
		if !ok {
			fail(w, http.StatusBadRequest, "Bad request: found unpermitted parameter: :"+name)
			return
		}
		values := strings.Split(given[0], ",")
		rows = filtered(rows, func(r row) bool { return keep(r, values) })
	}
	page, next := paged(ordered(rows, query.Get("sort_property"), query.Get("sort_order")), query.Get("after"))
	if next != "" {
		w.Header().Set("Pagination-Next", next)
		query.Set("after", next)
		w.Header().Set("Link", fmt.Sprintf("<http://%s%s?%s>; rel=\"next\"", r.Host, r.URL.Path, query.Encode()))
	}
	out := make([][]byte, len(page))
	for i, r := range page {
		out[i] = t.expanded(r, query["expand[]"])
	}
	send(w, http.StatusOK, slices.Concat([]byte("["), bytes.Join(out, []byte(",")), []byte("]")))
}

// hostOf returns the host on which the list below an owner lives: a team's
// workspaces are on accounts, all else below a workspace or a contact on the
// workspace's own.
func (t *table) hostOf(owner row) string {
	if subdomain, ok := owner["subdomain"].(string); ok {
		return subdomain
	}
	return t.parents.subdomain(owner)
}

func filtered(rows []row, keep func(row) bool) []row {
	var kept []row
	for _, r := range rows {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func ordered(rows []row, property, order string) []row {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b row) int {
		if property == "updated_at" {
			if c := strings.Compare(a["updated_at"].(string), b["updated_at"].(string)); c != 0 {
				return c
			}
		}
		if property == "sort_order" && a[property] != nil && b[property] != nil {
			if c := a[property].(int) - b[property].(int); c != 0 {
				return c
			}
		}
		return int(a.id() - b.id())
	})
	if order == "desc" {
		slices.Reverse(rows)
	}
	return rows
}

// paged returns the page behind the row with the id, and the cursor of the one
// behind that.
func paged(rows []row, after string) (page []row, next string) {
	if after != "" {
		i := slices.IndexFunc(rows, func(r row) bool { return r.is(after) })
		rows = rows[i+1:] // an unknown cursor is the list's beginning
	}
	if len(rows) <= pageSize {
		return rows, ""
	}
	page = rows[:pageSize]
	return page, strconv.FormatInt(page[pageSize-1].id(), 10)
}

// oneOf returns a filter on a plain field.
func oneOf(field string) func(row, []string) bool {
	return func(r row, values []string) bool { return slices.Contains(values, fmt.Sprint(r[field])) }
}
