package upstream

import "context"

// ProductPrices lists the prices of all variants of a product, given by its raw or public id.
// Filter keys: id, variant_id, visible, archived.
func (c *Client) ProductPrices(ctx context.Context, p Place, product string, q Query) (*Page[ProductPrice], error) {
	page, err := listIn[ProductPrice](ctx, c, p, q, "products", product, "prices")
	if err == nil && IsRawID(product) {
		for _, price := range page.Rows {
			price.set("product_id", product)
		}
	}
	return page, err
}
