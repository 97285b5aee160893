package upstream

import (
	"context"
	"net/http"
)

// UpdateSite changes the site of a workspace with the attributes of the body `site`
// (clickfunnels-api.md §5). Absent attributes stay unchanged.
func (c *Client) UpdateSite(ctx context.Context, p Place, attributes any) (*Site, error) {
	return onWorkspaceHost(ctx, c, p, func(p Place) (*Site, error) {
		site, _, err := writeRecord[Site](ctx, c, http.MethodPut, p, p.segments([]string{"workspaces", thisWorkspace, "site"}), "site", attributes, true)
		return site, err
	})
}
