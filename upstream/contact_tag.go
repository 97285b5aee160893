package upstream

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// ApplyContactTag applies a tag, given by its raw id, to a contact, given by its raw or public id.
// The call is not retried once it may have been carried out, because the API does not document
// applying a tag twice.
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
	if err == nil && carrier != nil && row.ContactID() != carrier.RawID() { // it belongs to another contact
		return nil, foreignRecord()
	}
	return row, err
}

// RemoveAppliedContactTag removes a tag from a contact, given the id of the applied tag. With a
// scoped client, the id must come from the contact's own applied tags.
func (c *Client) RemoveAppliedContactTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).AppliedContactTag, "contacts", "applied_tags", id)
}

// Tag returns the tag. It lacks the times that only the full record has.
func (t *ContactTagging) Tag() *ContactTag { return (*ContactTag)(t) }
