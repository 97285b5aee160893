package upstream

import (
	"context"
	"net/http"
)

// Teams lists the teams that the token reaches, within the client's scope.
func (c *Client) Teams(ctx context.Context, q Query) (*Page[Team], error) {
	fetch := func(ctx context.Context, q Query) (*Page[Team], error) {
		return fetchPage[Team](ctx, c, onAccounts, q, "teams")
	}
	if !c.Scoped() {
		return fetch(ctx, q)
	}
	if len(c.scope.teams) == 0 {
		return &Page[Team]{}, nil
	}
	return visiblePage(ctx, q, fetch, len(c.scope.teams))
}

// Team fetches a team by its raw or public id.
func (c *Client) Team(ctx context.Context, id string) (*Team, error) {
	if IsRawID(id) && !c.scope.team(id) {
		return nil, RecordNotFound()
	}
	return fetchRecord[Team](ctx, c, onAccounts, "teams", id)
}

// Memberships lists the memberships of a team, given by its raw id.
func (c *Client) Memberships(ctx context.Context, team string, q Query) (*Page[Membership], error) {
	if !c.scope.team(team) {
		return nil, RecordNotFound()
	}
	return fetchPage[Membership](ctx, c, Place{Subdomain: Accounts, TeamID: team}, q, "teams", team, "memberships")
}

// UpdateTeam changes a team, given by its raw or public id, with the attributes of the body `team`
// (clickfunnels-api.md §5). Attributes that are absent stay unchanged.
func (c *Client) UpdateTeam(ctx context.Context, id string, attributes any) (*Team, error) {
	if c.Scoped() {
		if _, err := c.Team(ctx, id); err != nil {
			return nil, err
		}
	}
	row, _, err := writeRecord[Team](ctx, c, http.MethodPut, onAccounts, []string{"teams", id}, "team", attributes, true)
	return row, err
}
