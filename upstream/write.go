package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

type writtenKey struct{}

// WithWritten returns a context whose calls set written if they may have changed something. A write
// that was rejected because of its token does not count: anyone can send it.
func WithWritten(ctx context.Context, written *atomic.Bool) context.Context {
	return context.WithValue(ctx, writtenKey{}, written)
}

// write makes one call that changes something. It passes the response body to read, and whether an
// earlier attempt may have been carried out.
//
// An error reports whether the outcome is unknown ([Error.Unknown]) and whether ClickFunnels
// refused the write itself ([Error.Refused]). Idempotent calls are retried where that is useful.
// Others are retried only if ClickFunnels has certainly not carried them out (clickfunnels-api.md §4).
//
// changes returns the tags of the cached responses that a success can have changed; nil stands for all of
// the host.
func (c *Client) write(ctx context.Context, method, subdomain string, segments []string, query string, body any, idempotent bool, changes func(body []byte) []string, read func(status int, uncertain bool, body []byte) error) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body, json.Deterministic(true)); err != nil {
			return notMade(err)
		}
	}
	r := &request{Request: transport.Request{Method: method, Body: text, Idempotent: idempotent, Tags: changes}, subdomain: subdomain, segments: segments, query: query}
	err := c.call(ctx, r, func(a transport.Response) error {
		err := read(a.Status, r.uncertain, a.Body)
		r.uncertain = r.uncertain || err != nil
		return err
	})
	failed, ok := errors.AsType[*Error](err)
	if written, tracked := ctx.Value(writtenKey{}).(*atomic.Bool); tracked && (!ok || failed.Code != Unauthenticated || r.uncertain) {
		written.Store(true)
	}
	if !ok {
		return err
	}
	reported := *failed
	if reported.Refused = reported.Status != 0 && !r.uncertain; r.uncertain {
		reported.Unknown = true
		reported.Message = strings.TrimSuffix(reported.Message, ".") + ". The change may have been made nevertheless: check before you try again."
	}
	return &reported
}

// writeRecord is [Client.write] for a record. The attributes are wrapped in the key, or left
// out if there is no key. The response is the record (clickfunnels-api.md §5). created reports whether the record was created. It is nil if
// an earlier attempt may have created it. If the response is another record, a scoped client gets
// an error instead.
func writeRecord[T any, P keyed[T]](ctx context.Context, c *Client, method string, at Place, segments []string, key string, attributes any, idempotent bool) (row *T, created *bool, err error) {
	query := Query{}.encode(c.expanded(TypeOf[T]()))
	var body any
	var changes func(body []byte) []string
	if key != "" {
		body = map[string]any{key: attributes}
		changes = changeOf(TypeOf[T](), method != http.MethodPost, segments)
	}
	err = c.write(ctx, method, at.Subdomain, segments, query, body, idempotent, changes, func(status int, uncertain bool, body []byte) (err error) {
		if now := status == http.StatusCreated; now || !uncertain {
			created = &now
		}
		row, err = decodeRecord[T, P](body, c.projection)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if n, _ := ChainOf(ctx); !c.checkScopeAndSetWorkspace(P(row).row(), at, n) {
		return nil, nil, foreignRecord()
	}
	return row, created, nil
}

// createdIn creates a record on a workspace's host.
func createdIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, key string, attributes any, idempotent bool, segments ...string) (row *T, created *bool, err error) {
	row, err = onWorkspaceHost(ctx, c, p, func(p Place) (row *T, err error) {
		row, created, err = writeRecord[T, P](ctx, c, http.MethodPost, p, p.segments(segments), key, attributes, idempotent)
		return row, err
	})
	return row, created, err
}

// foreignRecord is the error of a write whose response is a record that the client must not see.
func foreignRecord() *Error {
	failed := NewError(Unavailable, "ClickFunnels returned a record of another workspace: check whether the change was made.")
	failed.Unknown = true
	return failed
}

// updatedIn updates a record on a workspace's host. find reads the record by its id. Updates are partial,
// with PUT and with PATCH: absent attributes stay unchanged, and null clears one (clickfunnels-api.md §4).
func updatedIn[T any, P keyed[T]](ctx context.Context, c *Client, method string, p Place, id, key string, attributes any, find func(*Client, context.Context, Place, string) (*T, error), segments ...string) (*T, error) {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := find(c, ctx, p, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		row, _, err := writeRecord[T, P](ctx, c, method, p, segments, key, attributes, true)
		return row, err
	})
}

// actedOn posts to a path below a record of a workspace's host. find reads the record by its id.
// The call is not retried once it may have been carried out.
func actedOn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, id string, find func(*Client, context.Context, Place, string) (*T, error), segments ...string) (*T, error) {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := find(c, ctx, p, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		row, _, err := writeRecord[T, P](ctx, c, http.MethodPost, p, segments, "", nil, false)
		return row, err
	})
}

// deletedIn deletes a record on a workspace's host, or makes another DELETE call for it. find reads
// the record by its id. query holds further parameters, encoded.
func deletedIn[T any](ctx context.Context, c *Client, p Place, id string, find func(*Client, context.Context, Place, string) (*T, error), query string, segments ...string) error {
	return calledOn(ctx, c, http.MethodDelete, p, id, query, nil, find, segments...)
}

// calledOn makes a call for a record on a workspace's host, and ignores the body of the response.
// find reads the record by its id. query holds further parameters, encoded. The call is not retried
// once it may have been carried out.
func calledOn[T any](ctx context.Context, c *Client, method string, p Place, id, query string, body any, find func(*Client, context.Context, Place, string) (*T, error), segments ...string) error {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := find(c, ctx, p, id)
		return err
	})
	if err != nil {
		return err
	}
	_, err = onWorkspaceHost(ctx, c, p, func(p Place) (none struct{}, err error) {
		return none, c.write(ctx, method, p.Subdomain, segments, query, body, false, nil, func(int, bool, []byte) error { return nil })
	})
	return err
}

// locateForWrite locates a place for a write to one of its records. A scoped client first reads the
// record there, because a host can return records of other workspaces (clickfunnels-api.md §9, 3).
func (c *Client) locateForWrite(ctx context.Context, p Place, find func(Place) error) (Place, error) {
	p, err := c.locate(ctx, p)
	if err == nil && c.Scoped() {
		err = find(p)
	}
	return p, err
}
