package upstream

import (
	"cmp"
	"context"
)

// ContactTag is a label of a workspace that contacts can carry (API.md §5,
// Contacts::Tag). Names are unique within a workspace.
type ContactTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

// Ref returns the tag's address.
func (t *ContactTag) Ref() Ref { return Ref{Kind: KindContactTag, Parent: t.WorkspaceID, ID: t.Key()} }

func (t *ContactTag) adopt(p Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, p.WorkspaceID) }

// ContactTags lists a workspace's contact tags. Filter keys: id, name.
func (c *Client) ContactTags(ctx context.Context, p Place, q Query) (*Page[ContactTag], error) {
	return listIn(ctx, c, p, q, (*ContactTag).adopt, "workspaces", thisWorkspace, "contacts", "tags")
}

// ContactTag fetches a contact tag by its raw or public id.
func (c *Client) ContactTag(ctx context.Context, p Place, id string) (*ContactTag, error) {
	return oneIn(ctx, c, p, (*ContactTag).adopt, "contacts", "tags", id)
}
