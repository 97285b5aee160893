package graph

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

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

// window validates the paging arguments that every list takes. Its errors are BAD_USER_INPUT.
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

// connect loads the window of a list that the paging arguments select. The parent is the zero Ref
// for a list without one. It makes no call if no row can match, or if only `__typename` is
// selected.
func connect[T any](ctx context.Context, list *loader.List[T], parent upstream.Ref, q upstream.Query, first *int, after *string, last *int, before *string) (*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	if q.Filter == noMatch || onlyTypename(ctx) {
		return model.NewConnection(upstream.Slice[T]{}, w), nil
	}
	s, err := list.From(ctx).Load(parent, q, w) //nolint:contextcheck // calls have the operation's context
	if err != nil {
		return nil, err
	}
	return model.NewConnection(s, w), nil
}

// noMatch is the filter that no record matches. It is never sent.
const noMatch upstream.Filter = "\x00"

// maxFilterValues keeps a filter's URL far below the 8 KB that servers commonly accept.
// ClickFunnels documents no limit (clickfunnels-api.md §9, 4).
const maxFilterValues = 100

// emptyFilter is the error of a condition without values. It would match no row, which is rarely
// what a caller wants.
func emptyFilter(argument string) error {
	return badInput("%s is an empty list: give it a value, or leave it out.", argument)
}

// narrow restricts a filter to rows whose key is one of the values. Nil values do not restrict it.
// It sorts the values in place.
func narrow(f upstream.Filter, key, argument string, values []string) (upstream.Filter, error) {
	switch {
	case f == noMatch || values == nil:
		return f, nil
	case len(values) == 0:
		return "", emptyFilter(argument)
	case len(values) > maxFilterValues:
		return "", badInput("%s has %d values; it can have %d.", argument, len(values), maxFilterValues)
	}
	slices.Sort(values)
	return f.With(key, slices.Compact(values)...)
}

// listQuery builds the REST query of a list from the arguments of its field. It keeps the first
// error and ignores the arguments after it.
type listQuery struct {
	ctx       context.Context //nolint:containedctx // a resolver's, for the time of one call
	workspace string          // raw or public id
	query     upstream.Query
	err       error
	narrowed  []string // keys of conditions by ids
}

// sorted returns the query of a workspace's list in a given order. A nil sort means the order of
// creation.
func sorted(ctx context.Context, workspace string, sort *model.Sort) *listQuery {
	c := &listQuery{ctx: ctx, workspace: workspace}
	if sort != nil {
		c.query.Descending = sort.Direction == model.SortDirectionDesc
		if sort.Property != model.SortPropertyID {
			c.query.SortProperty = strings.ToLower(string(sort.Property))
		}
	}
	return c
}

// sortedByPlace is [sorted] for rows that can also be sorted by position.
func sortedByPlace(ctx context.Context, workspace string, sort *model.PlacedSort) *listQuery {
	if sort == nil {
		return sorted(ctx, workspace, nil)
	}
	return sorted(ctx, workspace, &model.Sort{Property: model.SortProperty(sort.Property), Direction: sort.Direction})
}

// values restricts the list to rows whose key is one of the argument's values.
func (c *listQuery) values(key, argument string, values graphql.Omittable[[]string]) {
	if c.err == nil {
		c.query.Filter, c.err = narrow(c.query.Filter, key, argument, slices.Clone(values.Value()))
	}
}

// boolean restricts the list to rows whose key equals the argument's value.
func (c *listQuery) boolean(key, argument string, value graphql.Omittable[*bool]) {
	if v := value.Value(); v != nil && c.err == nil {
		c.query.Filter, c.err = narrow(c.query.Filter, key, argument, []string{strconv.FormatBool(*v)})
	}
}

// ids restricts the list to rows whose key is the id of one of the records that the argument
// names by id, rawId or publicId.
func ids[T any, P keyed[T]](c *listQuery, key, argument string, records *loader.Resource[T], kind upstream.Kind, values graphql.Omittable[[]string]) {
	if c.err == nil {
		if values.Value() != nil {
			c.narrowed = append(c.narrowed, key)
		}
		c.query.Filter, c.err = narrowByIDs[T, P](c.query.Filter, key, argument, records.From(c.ctx), kind, c.workspace, values.Value())
	}
}

