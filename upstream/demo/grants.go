package demo

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

// grant is the access of a token: one workspace of a team. A nil grant reaches everything.
type grant struct{ team, workspace int64 }

// AcceptTokensOf makes the server accept the workspace tokens that o issued, until they are revoked.
// Such a token reaches one workspace and its team (clickfunnels-api.md §2). Other workspaces are
// missing. Tokens of an earlier OAuth are no longer accepted.
//
// It is safe for concurrent use. Several servers can accept the tokens of one OAuth.
func (s *Server) AcceptTokensOf(o *OAuth) { s.oauth.Store(o) }

// grantKey is the key of a request's grant in its context.
type grantKey struct{}

// grantOf returns the grant of an authenticated request. It is nil if the token reaches everything.
func grantOf(r *http.Request) *grant {
	g, _ := r.Context().Value(grantKey{}).(*grant)
	return g
}

// authenticated returns the request with its grant, if its token is valid.
func (s *Server) authenticated(r *http.Request) (*http.Request, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == Token {
		return r, ok
	}
	o := s.oauth.Load()
	if o == nil {
		return r, false
	}
	g, ok := o.grant(token)
	return r.WithContext(context.WithValue(r.Context(), grantKey{}, g)), ok
}

// reaches reports whether a grant allows a host and the first record of a path. Each record is
// served on one host only, so the host decides, except on the accounts host.
func (s *Server) reaches(g *grant, subdomain, path string) bool {
	if g == nil {
		return true
	}
	team, workspace := s.granted(g)
	if subdomain != accounts {
		return subdomain == workspace["subdomain"]
	}
	list, rest, _ := strings.Cut(path, "/")
	id, _, _ := strings.Cut(rest, "/")
	switch {
	case id == "":
		return true
	case list == "teams":
		return team.is(id)
	case list == "workspaces":
		return workspace.is(id)
	}
	return true
}

// granted returns the records of a grant.
func (s *Server) granted(g *grant) (team, workspace row) {
	team, _ = s.table("teams").find(strconv.FormatInt(g.team, 10))
	workspace, _ = s.table(workspaceList).find(strconv.FormatInt(g.workspace, 10))
	return team, workspace
}

// shows reports whether lists contain a row for this grant.
func (g *grant) shows(t *table, r row) bool {
	switch t.list {
	case "teams":
		return r.id() == g.team
	case workspaceList:
		return r.id() == g.workspace
	}
	return true
}

// connectedWorkspace returns the workspace of a grant as /me describes it.
func (s *Server) connectedWorkspace(g *grant) row {
	return with(connected(s.granted(g)), row{"workspace_currency": "USD"})
}
