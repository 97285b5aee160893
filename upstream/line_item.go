package upstream

import (
	"context"
	"errors"
	"net/http"
)

// PreviewLineItemChange previews a change of an order's line item, given by its raw id, with the
// attributes of the body `orders_line_items_change`. Nothing is changed.
func (c *Client) PreviewLineItemChange(ctx context.Context, p Place, item string, attributes any) (*OrderLineItemChange, error) {
	return c.lineItemChange(ctx, p, attributes, true, "orders", "line_items", item, "changes")
}

// PerformLineItemChange changes the variant and the price of an order's line item, given by its raw
// id, with the attributes of the body `orders_line_items_change`. It is sent again only if it was
// certainly not carried out.
func (c *Client) PerformLineItemChange(ctx context.Context, p Place, item string, attributes any) (*OrderLineItemChange, error) {
	return c.lineItemChange(ctx, p, attributes, false, "orders", "line_items", item, "changes", "perform")
}

// lineItemChange posts a change of a line item. The response wraps the change in the body's key.
func (c *Client) lineItemChange(ctx context.Context, p Place, attributes any, idempotent bool, segments ...string) (*OrderLineItemChange, error) {
	const key = "orders_line_items_change"
	return onWorkspaceHost(ctx, c, p, func(p Place) (change *OrderLineItemChange, err error) {
		err = c.write(ctx, http.MethodPost, p.Subdomain, segments, "", map[string]any{key: attributes}, idempotent, nil, func(_ int, _ bool, body []byte) (err error) {
			if change, err = decodeOne[OrderLineItemChange](valueAt(body, key), c.projection); err == nil && change == nil {
				err = unreadable(errors.New("no change"))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if n, _ := ChainOf(ctx); !c.checkScopeAndSetWorkspace(change.row(), p, n) {
			return nil, foreignRecord()
		}
		return change, nil
	})
}
