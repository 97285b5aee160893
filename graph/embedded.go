package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// embeddedLists returns the lists of records that objects embed. It returns them as embedded if
// that covers the selection, else it loads the full records, all in one batch.
func embeddedLists[O, T any, P embeddedRecord[T]](ctx context.Context, objs []*O, records *loader.Resource[T], of func(*O) []*T, embedded fieldSet) ([][]*T, error) {
	lists := make([][]*T, len(objs))
	for i, obj := range objs {
		lists[i] = of(obj)
	}
	if embedded.covers(ctx) {
		return lists, nil
	}
	full, err := listsOf(ctx, objs, records, func(o *O) []upstream.Ref {
		var refs []upstream.Ref
		for _, t := range of(o) {
			refs = append(refs, P(t).Ref())
		}
		return refs
	})
	for i, list := range lists {
		if list == nil && full != nil {
			full[i] = nil // ClickFunnels sent no list
		}
	}
	return full, err
}