// parameter restricts the list by a parameter of its path that names a stored filter.
func (c *listQuery) parameter(name, argument string, value graphql.Omittable[*string]) {
	v := value.Value()
	switch {
	case c.err != nil || v == nil:
	case c.query.Params != "":
		c.err = badInput("Give %s alone: a list takes one stored filter.", argument)
	case strings.TrimSpace(*v) == "" || len(*v) > maxParameterBytes:
		c.err = badInput("%s must not be blank or longer than %d bytes.", argument, maxParameterBytes)
	default:
		c.query.Params, c.query.Stored = name+"="+url.QueryEscape(*v), true
	}
}

// maxParameterBytes is far above any id or token.
const maxParameterBytes = 1000

// parameterID is [listQuery.parameter] for a record that the argument names by its id, rawId or
// publicId.
func parameterID[T any, P keyed[T]](c *listQuery, name, argument string, records *loader.Resource[T], kind upstream.Kind, value graphql.Omittable[*string]) {
	v := value.Value()
	if c.err != nil || v == nil {
		return
	}
	raw, err := rawIDs[T, P](c.ctx, records, kind, c.workspace, []string{*v})
	if err != nil {
		c.err = err
		return
	}
	id := raw[0].String()
	c.parameter(name, argument, graphql.OmittableOf(&id))
}

// keyed is a record with a raw id.
type keyed[T any] interface {
	*T
	Key() string
}

// narrowByIDs is [narrow] for ids in any form. Filters take raw ids only (clickfunnels-api.md §1), so it looks
// up public ones. An unknown public id matches nothing, as an unknown raw id does.
func narrowByIDs[T any, P keyed[T]](f upstream.Filter, key, argument string, records *loader.Records[T], kind upstream.Kind, workspace string, ids []string) (upstream.Filter, error) {
	switch {
	case ids == nil:
		return f, nil
	case len(ids) == 0:
		return "", emptyFilter(argument)
	case len(ids) > maxFilterValues:
		return "", badInput("%s has %d values; it can have %d.", argument, len(ids), maxFilterValues)
	case f == noMatch:
		return f, nil
	}
	raw, public := []string{}, []upstream.Ref(nil)
	for _, id := range ids {
		ref, err := model.ParseID(kind, workspace, id)
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
	if len(raw) == 0 {
		return noMatch, nil
	}
	return narrow(f, key, argument, raw)
}

// names restricts the list to rows whose key is the id of one of the records that the argument
// names. records is the workspace's list of these records, which has a filter for names.
func names[T any, P keyed[T]](c *listQuery, key, argument string, records *loader.List[T], values graphql.Omittable[[]string]) {
	all := slices.Clone(values.Value())
	if c.err != nil || all == nil {
		return
	}
	if slices.Contains(c.narrowed, key) {
		c.err = badInput("Give %s or the ids of the same records, not both.", argument)
		return
	}
	filter, err := narrow("", "name", argument, slices.Clone(all))
	if err != nil {
		c.err = err
		return
	}
	found, err := records.From(c.ctx).Load(upstream.Ref{Kind: upstream.KindWorkspace, ID: c.workspace}, upstream.Query{Filter: filter}, upstream.Window{Limit: maxFilterValues})
	if err != nil {
		c.err = err
		return
	}
	ids := make([]string, len(found.Rows))
	for i, record := range found.Rows {
		ids[i] = P(record).Key()
	}
	// Names are unique. The records may lack their names, which the operation need not select.
	for i, name := range all {
		all[i] = strings.ToLower(name)
	}
	slices.Sort(all)
	switch n := len(slices.Compact(all)); {
	case len(ids) < n:
		c.err = badInput("%s has a name that no record has.", argument)
		return
	case len(ids) > n:
		c.err = upstream.NewError(upstream.Unavailable, "ClickFunnels sent more records than were named.")
		return
	}
	c.query.Filter, c.err = narrow(c.query.Filter, key, argument, ids)
}
