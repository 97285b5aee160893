package graph

import (
	"reflect"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestFieldsOfRowsAreBound checks that each field of a row is either a value of the row or a
// resolver, never both. gqlgen silently creates a resolver for a field whose method has another
// type.
func TestFieldsOfRowsAreBound(t *testing.T) {
	resolvers := make(map[string]bool) // type and field in lower case, such as contact.tags
	root := reflect.TypeFor[exec.ResolverRoot]()
	for i := range root.NumMethod() {
		of := root.Method(i)
		for k := range of.Type.Out(0).NumMethod() {
			resolvers[strings.ToLower(of.Name+"."+of.Type.Out(0).Method(k).Name)] = true
		}
	}
	values := 0
	for name, definition := range exec.NewExecutableSchema(exec.Config{}).Schema().Types {
		row := upstream.TypeByName(name)
		if row == nil {
			continue
		}
		for _, f := range definition.Fields {
			isValue := row.Field(f.Name) != nil || f.Name == "id" || strings.HasPrefix(f.Name, "__")
			if isResolver := resolvers[strings.ToLower(name+"."+f.Name)]; isValue == isResolver {
				t.Errorf("%s.%s: value of the row %t, resolver %t", name, f.Name, isValue, isResolver)
			}
			values++
		}
	}
	if values < 500 {
		t.Errorf("only %d fields of rows", values)
	}
}
