package upstream

import (
	"context"
	"errors"
)

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

// Me is the user that a token belongs to, and what the token is bound to.
type Me struct {
	User *User
	// ConnectedWorkspace is the only workspace that the token reaches, nil if there are several.
	ConnectedWorkspace *ConnectedWorkspace
	// PlatformApplication is the application that the token was issued to, nil if unknown.
	PlatformApplication *PlatformApplication
}

// Me fetches the user that the token belongs to. Where the API has no path for it, Me returns the
// only user that the token reaches. A scoped client finds nobody.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	if c.Scoped() {
		return nil, RecordNotFound()
	}
	me := new(Me)
	_, err := c.get(ctx, Accounts, []string{"me"}, Query{}, content{}, func(body []byte) (err error) {
		if me.User, err = decodeRecord[User](body, c.projection); err != nil {
			return err
		}
		if me.ConnectedWorkspace, err = decodeOne[ConnectedWorkspace](valueAt(body, "connected_workspace"), c.projection); err != nil {
			return err
		}
		me.PlatformApplication, err = decodeOne[PlatformApplication](valueAt(body, "platform_application"), c.projection)
		return err
	})
	if errors.Is(err, NotFound) {
		users, err := c.Users(ctx, Query{})
		if err == nil && len(users.Rows) > 0 {
			me.User = users.Rows[0]
		}
		return me, err
	}
	return me, err
}
