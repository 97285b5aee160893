package demo

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route serves the requests of one path that is neither a list nor a record of a table.
type route struct {
	// pattern is the method and the path, with stars for ids.
	pattern string
	serve   func(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string)
}

var routes = []route{
	{"GET me", serveMe},
	{"GET teams/*/memberships", serveMemberships},
	{"GET workspaces/*/site", serveSite},
	{"PUT workspaces/*/site", updateSite},
	{"GET workspaces/*/emails/settings", serveEmailSettings},
	{"DELETE pages/*/products", removePageProducts},
	{"POST themes/*/set_default", setDefaultTheme},
	{"POST " + fieldList + "/reorder", reorderFields},
	{"POST orders/line_items/*/changes", previewChange},
	{"POST orders/line_items/*/changes/perform", performChange},
	{"GET products/prices/*/change_options", serveChangeOptions},
	{"GET funnels/*/stats", serveFunnelStats},
	{"GET pages/*/stats", servePageStats},
	{"DELETE " + splitTestList + "/*", deleteStep(splitTestList, true, "left", "right")},
	{"DELETE " + conditionalSplitList + "/*", deleteStep(conditionalSplitList, false, "matched", "unmatched")},
}

// serveRoute serves a request if it has a route.
func (s *Server) serveRoute(w http.ResponseWriter, r *http.Request, subdomain, path string) bool {
	for _, known := range routes {
		if ids, ok := matchAll(known.pattern, r.Method+" "+path); ok {
			if r.Method != http.MethodGet {
				s.copyOnWrite()
			}
			known.serve(s, w, r, subdomain, ids)
			return true
		}
	}
	return false
}

// matchAll returns the segments that the stars of a pattern stand for.
func matchAll(pattern, path string) (ids []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i := range want {
		if want[i] == "*" && have[i] != "" {
			ids = append(ids, have[i])
		} else if want[i] != have[i] {
			return nil, false
		}
	}
	return ids, true
}

// table returns the table with a list.
func (s *Server) table(list string) *table { return tableOf(s.tables, list) }

func tableOf(tables []*table, list string) *table {
	return tables[slices.IndexFunc(tables, func(t *table) bool { return t.list == list })]
}

// on returns a table's row on a host. If there is none, it sends the response.
func (s *Server) on(w http.ResponseWriter, list, id, subdomain string) (row, bool) {
	t := s.table(list)
	found, ok := t.find(id)
	if ok && hostOf(t, found) == subdomain {
		return found, true
	}
	fail(w, http.StatusNotFound, "Not found: Record missing")
	return nil, false
}

// The lists whose records have routes of their own.
const (
	workspaceList = "teams/*/workspaces"
	funnelList    = "workspaces/*/funnels"
	pageList      = "workspaces/*/pages"
	fieldList     = "forms/field_sets/*/fields"
)

func serveMe(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, _ []string) {
	if subdomain != accounts {
		fail(w, http.StatusNotFound, "Not found")
		return
	}
	var workspace any
	if g := grantOf(r); g != nil {
		workspace = s.connectedWorkspace(g)
	}
	send(w, http.StatusOK, encode(with(maps.Clone(s.table("users").rows[0]), row{
		"connected_workspace": workspace, "platform_application": row{"id": 501, "public_id": publicID(501), "team_id": s.table("teams").rows[0].id()},
	})))
}

// serveMemberships serves the members in a team's record, and the API's own agent.
func serveMemberships(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	team, ok := s.table("teams").find(ids[0])
	if !ok || subdomain != accounts {
		fail(w, http.StatusNotFound, "Not found: Record missing")
		return
	}
	agent := s.table("users").rows[0]
	rows := append(slices.Clone(team["memberships"].([]row)), with(record(9_000+team.id(), team.id()), row{
		"team_id": team.id(), "user_id": agent.id(), "user_first_name": agent["first_name"], "user_last_name": agent["last_name"], "user_profile_photo_id": nil,
		"user_email": agent["email"], "added_by_id": nil, "platform_agent_of_id": 501, "role_ids": []string{"admin"}, "user": agent,
	}))
	query := r.URL.Query()
	page, next := paged(ordered(rows, query.Get("sort_property"), query.Get("sort_order")), query.Get("after"))
	if next != "" {
		w.Header().Set("Pagination-Next", next)
	}
	send(w, http.StatusOK, encode(page))
}

