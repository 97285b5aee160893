package upstream

import "context"

// UpsertContact creates the contact with the attributes' e-mail address, or sets those
// of the one that has it; it clears none. created tells which, and is nil if the call was
// repeated and an earlier attempt may have created the contact. It can be repeated without
// harm.
func (c *Client) UpsertContact(ctx context.Context, p Place, attributes any) (row *Contact, created *bool, err error) {
	return createdIn[Contact](ctx, c, p, "contact", attributes, true, "workspaces", thisWorkspace, "contacts", "upsert")
}

// RedactContact takes the personal data out of a contact for good.
func (c *Client) RedactContact(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).Contact, "contacts", id, "gdpr_destroy")
}
