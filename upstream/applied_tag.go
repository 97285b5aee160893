package upstream

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// ApplyContactTag applies a tag, given by its raw id, to a contact, given by its raw or public id.
// The call is not retried once it may have been carried out, because the API does not document
// applying a tag twice.
func (c *Client) ApplyContactTag(ctx context.Context, p Place, contact, tag string) (*AppliedContactTag, error) {
	return applyTag(ctx, c, p, "contacts_applied_tag", (*Client).Contact, contact, (*Client).ContactTag, tag, (*AppliedContactTag).Owner, "contacts", contact, "applied_tags")
}

// RemoveAppliedContactTag removes a tag from a contact, given the id of the applied tag. With a
// scoped client, the id must come from the contact's own applied tags.
func (c *Client) RemoveAppliedContactTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).AppliedContactTag, "", "contacts", "applied_tags", id)
}

// ApplyOrderTag is [Client.ApplyContactTag] for orders.
func (c *Client) ApplyOrderTag(ctx context.Context, p Place, order, tag string) (*AppliedOrderTag, error) {
	return applyTag(ctx, c, p, "orders_applied_tag", (*Client).Order, order, (*Client).OrderTag, tag, (*AppliedOrderTag).Owner, "orders", order, "applied_tags")
}

// RemoveAppliedOrderTag is [Client.RemoveAppliedContactTag] for orders.
func (c *Client) RemoveAppliedOrderTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).AppliedOrderTag, "", "orders", "applied_tags", id)
}

// applyTag applies a tag to a record. A scoped client first reads both.
func applyTag[O, T, A any, P interface {
	keyed[O]
	Ref() Ref
}, R keyed[A]](ctx context.Context, c *Client, p Place, key string, find func(*Client, context.Context, Place, string) (*O, error), id string, findTag func(*Client, context.Context, Place, string) (*T, error), tag string, owner func(*A) Ref, segments ...string) (*A, error) {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := findTag(c, ctx, p, tag)
		return err
	})
	if err != nil {
		return nil, err
	}
	return createdBelow[O, A, P, R](ctx, c, p, key, map[string]any{"tag_id": jsontext.Value(tag)}, find, id, owner, segments...)
}

// Tag returns the tag. It lacks the times that only the full record has.
func (t *ContactTagging) Tag() *ContactTag { return (*ContactTag)(t) }