func serveSite(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	if workspace, ok := s.on(w, workspaceList, ids[0], subdomain); ok {
		sites := s.table("workspaces/*/site")
		send(w, http.StatusOK, sites.expanded(sites.children[workspace.id()][0], r.URL.Query()["expand[]"]))
	}
}

func updateSite(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	workspace, ok := s.on(w, workspaceList, ids[0], subdomain)
	if !ok {
		return
	}
	sites := s.table("workspaces/*/site")
	if given, ok := sites.read(w, r); ok {
		s.set(w, r, sites, sites.children[workspace.id()][0], workspace.id(), given, http.StatusOK)
	}
}

func serveEmailSettings(s *Server, w http.ResponseWriter, _ *http.Request, subdomain string, ids []string) {
	workspace, ok := s.on(w, workspaceList, ids[0], subdomain)
	if !ok {
		return
	}
	address := func(name string) row {
		return row{"name": workspace["name"], "email_address": name + "@" + workspace["subdomain"].(string) + ".example.com"}
	}
	send(w, http.StatusOK, encode(row{
		"workspace_id": workspace.id(), "marketing_emails_from_address": address("hello"), "marketing_emails_reply_to_address": address("hello"),
		"system_emails_from_address": address("support"), "system_emails_reply_to_address": address("support"),
	}))
}

func removePageProducts(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	page, ok := s.on(w, "workspaces/*/pages", ids[0], subdomain)
	if !ok {
		return
	}
	given, ok := readBody(w, r)
	if !ok {
		return
	}
	products, _ := given["product_ids"].([]any)
	step, isStep := page["show_page_step"].(row)
	if len(products) == 0 || !isStep {
		fail(w, http.StatusBadRequest, "Bad request: param is missing or the value is empty: product_ids")
		return
	}
	step = maps.Clone(step)
	step["products"] = slices.DeleteFunc(slices.Clone(step["products"].([]row)), func(product row) bool {
		return slices.ContainsFunc(products, func(id any) bool { return product.is(idText(id)) })
	})
	page["show_page_step"] = step
	indexed(s.tables)
	w.WriteHeader(http.StatusNoContent)
}

// reorderFields sets the order of a field set's fields.
func reorderFields(s *Server, w http.ResponseWriter, r *http.Request, subdomain string, ids []string) {
	set, ok := s.on(w, "forms/*/field_sets", ids[0], subdomain)
	if !ok {
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	t := s.table(fieldList)
	order, ordered := []int64{}, []row{}
	given, _ := body["ids_in_order"].([]any)
	for _, id := range given {
		field, ok := t.find(idText(id))
		if !ok || field[t.parent] != set.id() || slices.Contains(order, field.id()) {
			fail(w, http.StatusUnprocessableEntity, "Ids in order is invalid")
			return
		}
		order, ordered = append(order, field.id()), append(ordered, field)
	}
	for i, field := range t.rows { // the places of these fields stay
		if slices.Contains(order, field.id()) {
			t.rows[i], ordered = ordered[0], ordered[1:]
		}
	}
	indexed(s.tables)
	send(w, http.StatusOK, encode(row{"ordered_field_ids": order}))
}

func setDefaultTheme(s *Server, w http.ResponseWriter, _ *http.Request, subdomain string, ids []string) {
	if _, ok := s.on(w, "workspaces/*/themes", ids[0], subdomain); ok {
		w.WriteHeader(http.StatusNoContent)
	}
}
