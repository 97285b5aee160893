package graph

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// reader reads a member of a record.
type reader func(x *execution, record any) any

// names are the members of records that are not called as their fields.
var names = map[string]string{"ProductPrice.key": "Code", "FormSubmission.data": "Answers"}

// bind finds the members of the records that the selection's fields stand for. All records
// of a selection have one type.
func (s *selection) bind(record any) {
	s.columns.Do(func() {
		for _, f := range s.fields {
			if f.relation != nil || f.Name == "__typename" {
				continue
			}
			switch record.(type) {
			case model.Rows:
				f.read = connectionReaders[f.Name]
			case edge:
				f.read = edgeReaders[f.Name]
			default:
				f.read = f.reader(s.of.Name, reflect.TypeOf(record).Elem())
			}
		}
	})
}

var connectionReaders = map[string]reader{
	"nodes": func(_ *execution, record any) any { return nodesOf{record.(model.Rows)} },
	"edges": func(_ *execution, record any) any { return edgesOf{record.(model.Rows)} },
	"pageInfo": func(_ *execution, record any) any {
		info := record.(model.Rows).PageInfo()
		return &info
	},
}

var edgeReaders = map[string]reader{
	"cursor": func(_ *execution, record any) any { e := record.(edge); return e.rows.CursorOf(e.index) },
	"node":   func(_ *execution, record any) any { e := record.(edge); return e.rows.Row(e.index) },
}

func (f *field) reader(typeName string, of reflect.Type) reader {
	name := names[typeName+"."+f.Name]
	if bound := f.Definition.Directives.ForName("goField"); name == "" && bound != nil && bound.Arguments.ForName("name") != nil {
		name = bound.Arguments.ForName("name").Value.Raw
	}
	switch {
	case f.Name == "id":
		name = "Ref"
	case name == "":
		name = f.Name
	}
	if f.Name == "customAttributes" {
		return func(x *execution, record any) any {
			var keys []string
			if given, ok := f.ArgumentMap(x.op.Variables)["keys"].([]any); ok {
				keys = []string{}
				for _, key := range given {
					keys = append(keys, text(key))
				}
			}
			return record.(*upstream.Contact).Attributes(keys)
		}
	}
	for _, name := range []string{name, strings.TrimPrefix(name, "raw")} {
		match := func(other string) bool { return strings.EqualFold(name, other) }
		if member, ok := of.FieldByNameFunc(match); ok && member.IsExported() {
			return func(_ *execution, record any) any {
				return reflect.ValueOf(record).Elem().FieldByIndex(member.Index).Interface()
			}
		}
		pointer := reflect.PointerTo(of)
		for i := range pointer.NumMethod() {
			if match(pointer.Method(i).Name) {
				return func(_ *execution, record any) any {
					return reflect.ValueOf(record).Method(i).Call(nil)[0].Interface()
				}
			}
		}
	}
	panic("no member for " + typeName + "." + f.Name)
}

// readObject reads a member that is an object or a list of objects: nil, a record, or a
// [list], whose elements are counted.
func (f *field) readObject(x *execution, record any) (any, error) {
	value := f.read(x, record)
	if rows, ok := value.(list); ok {
		return rows, nil
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil //nolint:nilnil // null
		}
		return value, nil
	case reflect.Slice:
		if v.IsNil() && !f.Definition.Type.NonNull {
			return nil, nil //nolint:nilnil // null
		}
		all := make(records, v.Len())
		for i := range all {
			if item := v.Index(i); !item.IsNil() {
				all[i] = item.Interface()
			}
		}
		return all, x.objects.add(len(all))
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface(), nil
}

// errNotInt is the error of a number that is no Int.
var errNotInt = upstream.NewError(upstream.Unavailable, "ClickFunnels sent a value that is no whole number of 32 bits.")

// appendLeaf writes a value of a scalar or an enum. null reports that there is none.
func appendLeaf(b []byte, of *ast.Definition, value any) (out []byte, null bool, err error) {
	switch v := value.(type) {
	case nil:
		return b, true, nil
	case string:
		return appendText(b, of, v), false, nil
	case *string:
		if v != nil {
			return appendText(b, of, *v), false, nil
		}
	case bool:
		return strconv.AppendBool(b, v), false, nil
	case *bool:
		if v != nil {
			return strconv.AppendBool(b, *v), false, nil
		}
	case *int:
		if v == nil {
			return b, true, nil
		}
		if *v < math.MinInt32 || *v > math.MaxInt32 {
			return b, true, errNotInt
		}
		return strconv.AppendInt(b, int64(*v), 10), false, nil
	case *time.Time:
		if v != nil {
			return model.AppendDateTime(b, *v), false, nil
		}
	case upstream.Ref:
		return model.AppendGlobalID(b, v), false, nil
	case jsontext.Value:
		if len(v) == 0 {
			return b, true, nil
		}
		return model.AppendJSON(b, v), false, nil
	default:
		if text := reflect.ValueOf(v); text.Kind() == reflect.String {
			return appendText(b, of, text.String()), false, nil
		}
		return b, true, errors.New("no scalar: " + reflect.TypeOf(v).String())
	}
	return b, true, nil
}

// appendText writes a text; of an enum that is open, the name of its word.
func appendText(b []byte, of *ast.Definition, text string) []byte {
	if of.Kind == ast.Enum && of.EnumValues.ForName("UNKNOWN") != nil {
		if text = strings.ToUpper(text); of.EnumValues.ForName(text) == nil {
			text = "UNKNOWN"
		}
	}
	return appendString(b, text)
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
