package graph

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Most of every answer is rows of plain fields: scalars that stand in the record
// as they are, without arguments or a resolver. gqlgen gives each row a
// goroutine and each field a context of its own, which here costs more than the
// REST calls. Where all that is asked of a connection is plain, its rows are
// written by a plan instead, which is made once for the operation; anything else
// goes gqlgen's way. Both write the same bytes.

// Plans are made once for a document, or for an operation where its variables
// decide what is selected.
type plans struct {
	mu    sync.Mutex
	known map[selectionKey]plan // nil where there can be none
}

// selectionKey tells one selection set from another: gqlgen collects the fields of
// an object type once for all objects of an operation.
type selectionKey struct {
	first *ast.Selection
	n     int
}

func keyOf(selections ast.SelectionSet) selectionKey {
	return selectionKey{&selections[0], len(selections)}
}

// planner has the connections of one operation written by plans.
type planner struct {
	objects
	schema *ast.Schema
	short  bool   // whether anything is
	spans  *spans // of fields that ask for calls; nil if they have none
	nulls  bool   // whether a variable is null
	kept   *plans // the document's; nil if it has none
	own    plans
	room   atomic.Int64 // for what has been planned and not yet written, in bytes
}

// resolve is a [graphql.FieldMiddleware] that has connections written by a plan
// where that can be.
func (p *planner) resolve(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if p.nulls {
		if err := nullArgument(field.Field.Arguments, graphql.GetOperationContext(ctx).Variables); err != nil {
			return nil, err
		}
	}
	if field.IsResolver {
		reserveStack()
		if p.spans != nil {
			of := p.spans.of(field) //nolint:contextcheck // the operation's
			ctx = loader.With(ctx, of.loaders)
			defer of.Resolved()
		}
		if l := loader.From(ctx); l.Chained() {
			ctx = loader.With(ctx, l.After(chainTo(field))) //nolint:contextcheck // the operation's
		}
	}
	v, err := next(ctx)
	if err != nil {
		return v, err
	}
	rows, ok := v.(model.Rows)
	if !ok {
		if field.Object == "__Type" && !defined(field) {
			return nil, nil //nolint:nilnil // null
		}
		return v, p.count(v)
	}
	// A connection may be a nil pointer, which is null.
	if !p.short || reflect.ValueOf(v).IsNil() {
		return v, nil
	}
	if made := p.of(ctx, rows); made != nil {
		return &plainConnection{p, made, rows}, p.add(rows.Len())
	}
	return v, nil
}

// of returns the plan for the current field, nil if there can be none.
func (p *planner) of(ctx context.Context, rows model.Rows) plan {
	field := graphql.GetFieldContext(ctx)
	key, in := keyOf(field.Field.Selections), &p.own
	// Selections are a copy, made for this operation; of a field that stands
	// more than once they are those of all its places.
	if whole := field.Field.SelectionSet; p.kept != nil && len(whole) == key.n {
		key, in = keyOf(whole), p.kept
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	made, ok := in.known[key]
	if !ok {
		c := compiler{ctx: ctx, op: graphql.GetOperationContext(ctx), schema: p.schema, row: rows.Type()}
		if made = c.connection(field); c.failed {
			made = nil
		}
		if in.known == nil {
			in.known = make(map[selectionKey]plan)
		}
		in.known[key] = made
	}
	if made != nil {
		p.room.Add(int64(usualRow * (1 + rows.Len())))
	}
	return made
}

// take returns the room that all of the answer's plain connections need, once:
// they are written when the last of them is there.
func (p *planner) take() int { return int(p.room.Swap(0)) }

// plan writes a connection's members, one after another.
type plan []member[model.Rows]

// member writes one field of an object: its key, with quotes and colon, and then
// its value.
type member[T any] struct {
	key   string
	write func(b []byte, v T) []byte
}

func object[T any](members []member[T]) func([]byte, T) []byte {
	return func(b []byte, v T) []byte {
		b = append(b, '{')
		for i := range members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, members[i].key...)
			b = members[i].write(b, v)
		}
		return append(b, '}')
	}
}

// plainConnection is a connection that a plan writes.
type plainConnection struct {
	planner *planner
	plan    plan
	rows    model.Rows
}

// usualRow is room for a row of a few fields, in bytes.
const usualRow = 128

// MarshalGQL implements [graphql.Marshaler].
func (c *plainConnection) MarshalGQL(w io.Writer) {
	buffer, ok := w.(*bytes.Buffer)
	if !ok {
		_, _ = w.Write(object(c.plan)(nil, c.rows))
		return
	}
	buffer.Grow(c.planner.take())
	_, _ = buffer.Write(object(c.plan)(buffer.AvailableBuffer(), c.rows))
}

// compiler makes a plan. It has failed when it met a field that is not plain.
type compiler struct {
	ctx    context.Context //nolint:containedctx // a resolver's, for the time of one call
	op     *graphql.OperationContext
	schema *ast.Schema
	row    *upstream.RowType
	failed bool
}

