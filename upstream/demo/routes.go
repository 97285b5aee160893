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
	{"GET workspaces/*/site", serveSite},
	{"PUT workspaces/*/site", updateSite},
	{"GET workspaces/*/emails/settings", serveEmailSettings},
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
func (s *Server) table(list string) *table {
	return s.tables[slices.IndexFunc(s.tables, func(t *table) bool { return t.list == list })]
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
)

func serveMe(s *Server, w http.ResponseWriter, _ *http.Request, subdomain string, _ []string) {
	if subdomain != accounts {
		fail(w, http.StatusNotFound, "Not found")
		return
	}
	send(w, http.StatusOK, encode(with(maps.Clone(s.table("users").rows[0]), row{
		"connected_workspace": nil, "platform_application": row{"id": 501, "public_id": publicID(501), "team_id": s.table("teams").rows[0].id()},
	})))
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
