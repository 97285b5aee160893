package graph

import (
	"reflect"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// chainTo returns how many calls it took one after another to get the objects that a field is
// asked of. A row of a connection waits for all of the connection.
func chainTo(field *graphql.FieldContext) (longest int) {
	for field = field.Parent; field != nil; field = field.Parent {
		longest = max(longest, chainOf(field.Result))
	}
	return longest
}

func chainOf(v any) (longest int) {
	switch v := v.(type) {
	case upstream.Chained:
		if !reflect.ValueOf(v).IsNil() {
			return v.Chain()
		}
	case model.Rows:
		if !reflect.ValueOf(v).IsNil() {
			for i := range v.Len() {
				longest = max(longest, chainOf(v.Row(i)))
			}
		}
	default:
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			for i := range list.Len() {
				longest = max(longest, chainOf(list.Index(i).Interface()))
			}
		}
	}
	return longest
}
