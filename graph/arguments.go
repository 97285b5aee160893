package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	defaultRows = 20
	maxRows     = 100
)

func badInput(format string, args ...any) error {
	return upstream.NewError(upstream.BadUserInput, fmt.Sprintf(format, args...))
}

// window reads the arguments that every list takes.
func window(first *int, after *string, last *int, before *string) (upstream.Window, error) {
	w := upstream.Window{Limit: defaultRows}
	switch {
	case first != nil && last != nil:
		return w, badInput("Give first or last, not both.")
	case after != nil && before != nil:
		return w, badInput("Give after or before, not both.")
	case after != nil && last != nil:
		return w, badInput("after goes with first; before goes with last.")
	case before != nil && first != nil:
		return w, badInput("before goes with last; after goes with first.")
	}
	w.Backward = last != nil || before != nil
	for name, n := range map[string]*int{"first": first, "last": last} {
		if n == nil {
			continue
		}
		if *n < 1 || *n > maxRows {
			return w, badInput("%s is %d; it can be 1 to %d.", name, *n, maxRows)
		}
		w.Limit = *n
	}
	for name, cursor := range map[string]*string{"after": after, "before": before} {
		if cursor == nil {
			continue
		}
		if _, err := strconv.ParseUint(*cursor, 10, 64); err != nil {
			return w, badInput("%s is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor.", name)
		}
		w.Cursor = *cursor
	}
	return w, nil
}

// connect loads the part of a list that the arguments of the current field name.
// The parent of a list that has none is the zero Ref.
func connect[T any](ctx context.Context, list *loader.List[T], parent upstream.Ref, q upstream.Query, first *int, after *string, last *int, before *string) (*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	if q.Filter == nothing || onlyTypename(ctx) {
		return model.NewConnection(upstream.Slice[T]{}, w), nil
	}
	s, err := list.From(ctx).Load(parent, q, w)
	if err != nil {
		return nil, err
	}
	return model.NewConnection(s, w), nil
}

// nothing is the filter that no record matches. It is never sent.
const nothing upstream.Filter = "\x00"

// maxFilterValues keeps a filter's URL far below the 8 KB that servers commonly
// accept; ClickFunnels does not say (API.md §9, 4).
const maxFilterValues = 100

// in narrows a filter to rows whose key is one of the values; nil values leave
// it as it is, and none at all match nothing.
func in(f upstream.Filter, key, argument string, values []string) (upstream.Filter, error) {
	switch {
	case f == nothing || values == nil:
		return f, nil
	case len(values) == 0:
		return nothing, nil
	case len(values) > maxFilterValues:
		return "", badInput("%s has %d values; it can have %d.", argument, len(values), maxFilterValues)
	}
	slices.Sort(values)
	return f.With(key, slices.Compact(values)...)
}

// contactQuery reads what contacts of a workspace are asked for.
func contactQuery(ctx context.Context, workspace *upstream.Workspace, filter *model.ContactFilter, sort *model.ContactSort) (q upstream.Query, err error) {
	if sort != nil {
		q.Descending = sort.Direction == model.SortDirectionDesc
		if sort.Property == model.ContactSortPropertyUpdatedAt {
			q.SortProperty = "updated_at"
		}
	}
	l := loader.From(ctx)
	if filter == nil {
		return q, nil
	}
	if q.Filter, err = inIDs(q.Filter, "id", "ids", loader.Contacts.Of(l), upstream.KindContact, workspace, filter.Ids.Value()); err != nil {
		return q, err
	}
	if q.Filter, err = in(q.Filter, "email_address", "emailAddresses", slices.Clone(filter.EmailAddresses.Value())); err != nil {
		return q, err
	}
	if q.Filter, err = inIDs(q.Filter, "tag_ids", "tagIds", loader.ContactTags.Of(l), upstream.KindContactTag, workspace, filter.TagIds.Value()); err != nil {
		return q, err
	}
	if active := filter.IsActive.Value(); active != nil {
		q.Filter, err = in(q.Filter, "is_active", "isActive", []string{strconv.FormatBool(*active)})
	}
	return q, err
}

// contactTagQuery reads what contact tags of a workspace are asked for.
func contactTagQuery(ctx context.Context, workspace *upstream.Workspace, filter *model.ContactTagFilter) (q upstream.Query, err error) {
	if filter == nil {
		return q, nil
	}
	if q.Filter, err = inIDs(q.Filter, "id", "ids", loader.ContactTags.From(ctx), upstream.KindContactTag, workspace, filter.Ids.Value()); err != nil {
		return q, err
	}
	q.Filter, err = in(q.Filter, "name", "names", slices.Clone(filter.Names.Value()))
	return q, err
}

// keyed is a record with a raw id.
type keyed[T any] interface {
	*T
	Key() string
}

// inIDs is [in] for ids in any of their forms. Filters take raw ids only
// (API.md §1), so public ones are looked up; one that means no record matches
// nothing, as a raw one would.
func inIDs[T any, P keyed[T]](f upstream.Filter, key, argument string, records *loader.Records[T], kind upstream.Kind, workspace *upstream.Workspace, ids []string) (upstream.Filter, error) {
	if f == nothing || ids == nil {
		return f, nil
	}
	if len(ids) > maxFilterValues {
		return "", badInput("%s has %d values; it can have %d.", argument, len(ids), maxFilterValues)
	}
	raw, public := []string{}, []upstream.Ref(nil)
	for _, id := range ids {
		ref, err := model.ParseID(kind, workspace.Key(), id)
		switch {
		case err != nil && errors.Is(err, upstream.NotFound): // of another workspace
		case err != nil:
			return "", err
		case upstream.IsRawID(ref.ID):
			raw = append(raw, ref.ID)
		default:
			public = append(public, ref)
		}
	}
	rows, errs := records.LoadAll(public)
	for i, row := range rows {
		switch {
		case errs[i] == nil:
			raw = append(raw, P(row).Key())
		case !errors.Is(errs[i], upstream.NotFound):
			return "", errs[i]
		}
	}
	return in(f, key, argument, raw)
}
