package upstream

import (
	"context"
	"net/http"
)

// RemovePageProducts removes products from the funnel's step that shows a page, given by its raw or
// public id. products are raw or public ids.
func (c *Client) RemovePageProducts(ctx context.Context, p Place, page string, products []string) error {
	return calledOn(ctx, c, http.MethodDelete, p, page, "", map[string]any{"product_ids": products}, (*Client).Page, "pages", page, "products")
}
