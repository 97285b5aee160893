package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

// write makes one call that changes something, and passes its answer's body to read, with
// whether an earlier attempt may have been carried out. An error whose outcome is unknown
// says so ([Error.Unknown]), as does ClickFunnels' refusal ([Error.Refused]). Repeatable calls are made
// again where that may help; others only where ClickFunnels has certainly not carried
// them out (API.md §4).
func (c *Client) write(ctx context.Context, method, subdomain string, segments []string, query string, body any, idempotent bool, read func(status int, uncertain bool, body []byte) error) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body, json.Deterministic(true)); err != nil {
			return &Error{Code: Internal, Message: "The REST call could not be made.", cause: err}
		}
	}
	r := &request{method: method, subdomain: subdomain, segments: segments, query: query, body: text, idempotent: idempotent}
	err := c.call(ctx, r, func(a response) error {
		err := read(a.status, r.uncertain, a.body)
		r.uncertain = r.uncertain || err != nil
		return err
	})
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	reported := *failed
	if reported.Refused = reported.Status != 0 && !r.uncertain; r.uncertain {
		reported.Unknown = true
		reported.Message = strings.TrimSuffix(reported.Message, ".") + ". It may have been carried out all the same: look before you try again."
	}
	return &reported
}

// written is [Client.write] for a record, which is wrapped in its key and answered with
// (API.md §5). created tells whether it has come to be; it is nil if nobody can know,
// because an earlier attempt may have created it. A client that must not see everything is not shown another record, should
// ClickFunnels answer with that.
func writeRecord[T any, P keyed[T]](ctx context.Context, c *Client, method string, at Place, segments []string, key string, attributes any, idempotent bool) (row *T, created *bool, err error) {
	query := Query{}.encode(c.expanded(TypeOf[T]()))
	err = c.write(ctx, method, at.Subdomain, segments, query, map[string]any{key: attributes}, idempotent, func(status int, uncertain bool, body []byte) (err error) {
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

// createdIn creates a record on the subdomain of a place.
func createdIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, key string, attributes any, idempotent bool, segments ...string) (row *T, created *bool, err error) {
	row, err = onWorkspaceHost(ctx, c, p, func(p Place) (row *T, err error) {
		row, created, err = writeRecord[T, P](ctx, c, http.MethodPost, p, p.segments(segments), key, attributes, idempotent)
		return row, err
	})
	return row, created, err
}

// anothers says that a write was answered with a record that the client must not see.
func foreignRecord() *Error {
	failed := NewError(Unavailable, "ClickFunnels answered with a record of another workspace: look whether it was carried out.")
	failed.Unknown = true
	return failed
}

// updatedIn changes a record of a place; find reads it. Updates are partial: what is
// absent stays, null clears (API.md §4).
func updatedIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, key string, attributes any, find func(*Client, context.Context, Place, string) (*T, error), segments ...string) (*T, error) {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := find(c, ctx, p, segments[len(segments)-1])
		return err
	})
	if err != nil {
		return nil, err
	}
	return onWorkspaceHost(ctx, c, p, func(p Place) (*T, error) {
		row, _, err := writeRecord[T, P](ctx, c, http.MethodPut, p, segments, key, attributes, true)
		return row, err
	})
}

// deletedIn deletes a record of a place, or does with it what else a DELETE stands for;
// find reads the record with the id.
func deletedIn[T any](ctx context.Context, c *Client, p Place, id string, find func(*Client, context.Context, Place, string) (*T, error), segments ...string) error {
	p, err := c.locateForWrite(ctx, p, func(p Place) error {
		_, err := find(c, ctx, p, id)
		return err
	})
	if err != nil {
		return err
	}
	_, err = onWorkspaceHost(ctx, c, p, func(p Place) (none struct{}, err error) {
		return none, c.write(ctx, http.MethodDelete, p.Subdomain, segments, "", nil, false, func(int, bool, []byte) error { return nil })
	})
	return err
}

// own locates a place for a write to one of its records. A client that must not see
// everything first finds the record there: a host can know those of other workspaces
// (API.md §9, 3).
func (c *Client) locateForWrite(ctx context.Context, p Place, find func(Place) error) (Place, error) {
	p, err := c.locate(ctx, p)
	if err == nil && c.Scoped() {
		err = find(p)
	}
	return p, err
}
