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

// CreateContactTag creates a contact tag with the attributes of the body `contacts_tag`
// (API.md §5).
func (c *Client) CreateContactTag(ctx context.Context, p Place, attributes any) (*ContactTag, error) {
	row, _, err := createdIn(ctx, c, p, "contacts_tag", attributes, false, (*ContactTag).adopt, "workspaces", thisWorkspace, "contacts", "tags")
	return row, err
}

// UpdateContactTag changes a contact tag, given by its raw or public id.
func (c *Client) UpdateContactTag(ctx context.Context, p Place, id string, attributes any) (*ContactTag, error) {
	return updatedIn(ctx, c, p, "contacts_tag", attributes, (*Client).ContactTag, (*ContactTag).adopt, "contacts", "tags", id)
}

// DeleteContactTag deletes a contact tag.
func (c *Client) DeleteContactTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).ContactTag, "contacts", "tags", id)
}
