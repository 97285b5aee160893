package upstream

import "context"

// Users lists the users that the token reaches. A scoped client sees none.
func (c *Client) Users(ctx context.Context, q Query) (*Page[User], error) {
	if c.Scoped() {
		return &Page[User]{}, nil
	}
	return fetchPage[User](ctx, c, onAccounts, q, "users")
}

// User fetches a user by its raw or public id. A scoped client finds none.
func (c *Client) User(ctx context.Context, id string) (*User, error) {
	if c.Scoped() {
		return nil, RecordNotFound()
	}
	return fetchRecord[User](ctx, c, onAccounts, "users", id)
}
