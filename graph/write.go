package graph

import (
	"bytes"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// writer writes an answer from the objects that were loaded. Its methods return false where
// null stands in a place that must not be null: what is around it is then null.
type writer struct {
	*execution

	buf  []byte
	path []step
	errs gqlerror.List
	// rest are the deferred fragments of the objects that were written.
	deferred []deferredResult
}

// step is a step of a path: the key of a field, or an index if the key is empty.
type step struct {
	key   string
	index int
}

// mark is a place to which a writer can return.
type mark struct{ written, deferred int }

func (w *writer) mark() mark { return mark{len(w.buf), len(w.deferred)} }

// null writes null in the place of all that was written since the mark.
func (w *writer) null(m mark) {
	w.buf, w.deferred = append(w.buf[:m.written], "null"...), w.deferred[:m.deferred]
}

// responsePath returns the path of the current value in the answer.
func (w *writer) responsePath() ast.Path {
	path := make(ast.Path, len(w.path))
	for i, s := range w.path {
		if path[i] = ast.PathName(s.key); s.key == "" {
			path[i] = ast.PathIndex(s.index)
		}
	}
	return path
}

// fail adds an error of the current value.
func (w *writer) fail(err error) {
	presented := *present(w.ctx, err)
	presented.Path = w.responsePath()
	w.errs = append(w.errs, &presented)
}

// object writes an object of a selection. results are nil if the selection keeps none.
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

// member writes the value of a field, or null for one that failed.
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

// result writes the value of a field, and returns false for null.
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

// errNull is the error of a null in a place that must not be null.
var errNull = errors.New("null in a place that must not be null")

// plain writes a member of a record without loads.
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
	b, null, err := f.appendLeaf(w.buf, record)
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

// elements returns the number of the elements of a list of scalars, or a larger one if
// there are commas in them.
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

// value writes a value of an object type: nil, an object, a record, or a list of them.
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
	return w.object(f.objectSelection(), value, nil)
}

// introspection writes `__schema` or `__type`, as gqlgen answers it.
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

// gqlgen has an operation executed by gqlgen's executor.
func (x *execution) executeByGqlgen(operation *ast.OperationDefinition) *graphql.Response {
	ctx := graphql.WithFreshResponseContext(graphql.WithOperationContext(x.ctx, withOperation(x.op, operation)))
	response := x.schema.Exec(ctx)(ctx)
	response.Errors = append(response.Errors, graphql.GetErrors(ctx)...)
	return response
}
