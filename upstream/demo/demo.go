// Package demo is a simulated ClickFunnels API. Its fixed example data has a few teams, several
// workspaces each, and enough contacts for several pages.
//
// It is as strict as the real API (clickfunnels-api.md §§1–4). It requires a bearer token and a User-Agent. It
// answers 404 on the wrong subdomain and 400 to an unknown filter key. It sends pages of 20 rows,
// with the cursor of the next page in a header.
//
// Changes last as long as the server. Package demo serves `funnelgraph --demo` and the tests.
package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Token is the bearer token that the simulated API always accepts. It reaches every workspace.
const Token = "demo-token"

// BasePath is the API's path on each host.
const BasePath = "/api/v2"

// Template returns the upstream URL template for a [Server] that listens on the given address, such
// as "127.0.0.1:8081".
func Template(address string) string { return "http://" + address + "/{subdomain}" + BasePath }

// pageSize is the number of rows of a page.
const pageSize = 20

// Server is the simulated API. It is an [http.Handler] and safe for concurrent use. The subdomain
// is the first path segment, as in [Template], or else the first label of the host.
type Server struct {
	contacts []int
	oauth    atomic.Pointer[OAuth]

	mu     sync.RWMutex
	tables []*table
	// ownsTables is set once the server has its own copy of the tables. Servers share the tables
	// until the first write.
	ownsTables bool
	notify     Notify // nil without webhooks
}

// New returns a server with the example data. contacts, if given, lists the number of contacts of
// each workspace, and repeats if it is shorter.
func New(contacts ...int) *Server {
	if len(contacts) == 0 {
		return &Server{contacts: contactsPerWorkspace, tables: example()}
	}
	return &Server{contacts: contacts, tables: indexed(exampleData(contacts)), ownsTables: true}
}

// example returns the shared tables of all servers with the default data. They must not be
// modified.
var example = sync.OnceValue(func() []*table { return indexed(exampleData(contactsPerWorkspace)) })

func indexed(tables []*table) []*table {
	for _, t := range tables {
		t.index()
	}
	return tables
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !requireUserAgent(w, r) {
		return
	}
	r, ok := s.authenticated(r)
	if !ok {
		fail(w, http.StatusUnauthorized, "API key missing or invalid")
		return
	}
	subdomain, at, ok := split(r)
	if !ok {
		fail(w, http.StatusNotFound, "No such route")
		return
	}
	if r.Method == http.MethodGet {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if !s.reaches(grantOf(r), subdomain, at) {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	s.serve(w, r, subdomain, at)
}

// serve serves a request that the token may make. s.mu is held.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, subdomain, at string) {
	if s.serveRoute(w, r, subdomain, at) {
		return
	}
	if r.Method != http.MethodGet {
		if !s.serveWrite(w, r, subdomain, at) {
			fail(w, http.StatusNotFound, "No such route")
		}
		return
	}
	for _, t := range s.tables {
		if parent, ok := match(t.list, at); ok {
			s.serveList(w, r, t, subdomain, parent)
			return
		}
	}
	for _, t := range s.tables {
		if id, ok := t.memberAt(at); ok {
			serveMember(w, r, t, subdomain, id)
			return
		}
	}
	fail(w, http.StatusNotFound, "No such route")
}

// requireUserAgent reports whether a request has a User-Agent. If not, it sends the HTML page of the
// edge (clickfunnels-api.md §2).
func requireUserAgent(w http.ResponseWriter, r *http.Request) bool {
	if r.UserAgent() != "" {
		return true
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, "<html><body><h1>%s</h1></body></html>", html.EscapeString("Access denied"))
	return false
}

// split returns a request's subdomain and the path below the API's base path.
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

// memberAt returns the id of the record that a path leads to. It is no record's id if the path
// contains the id of another parent than the record's.
func (t *table) memberAt(path string) (id string, ok bool) {
	ids, ok := matchAll(t.member, path)
	if !ok || len(ids) == 0 {
		return "", false
	}
	id = ids[len(ids)-1]
	if len(ids) > 1 {
		child, known := t.find(id)
		if parent, ok := t.parents.find(ids[0]); !ok || !known || child[t.parent] != parent.id() {
			return "", true
		}
	}
	return id, true
}

// match compares a path with a pattern that contains at most one "*", and returns the text in its
// place.
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
	_, _ = w.Write(body) //nolint:gosec // JSON
}

func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // the example data always encodes
	}
	return body
}

