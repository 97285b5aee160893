package upstream

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// AppliedContactTag is the fact that a contact carries a tag (API.md §5,
// Contacts::AppliedTag).
type AppliedContactTag struct {
	Record    `json:",embed"`
	ContactID string      `json:"contact_id"`
	TagID     string      `json:"tag_id"`
	Tag       EmbeddedTag `json:"tag"`
	// Contact is who carries the tag, as far as an enrolment tells of a contact; nil if
	// the applied tag does not tell.
	Contact *Contact `json:"contact"`
	// WorkspaceID is the raw id of the workspace it was found in, which
	// ClickFunnels mostly does not send with it.
	WorkspaceID string `json:"workspace_id" scope:"optional"`
}

// adopt completes the record. The embedded tag has no id, so the applied tag's
// own reference fills it in (API.md §8, trap 19).
func (t *AppliedContactTag) adopt(p Place) {
	t.WorkspaceID = p.WorkspaceID
	t.Tag.RawID, t.Tag.WorkspaceID = t.TagID, p.WorkspaceID
	t.Tag.AppliedAt = t.CreatedAt
	t.Contact = t.Contact.within(t.WorkspaceID, t.ContactID)
}

// ApplyContactTag has a contact, given by its raw or public id, carry a tag, given by its
// raw id. What applying it twice does is not documented, so that it is not repeated.
func (c *Client) ApplyContactTag(ctx context.Context, p Place, contact, tag string) (*AppliedContactTag, error) {
	var carrier *Contact
	p, err := c.own(ctx, p, func(p Place) (err error) {
		if carrier, err = c.Contact(ctx, p, contact); err != nil {
			return err
		}
		_, err = c.ContactTag(ctx, p, tag)
		return err
	})
	if err != nil {
		return nil, err
	}
	row, _, err := createdIn(ctx, c, p, "contacts_applied_tag", map[string]any{"tag_id": jsontext.Value(tag)}, false, (*AppliedContactTag).adopt, "contacts", contact, "applied_tags")
	if err == nil && carrier != nil && row.ContactID != carrier.RawID { // it is no one else's
		return nil, anothers()
	}
	return row, err
}

// RemoveAppliedContactTag takes a tag from the contact that carries it, by the applied
// tag's id. Who must not see everything has found it by its contact.
func (c *Client) RemoveAppliedContactTag(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).AppliedContactTag, "contacts", "applied_tags", id)
}
