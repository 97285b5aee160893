package graph

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// row is a record decoded from a REST row.
type row interface {
	model.Node
	AppendField(b []byte, f *upstream.RowField) (out []byte, null bool, err error)
	Child(f *upstream.RowField) *upstream.Record
	Children(f *upstream.RowField) []*upstream.Record
	Member(f *upstream.RowField, name string) *string
	Members(f *upstream.RowField, names []string) []*upstream.CustomAttribute
}

// appendLeaf appends the JSON of a scalar, an enum or a list of scalars.
func (f *field) appendLeaf(x *execution, b []byte, record any) (out []byte, null bool, err error) {
	switch r := record.(type) {
	case row:
		switch {
		case f.Name == "id":
			return model.AppendGlobalID(b, r.Ref()), false, nil
		case f.column.IsMember():
			key, err := f.argument(x, "key")
			if value := r.Member(f.column, idText(key)); value != nil && err == nil {
				return upstream.AppendQuoted(b, *value), false, nil
			}
			return b, true, err
		}
		return r.AppendField(b, f.column)
	case edge:
		return upstream.AppendQuoted(b, r.rows.CursorOf(r.index)), false, nil
	}
	switch v := f.structMember(record).(type) {
	case string:
		return upstream.AppendQuoted(b, v), false, nil
	case *string:
		if v != nil {
			return upstream.AppendQuoted(b, *v), false, nil
		}
	case model.UserErrorCode:
		return upstream.AppendQuoted(b, string(v)), false, nil
	case model.EventType:
		return upstream.AppendQuoted(b, string(v)), false, nil
	case time.Time:
		return upstream.AppendTime(b, v), false, nil
	case jsontext.Value:
		if v != nil {
			return append(b, v...), false, nil
		}
	case bool:
		return strconv.AppendBool(b, v), false, nil
	case *bool:
		if v != nil {
			return strconv.AppendBool(b, *v), false, nil
		}
	case []string:
		if v != nil {
			return appendTexts(b, v), false, nil
		}
	default:
		return b, true, fmt.Errorf("%T is no scalar", v)
	}
	return b, true, nil
}

// appendTexts appends the JSON of a list of texts.
func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = upstream.AppendQuoted(b, text)
	}
	return append(b, ']')
}

// readObject reads a field that is an object or a list of objects. It returns nil, a record, or a
// [list]. Elements of a list count towards [Session.Objects], except the rows of a connection,
// which were counted when it was loaded.
func (f *field) readObject(x *execution, record any) (any, error) {
	switch r := record.(type) {
	case row:
		return f.readRow(x, r)
	case model.Rows:
		switch f.Name {
		case "nodes":
			return list{r.Len(), r.Row}, nil
		case "edges":
			return list{r.Len(), func(i int) any { return edge{r, i} }}, nil
		}
		return r.PageInfo(), nil
	case edge:
		return r.rows.Row(r.index), nil
	}
	v := reflect.ValueOf(f.structMember(record))
	if v.Kind() == reflect.Slice {
		return list{v.Len(), func(i int) any { return v.Index(i).Interface() }}, x.objects.add(v.Len())
	}
	if v.IsNil() {
		return nil, nil //nolint:nilnil // null
	}
	return v.Interface(), nil
}

func (f *field) readRow(x *execution, r row) (any, error) {
	switch {
	case f.column.HasMembers():
		keys, err := f.memberKeys(x)
		if err != nil {
			return nil, err
		}
		members := r.Members(f.column, keys)
		return list{len(members), func(i int) any { return members[i] }}, x.objects.add(len(members))
	case f.column.IsList():
		children := r.Children(f.column)
		if children == nil && !f.Definition.Type.NonNull {
			return nil, nil //nolint:nilnil // null
		}
		return list{len(children), func(i int) any { return children[i] }}, x.objects.add(len(children))
	}
	if child := r.Child(f.column); child != nil {
		return child, nil
	}
	return nil, nil //nolint:nilnil // null
}

// memberKeys returns the argument `keys` of a field with free-form members: the keys to return,
// nil for all.
func (f *field) memberKeys(x *execution) ([]string, error) {
	given, err := f.argument(x, "keys")
	all, ok := given.([]any)
	if !ok || err != nil {
		return nil, err
	}
	keys := []string{}
	for _, key := range all {
		keys = append(keys, idText(key))
	}
	return keys, nil
}

// argument returns the value of an argument of a field that is part of the record, nil if it is not
// given. It fails if a variable in it is null but must not be.
func (f *field) argument(x *execution, name string) (any, error) {
	given := f.Arguments.ForName(name)
	if given == nil {
		return nil, nil //nolint:nilnil // null
	}
	if x.hasNullVariable {
		if err := nullArgument(ast.ArgumentList{given}, x.op.Variables); err != nil {
			return nil, err
		}
	}
	return given.Value.Value(x.op.Variables)
}

// structMember returns the value of a field from a struct of package model. The struct's field is
// the one that @goField names, or has the field's name.
func (f *field) structMember(record any) any {
	name := f.Name
	if bound := f.Definition.Directives.ForName("goField"); bound != nil && bound.Arguments.ForName("name") != nil {
		name = bound.Arguments.ForName("name").Value.Raw
	}
	return reflect.Indirect(reflect.ValueOf(record)).FieldByNameFunc(func(other string) bool { return strings.EqualFold(name, other) }).Interface()
}
