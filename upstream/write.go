package upstream

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"
)

// write is what is known of a call that changes something.
type write struct {
	// repeatable says that carrying it out twice is the same as once.
	repeatable bool
	// doubtful says that an attempt may have been carried out, though no answer says
	// so.
	doubtful bool
}

type writeKey struct{}

func writeOf(ctx context.Context) *write {
	w, _ := ctx.Value(writeKey{}).(*write)
	return w
}

// send makes one call that changes something, and has its answer's body read. An
// error whose outcome is unknown says so ([Error.Unknown]). Repeatable calls are made
// again where that may help; others only where ClickFunnels has certainly not carried
// them out (API.md §4).
func (c *Client) send(ctx context.Context, method, subdomain string, segments []string, query string, body any, repeatable bool, read func(status int, body []byte) error) error {
	text, err := json.Marshal(body)
	if err != nil {
		return &Error{Code: Internal, Message: "The REST call could not be made.", cause: err}
	}
	w := &write{repeatable: repeatable}
	err = c.call(context.WithValue(ctx, writeKey{}, w), method, subdomain, segments, query, text, func(resp *http.Response, body []byte) error {
		err := read(resp.StatusCode, body)
		w.doubtful = w.doubtful || err != nil
		return err
	})
	if failed, ok := errors.AsType[*Error](err); ok && w.doubtful {
		unknown := *failed
		unknown.Unknown = true
		return &unknown
	}
	return err
}

// writtenIn is [Client.send] on the subdomain of a place, for a record, which is wrapped
// in its key and answered with (API.md §5). created tells whether it has come to be.
func writtenIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, method, key string, attributes any, repeatable bool, adopt func(*T, Place), segments ...string) (row *T, created bool, err error) {
	p, err = c.locate(ctx, p)
	if err != nil {
		return nil, false, err
	}
	query := Query{}.encode(c.projection.expand(reflect.TypeFor[T]()))
	err = c.send(ctx, method, p.Subdomain, p.segments(segments), query, map[string]any{key: attributes}, repeatable, func(status int, body []byte) (err error) {
		created = status == http.StatusCreated
		if row, err = decodeOne[T](body, c.projection); err == nil && (row == nil || P(row).Key() == "") {
			err = unreadable(errors.New("no record"))
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	adopt(row, p)
	return row, created, nil
}
