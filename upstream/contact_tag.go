package upstream

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// ApplyContactTag has a contact, given by its raw or public id, carry a tag, given by its
// raw id. The call is not repeated: the API does not document applying a tag twice.
func (c *Client) ApplyContactTag(ctx context.Context, p Place, contact, tag string) (*AppliedContactTag, error) {
	var carrier *Contact
	p, err := c.locateForWrite(ctx, p, func(p Place) (err error) {
		if carrier, err = c.Contact(ctx, p, contact); err != nil {
			return err
		}
		_, err = c.ContactTag(ctx, p, tag)
		return err
	})
	if err != nil {
		return nil, err
	}
	row, _, err := createdIn[AppliedContactTag](ctx, c, p, "contacts_applied_tag", map[string]any{"tag_id": jsontext.Value(tag)}, false, "contacts", contact, "applied_tags")
	if err == nil && carrier != nil && row.ContactID() != carrier.RawID() { // it is no one else's
		return nil, foreignRecord()
	}
	return row, err
}

// RemoveAppliedContactTag takes a tag from the contact that carries it, by the applied
// tag's id. A scoped client has found the id by the contact.
func (c *Client) RemoveAppliedContactTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).AppliedContactTag, "contacts", "applied_tags", id)
}

// Tag returns the tag, without the times that only the full record has.
func (t *ContactTagging) Tag() *ContactTag { return (*ContactTag)(t) }
