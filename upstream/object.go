package upstream

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// objectIn fetches an object without an id on a workspace's host, such as the settings of a
// workspace or the statistics of a funnel.
func objectIn[T any, P keyed[T]](ctx context.Context, c *Client, p Place, q Query, segments ...string) (*T, error) {
	return objectUnder[T, P](ctx, c, p, q, "", segments...)
}

// objectUnder is [objectIn] for an object that the response wraps in a key.
func objectUnder[T any, P keyed[T]](ctx context.Context, c *Client, p Place, q Query, key string, segments ...string) (*T, error) {
	object, err := onWorkspaceHost(ctx, c, p, func(p Place) (object *T, err error) {
		_, err = c.get(ctx, p.Subdomain, p.segments(segments), q, content{typ: TypeOf[T](), dependsOnAll: true}, func(body []byte) (err error) {
			if key != "" {
				body = valueAt(body, key)
			}
			if object, err = decodeOne[T, P](body, c.projection); err == nil && object == nil {
				err = unreadable(errors.New("not an object"))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		n, _ := ChainOf(ctx)
		named := P(object).row().text("workspace_id") // few objects have it
		if !c.checkScopeAndSetWorkspace(P(object).row(), p, n) || named != "" && IsRawID(p.WorkspaceID) && named != p.WorkspaceID {
			transport.AllowanceOf(ctx).Failed(true)
			return nil, RecordNotFound()
		}
		return object, nil
	})
	return object, c.ConcealRefusal(err)
}

// EmailSettings fetches the settings for the e-mails of a workspace.
func (c *Client) EmailSettings(ctx context.Context, p Place) (*EmailSettings, error) {
	return objectIn[EmailSettings](ctx, c, p, Query{}, "workspaces", thisWorkspace, "emails", "settings")
}

// PriceChangeOptions fetches the variants and prices that subscriptions with a price, given by its
// raw or public id, can change to.
func (c *Client) PriceChangeOptions(ctx context.Context, p Place, price string) (*ProductPriceChangeOptions, error) {
	return objectUnder[ProductPriceChangeOptions](ctx, c, p, Query{}, "products_prices_change_options", "products", "prices", price, "change_options")
}

// InPeriod returns the query of statistics. ClickFunnels has a default for each end that is nil
// (clickfunnels-api.md §5).
func InPeriod(from, to *time.Time) Query {
	values := make(url.Values)
	for name, end := range map[string]*time.Time{"timerange_start": from, "timerange_end": to} {
		if end != nil {
			values.Set(name, end.UTC().Format(canonicalTime))
		}
	}
	return Query{Params: values.Encode()}
}

// FunnelStats fetches the statistics of a funnel, given by its raw or public id. See [InPeriod] for q.
func (c *Client) FunnelStats(ctx context.Context, p Place, id string, q Query) (*FunnelStats, error) {
	return objectIn[FunnelStats](ctx, c, p, q, "funnels", id, "stats")
}

// PageStats fetches the statistics of a page, given by its raw or public id. See [InPeriod] for q.
func (c *Client) PageStats(ctx context.Context, p Place, id string, q Query) (*PageStats, error) {
	return objectIn[PageStats](ctx, c, p, q, "pages", id, "stats")
}
