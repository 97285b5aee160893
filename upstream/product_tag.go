package upstream

import (
	"cmp"
	"context"
)

// ProductTag is a label that products can carry (API.md §5, Products::Tag).
type ProductTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

// Ref returns the label's address.
func (t *ProductTag) Ref() Ref {
	return Ref{Kind: KindProductTag, Parent: t.WorkspaceID, ID: t.Key()}
}

func (t *ProductTag) adopt(at Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, at.WorkspaceID) }

// ProductTags lists a workspace's labels of products. Filter keys: id.
func (c *Client) ProductTags(ctx context.Context, p Place, q Query) (*Page[ProductTag], error) {
	return listIn(ctx, c, p, q, (*ProductTag).adopt, "workspaces", thisWorkspace, "products", "tags")
}

// ProductTag fetches a label by its raw or public id.
func (c *Client) ProductTag(ctx context.Context, p Place, id string) (*ProductTag, error) {
	return oneIn(ctx, c, p, (*ProductTag).adopt, "products", "tags", id)
}
