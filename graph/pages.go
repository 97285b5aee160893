package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// removePageProducts removes products from the funnel's step that shows a page.
func removePageProducts(ctx context.Context, input map[string]any) (*model.RemovePageProductsPayload, error) {
	done, err := writeAndLoad(ctx, input, "pageId", "page", loader.Pages, upstream.KindPage, pageRefFields, func(ref upstream.Ref) (memberCall, error) {
		raw, err := rawIDs(ctx, loader.Products, upstream.KindProduct, ref.Parent, input["productIds"].([]string))
		ids := make([]string, len(raw))
		for i, id := range raw {
			ids[i] = string(id)
		}
		return func(c *upstream.Client, ctx context.Context, p upstream.Place, page string) error {
			return c.RemovePageProducts(ctx, p, page, ids)
		}, aboutField("productIds", err)
	})
	if err != nil {
		return nil, err
	}
	return &model.RemovePageProductsPayload{Page: done.Record, UserErrors: done.UserErrors}, nil
}

// writeAndLoad makes a call for the record that a field of an input names. The response has no
// record, so it loads the record for the payload's field, if that is selected. prepare returns the
// client's method that makes the call.
func writeAndLoad[T any](ctx context.Context, input map[string]any, idField, payload string, records *loader.Resource[T], kind upstream.Kind, refFields fieldSet, prepare func(upstream.Ref) (memberCall, error)) (*model.Written[T], error) {
	return writeResult(ctx, func(l *loader.Loaders) (*T, error) {
		ref, err := target(l, records, kind, optional(input, "workspaceId"), input[idField].(string))
		if err != nil {
			return nil, err
		}
		call, err := prepare(ref)
		if err != nil {
			return nil, err
		}
		if _, err := loader.Write(l, records, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*T, error) {
			return nil, call(c, ctx, p, ref.ID)
		}); err != nil {
			return nil, err
		}
		return payloadRecord(ctx, l, payload, records, refFields, ref), nil
	})
}
