package graph

import (
	"context"
	"slices"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// previewOrderLineItemChange previews another variant and price for a line item.
func previewOrderLineItemChange(ctx context.Context, input map[string]any) (*model.OrderLineItemChangePayload, error) {
	return changeLineItem(ctx, input, (*upstream.Client).PreviewLineItemChange)
}

// performOrderLineItemChange changes the variant and the price of a line item.
func performOrderLineItemChange(ctx context.Context, input map[string]any) (*model.OrderLineItemChangePayload, error) {
	return changeLineItem(ctx, input, (*upstream.Client).PerformLineItemChange)
}

func changeLineItem(ctx context.Context, input map[string]any, by func(*upstream.Client, context.Context, upstream.Place, string, any) (*upstream.OrderLineItemChange, error)) (*model.OrderLineItemChangePayload, error) {
	done, err := writeResult(ctx, func(l *loader.Loaders) (change *upstream.OrderLineItemChange, err error) {
		order, err := target(l, loader.Orders, upstream.KindOrder, optional(input, "workspaceId"), input["orderId"].(string))
		if err != nil {
			return nil, err
		}
		item, err := lineItemOf(l, order, input["lineItemId"].(string))
		if err != nil {
			return nil, err
		}
		body, err := bodyOf(ctx, order.Parent, input, completions(recordID("priceId", "products_price_id", loader.ProductPrices, upstream.KindProductPrice), asText("products_price_id")), "orderId", "workspaceId", "lineItemId")
		if err != nil {
			return nil, err
		}
		_, err = loader.Write(l, loader.Orders, order.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.Order, error) {
			change, err = by(c, ctx, p, item, body)
			return nil, err
		})
		return change, err
	})
	if err != nil {
		return nil, err
	}
	return &model.OrderLineItemChangePayload{OrderLineItemChange: done.Record, UserErrors: done.UserErrors}, nil
}

// lineItemOf returns the raw id of a line item of an order. Line items have no path of their own
// (clickfunnels-api.md §5), so public ids, and all ids of scoped callers, are looked up in the order.
func lineItemOf(l *loader.Loaders, order upstream.Ref, id string) (string, error) {
	if upstream.IsRawID(id) && !l.Scoped() {
		return id, nil
	}
	row, err := loader.Orders.Of(l).Load(order)
	if err != nil {
		return "", err
	}
	items := row.LineItems()
	i := slices.IndexFunc(items, func(item *upstream.OrderLineItem) bool { return slices.Contains(item.IDs(), id) })
	if i < 0 {
		return "", aboutField("lineItemId", upstream.NewError(upstream.NotFound, "The order has no such line item."))
	}
	return items[i].RawID(), nil
}

// optionsOfPrice names the change options of a price.
type optionsOfPrice struct{ price string }

// priceChangeOptions returns the variants and prices that subscriptions with a price can change to.
func priceChangeOptions(ctx context.Context, price *upstream.ProductPrice) (*upstream.ProductPriceChangeOptions, error) {
	return loader.Object(loader.From(ctx), price.WorkspaceID(), optionsOfPrice{price.Key()}, func(c *upstream.Client, ctx context.Context, p upstream.Place) (*upstream.ProductPriceChangeOptions, error) {
		return c.PriceChangeOptions(ctx, p, price.Key())
	})
}
