package upstream

import "context"

// User is an account. The list usually holds only the agent that the token acts
// as, never a team's people (API.md §5, User).
type User struct {
	Record    `json:",embed"`
	Email     string  `json:"email"`
	FirstName string  `json:"first_name"`
	LastName  string  `json:"last_name"`
	TimeZone  *string `json:"time_zone"`
	Locale    *string `json:"locale"`
}

// Ref returns the user's address.
func (u *User) Ref() Ref { return Ref{Kind: KindUser, ID: u.Key()} }

// Users lists the users that the token reaches.
func (c *Client) Users(ctx context.Context, q Query) (*Page[User], error) {
	if c.Scoped() {
		return &Page[User]{}, nil
	}
	return list[User](ctx, c, onAccounts, q, nil, "users")
}

// User fetches a user by its raw or public id.
func (c *Client) User(ctx context.Context, id string) (*User, error) {
	if c.Scoped() {
		return nil, NotThere()
	}
	return one[User](ctx, c, onAccounts, nil, "users", id)
}