// row is a record as it is sent.
type row map[string]any

func (r row) id() int64 { return r["id"].(int64) }

// is reports whether a raw or public id is the row's.
func (r row) is(id string) bool { return id == strconv.FormatInt(r.id(), 10) || id == r["public_id"] }

// table is one resource: its paths, its rules and its rows in the order of their ids.
type table struct {
	list   string // such as "workspaces/*/contacts"
	member string // such as "contacts/*"
	// parent is the field with the id of the row's parent, which replaces the "*" in list; empty
	// without a parent.
	parent  string
	parents *table
	// filters holds, for each filter key, a function that reports whether a row matches one of the
	// values.
	filters map[string]func(r row, values []string) bool
	// hidden reports rows that lists omit but ids find.
	hidden func(row) bool
	// expand holds the functions for fields that are sent only on request.
	expand map[string]func(row) any
	rows   []row
	// writes describes the allowed changes; nil if there are none.
	writes *writes
	// complete, if not nil, returns a row with values from other tables.
	complete func(row) row
	// resource is the description of the rows, nil for those of the accounts host and for a second
	// list. derived reports whether the table was made from it.
	resource *Resource
	derived  bool
	// volatile reports whether complete returns other values each time.
	volatile bool
	// subdomain returns the host of a row.
	subdomain func(row) string

	byID     map[string]row // by raw and by public id
	children map[any][]row  // by the parent's id
	encoded  *sync.Map      // raw id → []byte
}

// index builds the indexes by id and by parent, and clears the encoded rows.
func (t *table) index() {
	t.byID, t.children, t.encoded = make(map[string]row, 2*len(t.rows)), make(map[any][]row), new(sync.Map)
	for _, r := range t.rows {
		t.byID[strconv.FormatInt(r.id(), 10)] = r
		t.byID[r["public_id"].(string)] = r
		t.children[r[t.parent]] = append(t.children[r[t.parent]], r)
	}
}

// completed returns a row as the API sends it, with the keys that were requested.
func (t *table) completed(r row, requested ...string) row {
	if t.resource != nil {
		r = maps.Clone(r)
		for _, f := range t.resource.Fields {
			if f.Expand && !slices.Contains(requested, f.Key) {
				delete(r, f.Key)
			}
		}
	}
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

// expanded returns the encoded row with the requested extra fields.
func (t *table) expanded(r row, keys []string) []byte {
	if len(keys) == 0 && !t.volatile {
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
	return encode(t.completed(r, keys...))
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request, t *table, subdomain, parent string) {
	rows := t.rows
	if t.parents != nil {
		owner, ok := t.parents.find(parent)
		if !ok || hostOf(t.parents, owner) != subdomain {
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
	if g := grantOf(r); g != nil {
		rows = filtered(rows, func(r row) bool { return g.shows(t, r) })
	}
	query := r.URL.Query()
	for key, given := range query {
		name, ok := strings.CutPrefix(key, "filter[")
		if !ok {
			continue // unknown parameters are ignored (clickfunnels-api.md §3.3)
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
	rows, ok := s.stored(w, query, t, parent, rows)
	if !ok {
		return
	}
	if t.resource != nil && t.resource.Whole {
		whole := make([]json.RawMessage, len(rows))
		for i, r := range rows {
			whole[i] = t.expanded(r, query["expand[]"])
		}
		send(w, http.StatusOK, encode(map[string]any{path.Base(t.list): whole}))
		return
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

// hostOf returns the host of the lists below an owner. A team's workspaces are on the accounts
// host. Lists below a workspace or one of its records are on the workspace's host.
func hostOf(owners *table, owner row) string {
	if subdomain, ok := owner["subdomain"].(string); ok {
		return subdomain
	}
	return owners.subdomain(owner)
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

// paged returns the page after the row with the given id, and the cursor of the next page.
func paged(rows []row, after string) (page []row, next string) {
	if after != "" {
		i := slices.IndexFunc(rows, func(r row) bool { return r.is(after) })
		rows = rows[i+1:] // an unknown cursor starts at the beginning
	}
	if len(rows) <= pageSize {
		return rows, ""
	}
	page = rows[:pageSize]
	return page, strconv.FormatInt(page[pageSize-1].id(), 10)
}

// oneOf returns a filter for the values of a field.
func oneOf(field string) func(row, []string) bool {
	return func(r row, values []string) bool { return slices.Contains(values, fmt.Sprint(r[field])) }
}
