package upstream

import "context"

// UpsertContact creates a contact, or updates the one with the same e-mail address. It never clears
// attributes. created reports whether the contact was created. It is nil if the call was retried
// and an earlier attempt may have created the contact. The call is idempotent, so it is retried.
func (c *Client) UpsertContact(ctx context.Context, p Place, attributes any) (row *Contact, created *bool, err error) {
	return createdIn[Contact](ctx, c, p, "contact", attributes, true, "workspaces", thisWorkspace, "contacts", "upsert")
}

// RedactContact permanently removes a contact's personal data.
func (c *Client) RedactContact(ctx context.Context, p Place, id string) error {
	return deletedIn(ctx, c, p, id, (*Client).Contact, "", "contacts", id, "gdpr_destroy")
}
