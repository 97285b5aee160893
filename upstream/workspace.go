package upstream

import (
	"context"
	"errors"
	"net/http"
)

// Place returns where the workspace's own records are found.
func (w *Workspace) Place() Place { return Place{WorkspaceID: w.Key(), Subdomain: w.Subdomain()} }

// rememberAll stores the places of fetched workspaces.
func (c *Client) rememberAll(rows ...*Workspace) {
	for _, w := range rows {
		c.remember(w)
	}
}

// Workspaces lists the workspaces of a team, given by its raw or public id, within the client's
// scope. It remembers their subdomains for the client's token.
func (c *Client) Workspaces(ctx context.Context, team string, q Query) (*Page[Workspace], error) {
	fetch := func(ctx context.Context, q Query) (*Page[Workspace], error) {
		page, err := fetchPage[Workspace](ctx, c, onAccounts, q, "teams", team, "workspaces")
		if err == nil {
			c.rememberAll(page.Rows...)
		}
		return page, err
	}
	if !c.Scoped() {
		return fetch(ctx, q)
	}
	if !IsRawID(team) {
		t, err := c.Team(ctx, team)
		if err != nil {
			return nil, err
		}
		team = t.RawID()
	}
	if !c.scope.team(team) {
		return nil, RecordNotFound()
	}
	return visiblePage(ctx, q, fetch, len(c.scope.workspaces))
}

// Workspace fetches a workspace by its raw or public id. It remembers the subdomain for the
// client's token.
func (c *Client) Workspace(ctx context.Context, id string) (*Workspace, error) {
	if c.scope.excludes(id) {
		return nil, RecordNotFound()
	}
	w, err := fetchRecord[Workspace](ctx, c, onAccounts, "workspaces", id)
	if err == nil {
		c.rememberAll(w)
	}
	return w, err
}

// UpdateWorkspace changes a workspace, given by its raw or public id, with the attributes of the
// body `workspace` (clickfunnels-api.md §5). Attributes that are absent stay unchanged. It remembers the
// subdomain for the client's token.
func (c *Client) UpdateWorkspace(ctx context.Context, id string, attributes any) (*Workspace, error) {
	if c.Scoped() {
		if _, err := c.Workspace(ctx, id); err != nil {
			return nil, err
		}
	}
	before, _ := c.workspaceHosts.get(workspaceHostKey{c.credential, id})
	w, _, err := writeRecord[Workspace](ctx, c, http.MethodPut, onAccounts, []string{"workspaces", id}, "workspace", attributes, true)
	if err == nil {
		c.rememberAll(w)
		before.WorkspaceID = w.RawID()
	}
	if failed, ok := errors.AsType[*Error](err); ok && failed.Refused {
		return w, err // nothing has changed
	}
	for _, subdomain := range c.workspaceHosts.subdomains(before.WorkspaceID) { // its records embed it
		c.transport.Evict(ctx, c.template.host(subdomain), nil)
	}
	return w, err
}
