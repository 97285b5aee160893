package graph

import (
	"bytes"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// writer writes the JSON of a response from loaded objects. Its methods return false for null in
// a non-null position; the caller then nulls its own value, up to the next nullable one.
type writer struct {
	*execution

	buf  []byte
	path []step
	errs gqlerror.List
	// deferred are the deferred fragments of the objects that were written.
	deferred []deferredResult
}

// step is one step of a response path: the alias of a field, or a list index if key is empty.
type step struct {
	key   string
	index int
}

// mark is a position to which a writer can go back.
type mark struct{ written, deferred int }

func (w *writer) mark() mark { return mark{len(w.buf), len(w.deferred)} }

// null replaces everything written since the mark by null.
func (w *writer) null(m mark) {
	w.buf, w.deferred = append(w.buf[:m.written], "null"...), w.deferred[:m.deferred]
}

// responsePath returns the path of the current value in the response.
func (w *writer) responsePath() ast.Path {
	path := make(ast.Path, len(w.path))
	for i, s := range w.path {
		if path[i] = ast.PathName(s.key); s.key == "" {
			path[i] = ast.PathIndex(s.index)
		}
	}
	return path
}

// fail adds an error at the current path.
func (w *writer) fail(err error) {
	presented := *present(w.ctx, err)
	presented.Path = w.responsePath()
	w.errs = append(w.errs, &presented)
}

// object writes an object of a selection. o holds the results of its loads; it is nil if the
// selection needs none.
func (w *writer) object(s *selection, record any, o *object) bool {
	m := w.mark()
	w.buf = append(w.buf, '{')
	for i, f := range s.fields {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, f.jsonKey...)
		if !w.field(s, f, record, o) {
			w.buf, w.deferred = w.buf[:m.written], w.deferred[:m.deferred]
			return false
		}
	}
	w.buf = append(w.buf, '}')
	w.addDeferred(s, o)
	return true
}

func (w *writer) field(s *selection, f *field, record any, o *object) bool {
	if f.Name == "__typename" {
		w.buf = append(append(append(w.buf, '"'), s.def.Name...), '"')
		return true
	}
	w.path = append(w.path, step{key: f.Alias})
	ok := w.fieldOrNull(f, record, o)
	w.path = w.path[:len(w.path)-1]
	return ok
}

// fieldOrNull writes the value of a field. It writes null for a nullable field that failed.
func (w *writer) fieldOrNull(f *field, record any, o *object) bool {
	m, failed := w.mark(), len(w.errs)
	if w.fieldValue(f, record, o) {
		return true
	}
	if !f.Definition.Type.NonNull {
		w.null(m)
		return true
	}
	if len(w.errs) == failed {
		w.fail(errNull)
	}
	return false
}

// fieldValue writes the value of a field and returns false for null.
func (w *writer) fieldValue(f *field, record any, o *object) bool {
	switch {
	case f.slot < 0 && record == nil:
		return w.introspection(f)
	case f.slot < 0:
		return w.member(f, f.Definition.Type, record)
	}
	r := o.results[f.slot]
	if r.err != nil {
		w.fail(r.err)
		return false
	}
	return w.objectValue(f, f.Definition.Type, r.value)
}

// errNull is reported for a null in a non-null position that has no other error.
var errNull = errors.New("null in a place that must not be null")

// member writes a field that is part of the record.
func (w *writer) member(f *field, t *ast.Type, record any) bool {
	if !f.isLeaf {
		value, err := f.readObject(w.execution, record)
		if err != nil {
			w.fail(err)
			return false
		}
		return w.objectValue(f, t, value)
	}
	before := len(w.buf)
	b, null, err := f.appendLeaf(w.execution, w.buf, record)
	if err == nil && t.Elem != nil {
		err = w.objects.add(elements(b[before:]))
	}
	if err != nil {
		w.fail(err)
		return false
	}
	w.buf = b
	return !null
}

// elements returns the length of a JSON list of scalars. It is an upper bound, since it counts
// commas within strings, too.
func elements(list []byte) int {
	if len(list) <= len("[]") {
		return 0
	}
	return 1 + bytes.Count(list, []byte{','})
}

// list writes a list of n values.
func (w *writer) list(t *ast.Type, n int, item func(i int) bool) bool {
	w.buf = append(w.buf, '[')
	for i := range n {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		m, failed := w.mark(), len(w.errs)
		w.path = append(w.path, step{index: i})
		ok := item(i)
		if !ok && t.Elem.NonNull && len(w.errs) == failed {
			w.fail(errNull)
		}
		w.path = w.path[:len(w.path)-1]
		if !ok && t.Elem.NonNull {
			return false
		}
		if !ok {
			w.null(m)
		}
	}
	w.buf = append(w.buf, ']')
	return true
}

// objectValue writes a value of an object type: nil, an *object, a list of these, a record, or a
// [list] of records.
func (w *writer) objectValue(f *field, t *ast.Type, value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case *object:
		if v == nil {
			return false
		}
		return w.object(v.selection, v.record, v)
	case []*object:
		return w.list(t, len(v), func(i int) bool { return w.objectValue(f, t.Elem, v[i]) })
	case list:
		return w.list(t, v.n, func(i int) bool { return w.objectValue(f, t.Elem, v.at(i)) })
	}
	return w.object(f.objectSelection, value, nil)
}

// introspection writes `__schema` or `__type`, which gqlgen's executor answers.
func (w *writer) introspection(f *field) bool {
	operation := *w.op.Operation
	operation.SelectionSet = ast.SelectionSet{f.Field}
	if len(f.Selections) > 0 {
		merged := *f.Field
		merged.SelectionSet, merged.Directives = f.Selections, nil
		operation.SelectionSet = ast.SelectionSet{&merged}
	}
	response := w.executeByGqlgen(&operation)
	w.errs = append(w.errs, response.Errors...)
	value := response.Data[len(`{`)+len(f.jsonKey) : len(response.Data)-len(`}`)]
	w.buf = append(w.buf, value...)
	return string(value) != "null"
}

// executeByGqlgen runs an operation by gqlgen's executor and returns its response.
func (x *execution) executeByGqlgen(operation *ast.OperationDefinition) *graphql.Response {
	ctx := graphql.WithFreshResponseContext(graphql.WithOperationContext(x.ctx, withOperation(x.op, operation)))
	response := x.schema.Exec(ctx)(ctx)
	response.Errors = append(response.Errors, graphql.GetErrors(ctx)...)
	return response
}
