package graph

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
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
	row    reflect.Type
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

// row is a record with its columns.
type row struct {
	reflect.Value

	record any // a pointer, which to get from the value takes long
}

func rowOf(rows model.Rows, i int) row {
	record := rows.Row(i)
	return row{reflect.ValueOf(record).Elem(), record}
}

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

// column makes what writes a record's field. A plain field's name is its key in
// camelCase, but for the two ids.
func (c *compiler) column(f *graphql.FieldContext) func([]byte, row) []byte {
	if f.Field.Name == "id" {
		if !reflect.PointerTo(c.row).Implements(reflect.TypeFor[model.Node]()) {
			return nil
		}
		return func(b []byte, r row) []byte {
			return model.AppendGlobalID(b, r.record.(model.Node).Ref())
		}
	}
	key := snakeCase(f.Field.Name)
	if f.Field.Name == "rawId" {
		key = "id"
	}
	index, ok := upstream.Columns(c.row)[key]
	if !ok || f.IsMethod {
		return nil
	}
	nonNull := f.Field.Definition.Type.NonNull
	// An Int is not plain: a value that is none is an error, which gqlgen reports.
	switch goType := c.row.FieldByIndex(index).Type; f.Field.Definition.Type.NamedType {
	case "String", "ID", "Decimal":
		switch goType {
		case reflect.TypeFor[string]():
			return func(b []byte, r row) []byte { return appendString(b, r.FieldByIndex(index).String()) }
		case reflect.TypeFor[*string]():
			return nullable(index, nonNull, appendString)
		}
	case "Boolean":
		if goType == reflect.TypeFor[*bool]() {
			return nullable(index, nonNull, strconv.AppendBool)
		}
	case "DateTime":
		if goType == reflect.TypeFor[*time.Time]() {
			return nullable(index, nonNull, model.AppendDateTime)
		}
	case "JSON":
		if goType == reflect.TypeFor[jsontext.Value]() && !nonNull {
			return func(b []byte, r row) []byte {
				return model.AppendJSON(b, r.FieldByIndex(index).Bytes())
			}
		}
	}
	return nil
}

// nullable makes what writes a field that is a pointer. One that must not be
// null is not plain: gqlgen has to report it.
func nullable[T any](index []int, nonNull bool, write func([]byte, T) []byte) func([]byte, row) []byte {
	if nonNull {
		return nil
	}
	return func(b []byte, r row) []byte {
		p, _ := r.FieldByIndex(index).Interface().(*T)
		return appendNullable(b, p, write)
	}
}

func appendNullable[T any](b []byte, p *T, write func([]byte, T) []byte) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	return write(b, *p)
}

// appendString writes a string as gqlgen does.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			buffer := bytes.NewBuffer(b)
			graphql.MarshalString(s).MarshalGQL(buffer)
			return buffer.Bytes()
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
