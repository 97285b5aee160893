package upstream

import (
	"context"
	"net/http"
)

// SetDefaultTheme makes a theme, given by its raw or public id, the default of its workspace.
func (c *Client) SetDefaultTheme(ctx context.Context, p Place, theme string) error {
	return calledOn(ctx, c, http.MethodPost, p, theme, "", nil, (*Client).Theme, "themes", theme, "set_default")
}
