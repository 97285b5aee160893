package upstream

import (
	"context"
	"net/http"
)

// Workspace holds contacts, orders and courses, and has a subdomain of its own
// where they are found (API.md §5, Workspace).
type Workspace struct {
	Record    `json:",embed"`
	TeamID    string `json:"team_id"`
	Name      string `json:"name"`
	Subdomain string `json:"subdomain"`
}

// Ref returns the workspace's address.
func (w *Workspace) Ref() Ref { return Ref{Kind: KindWorkspace, ID: w.Key()} }

// Place returns where the workspace's own records are found.
func (w *Workspace) Place() Place { return Place{WorkspaceID: w.Key(), Subdomain: w.Subdomain} }

// keep is remember for a record that has just come.
func (c *Client) keep(w *Workspace, _ Place) { c.remember(w) }

// Workspaces lists a team's workspaces; team is its raw or public id. The
// subdomains are remembered for the client's token.
func (c *Client) Workspaces(ctx context.Context, team string, q Query) (*Page[Workspace], error) {
	fetch := func(ctx context.Context, q Query) (*Page[Workspace], error) {
		return list(ctx, c, onAccounts, q, c.keep, "teams", team, "workspaces")
	}
	if !c.Scoped() {
		return fetch(ctx, q)
	}
	if !IsRawID(team) {
		t, err := c.Team(ctx, team)
		if err != nil {
			return nil, err
		}
		team = t.RawID
	}
	if !c.scope.team(team) {
		return nil, NotThere()
	}
	return visible(ctx, q, fetch, len(c.scope.workspaces))
}

// Workspace fetches a workspace by its raw or public id. Its subdomain is
// remembered for the client's token.
func (c *Client) Workspace(ctx context.Context, id string) (*Workspace, error) {
	if c.scope.hides(id) {
		return nil, NotThere()
	}
	return one(ctx, c, onAccounts, c.keep, "workspaces", id)
}

// UpdateWorkspace changes a workspace, given by its raw or public id, with the
// attributes of the body `workspace` (API.md §5). Its subdomain is remembered for the
// client's token.
func (c *Client) UpdateWorkspace(ctx context.Context, id string, attributes any) (*Workspace, error) {
	if c.Scoped() {
		if _, err := c.Workspace(ctx, id); err != nil {
			return nil, err
		}
	}
	row, _, err := written(ctx, c, http.MethodPut, onAccounts, []string{"workspaces", id}, "workspace", attributes, true, c.keep)
	return row, err
}
