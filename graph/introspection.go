package graph

import (
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/introspection"
)

// kindsOf lists the kinds of types for which a field of __Type is not null by the specification.
// For other kinds gqlgen returns an empty list or false
// (https://github.com/99designs/gqlgen/issues/1867).
var kindsOf = map[string][]string{
	"fields":        {"OBJECT", "INTERFACE"},
	"interfaces":    {"OBJECT", "INTERFACE"},
	"possibleTypes": {"INTERFACE", "UNION"},
	"enumValues":    {"ENUM"},
	"inputFields":   {"INPUT_OBJECT"},
	"isOneOf":       {"INPUT_OBJECT"},
}

// isDefined reports whether a field of __Type has a value for the kind of its type.
func isDefined(field *graphql.FieldContext) bool {
	kinds, ok := kindsOf[field.Field.Name]
	of, isType := field.Parent.Result.(*introspection.Type)
	return !ok || !isType || slices.Contains(kinds, of.Kind())
}
