package upstream

import (
	"context"
)

// AppliedOrderTag is the fact that an order carries a label (API.md §5,
// Orders::AppliedTag).
type AppliedOrderTag struct {
	Record  `json:",embed"`
	OrderID string `json:"order_id"`
	TagID   string `json:"tag_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID string `json:"workspace_id" scope:"optional"`
}

// Ref returns the applied label's address.
func (t *AppliedOrderTag) Ref() Ref {
	return Ref{Kind: KindAppliedOrderTag, Parent: t.WorkspaceID, ID: t.Key()}
}

// Owner returns the address of its order.
func (t *AppliedOrderTag) Owner() Ref {
	return Ref{Kind: KindOrder, Parent: t.WorkspaceID, ID: t.OrderID}
}

func (t *AppliedOrderTag) adopt(at Place) { t.WorkspaceID = at.WorkspaceID }

// AppliedOrderTags lists the applied labels of an order, given by its raw or public id. There is
// no filter.
func (c *Client) AppliedOrderTags(ctx context.Context, p Place, order string, q Query) (*Page[AppliedOrderTag], error) {
	return listIn(ctx, c, p, q, (*AppliedOrderTag).adopt, "orders", order, "applied_tags")
}

// AppliedOrderTag fetches an applied label by its raw or public id.
func (c *Client) AppliedOrderTag(ctx context.Context, p Place, id string) (*AppliedOrderTag, error) {
	return oneIn(ctx, c, p, (*AppliedOrderTag).adopt, "orders", "applied_tags", id)
}
