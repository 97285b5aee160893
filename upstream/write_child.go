package upstream

import "context"

// createdBelow creates a child of another record. find reads the parent by its id. A scoped client
// first reads the parent, and gets no record that belongs to a different parent.
func createdBelow[O, T any, P interface {
	keyed[O]
	Ref() Ref
}, R keyed[T]](ctx context.Context, c *Client, p Place, key string, attributes any, find func(*Client, context.Context, Place, string) (*O, error), id string, owner func(*T) Ref, segments ...string) (*T, error) {
	var parent P
	p, err := c.locateForWrite(ctx, p, func(p Place) (err error) {
		parent, err = find(c, ctx, p, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	row, _, err := createdIn[T, R](ctx, c, p, key, attributes, false, segments...)
	if err == nil && parent != nil && owner != nil && owner(row).ID != parent.Ref().ID {
		return nil, foreignRecord()
	}
	return row, err
}

// updatedBelow is [updatedIn] for a record that does not name its workspace. For a scoped client,
// the updated record must belong to the same owner as the record that find returned.
func updatedBelow[T any, P keyed[T]](ctx context.Context, c *Client, method string, p Place, id, key string, attributes any, find func(*Client, context.Context, Place, string) (*T, error), owner func(*T) Ref, segments ...string) (*T, error) {
	var known *T
	row, err := updatedIn[T, P](ctx, c, method, p, id, key, attributes, func(c *Client, ctx context.Context, p Place, id string) (_ *T, err error) {
		known, err = find(c, ctx, p, id)
		return known, err
	}, segments...)
	if err == nil && known != nil && owner(row).ID != owner(known).ID {
		return nil, foreignRecord()
	}
	return row, err
}
