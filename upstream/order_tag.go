package upstream

import (
	"cmp"
	"context"
)

// OrderTag is a label that orders can carry (API.md §5, Orders::Tag).
type OrderTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

// Ref returns the label's address.
func (t *OrderTag) Ref() Ref {
	return Ref{Kind: KindOrderTag, Parent: t.WorkspaceID, ID: t.Key()}
}

func (t *OrderTag) adopt(at Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, at.WorkspaceID) }

// OrderTags lists a workspace's labels of orders. There is no filter.
func (c *Client) OrderTags(ctx context.Context, p Place, q Query) (*Page[OrderTag], error) {
	return listIn(ctx, c, p, q, (*OrderTag).adopt, "workspaces", thisWorkspace, "orders", "tags")
}

// OrderTag fetches a label by its raw or public id.
func (c *Client) OrderTag(ctx context.Context, p Place, id string) (*OrderTag, error) {
	return oneIn(ctx, c, p, (*OrderTag).adopt, "orders", "tags", id)
}
