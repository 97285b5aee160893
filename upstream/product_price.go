package upstream

import (
	"context"
	"errors"
)

// CreatePrice creates a price of a variant, given by its raw or public id, with the attributes of
// the body `products_price` (clickfunnels-api.md §5). It is sent again only if it was certainly not
// carried out.
//
// Before 2026, prices were created below the product, for its default variant. CreatePrice uses that
// path if there is none below an existing variant.
func (c *Client) CreatePrice(ctx context.Context, p Place, variant string, attributes any) (*ProductPrice, error) {
	create := func(path ...string) (*ProductPrice, error) {
		return createdBelow[ProductVariant, ProductPrice](ctx, c, p, "products_price", attributes, (*Client).ProductVariant, variant, (*ProductPrice).Owner, path...)
	}
	price, err := create("products", "variants", variant, "prices")
	failed, ok := errors.AsType[*Error](err)
	if !ok || failed.Code != NotFound || failed.Unknown {
		return price, err
	}
	of, lookup := c.ProductVariant(ctx, p, variant)
	if lookup != nil || of.ProductID() == "" {
		return nil, err
	}
	if isDefault := of.Default(); isDefault != nil && !*isDefault {
		return nil, NewError(BadUserInput, "This API creates prices only for a product's default variant.")
	}
	return create("products", of.ProductID(), "prices")
}