// members makes the members of an object of the field, which all have one of the
// writers.
func members[T any](c *compiler, field *graphql.FieldContext, write func(*graphql.FieldContext) func([]byte, T) []byte) []member[T] {
	definition := c.schema.Types[field.Field.Definition.Type.Name()]
	satisfies := append([]string{definition.Name}, definition.Interfaces...)
	fields := graphql.CollectFields(c.op, field.Field.Selections, satisfies)
	written, all := make(map[string]bool, len(fields)), make([]member[T], 0, len(fields))
	for _, f := range fields {
		if written[f.Alias] {
			continue
		}
		written[f.Alias] = true
		m := member[T]{key: `"` + f.Alias + `":`}
		if f.Name == "__typename" {
			name := `"` + definition.Name + `"`
			m.write = func(b []byte, _ T) []byte { return append(b, name...) }
		} else if len(f.Definition.Arguments) == 0 {
			if child, err := field.Child(c.ctx, f); err == nil && !child.IsResolver {
				m.write = write(child)
			}
		}
		if m.write == nil {
			c.failed = true
			return nil
		}
		all = append(all, m)
	}
	return all
}

func (c *compiler) connection(field *graphql.FieldContext) plan {
	return members(c, field, func(f *graphql.FieldContext) func([]byte, model.Rows) []byte {
		switch f.Field.Name {
		case "nodes":
			write := object(members(c, f, c.column))
			return list(func(b []byte, rows model.Rows, i int) []byte { return write(b, rowOf(rows, i)) })
		case "edges":
			edge := object(members(c, f, c.edge))
			return list(func(b []byte, rows model.Rows, i int) []byte { return edge(b, place{rows, i}) })
		case "pageInfo":
			info := object(members(c, f, pageInfo))
			return func(b []byte, rows model.Rows) []byte { return info(b, rows.PageInfo()) }
		}
		return nil
	})
}

func list(item func(b []byte, rows model.Rows, i int) []byte) func([]byte, model.Rows) []byte {
	return func(b []byte, rows model.Rows) []byte {
		b = append(b, '[')
		for i := range rows.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = item(b, rows, i)
		}
		return append(b, ']')
	}
}

// row is a record of any type.
type row interface {
	model.Node
	AppendField(b []byte, f *upstream.RowField) (out []byte, null bool, err error)
}

func rowOf(rows model.Rows, i int) row { return rows.Row(i).(row) }

// place is a row's place in a connection, which is what an edge is.
type place struct {
	rows model.Rows
	i    int
}

func (c *compiler) edge(f *graphql.FieldContext) func([]byte, place) []byte {
	switch f.Field.Name {
	case "cursor":
		return func(b []byte, p place) []byte { return appendString(b, p.rows.CursorOf(p.i)) }
	case "node":
		write := object(members(c, f, c.column))
		return func(b []byte, p place) []byte { return write(b, rowOf(p.rows, p.i)) }
	}
	return nil
}

func pageInfo(f *graphql.FieldContext) func([]byte, model.PageInfo) []byte {
	switch f.Field.Name {
	case "hasNextPage":
		return func(b []byte, p model.PageInfo) []byte { return strconv.AppendBool(b, p.HasNextPage) }
	case "hasPreviousPage":
		return func(b []byte, p model.PageInfo) []byte { return strconv.AppendBool(b, p.HasPreviousPage) }
	case "startCursor":
		return func(b []byte, p model.PageInfo) []byte { return appendNullable(b, p.StartCursor, appendString) }
	case "endCursor":
		return func(b []byte, p model.PageInfo) []byte { return appendNullable(b, p.EndCursor, appendString) }
	}
	return nil
}

// column makes what writes a record's field.
func (c *compiler) column(f *graphql.FieldContext) func([]byte, row) []byte {
	if f.Field.Name == "id" {
		if c.row.Kind() == "" {
			return nil
		}
		return func(b []byte, r row) []byte { return model.AppendGlobalID(b, r.Ref()) }
	}
	field, definition := c.row.Field(f.Field.Name), f.Field.Definition.Type
	// An Int is not plain: a value that is none is an error, which gqlgen reports. Nor is a
	// field that must not be null, unless it is text.
	isText := definition.NamedType == "String" || definition.NamedType == "ID"
	switch definition.NamedType {
	case "String", "ID", "Decimal", "Boolean", "DateTime", "JSON":
	default:
		return nil
	}
	if field == nil || definition.NonNull && !isText {
		return nil
	}
	return func(b []byte, r row) []byte {
		b, null, _ := r.AppendField(b, field) // only an Int fails
		if null {
			return append(b, "null"...)
		}
		return b
	}
}

func appendNullable[T any](b []byte, p *T, write func([]byte, T) []byte) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	return write(b, *p)
}

// appendString writes a string as gqlgen does.
func appendString(b []byte, s string) []byte { return upstream.AppendQuoted(b, s) }
