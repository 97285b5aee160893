package graph

import (
	"encoding/json"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// TestCoerceLeafScalars pins scalars that no argument of the schema has yet.
func TestCoerceLeafScalars(t *testing.T) {
	number := func(text string) any { return json.Number(text) }
	for _, test := range []struct {
		scalar  string
		v, want any // want is nil where the value is refused
	}{
		{"Float", number("1"), 1.0}, {"Float", number("1.5"), 1.5}, {"Float", number("1e400"), nil}, {"Float", "1.5", nil}, {"Float", true, nil},
		{"DateTime", "2025-01-31T09:30:00.000Z", "2025-01-31T09:30:00.000Z"}, {"DateTime", "yesterday", nil}, {"DateTime", number("1738315800"), nil},
		{"Decimal", "97.00", "97.00"}, {"Decimal", number("12345678901234567890.10"), "12345678901234567890.10"}, {"Decimal", number("-1"), "-1"},
		{"Decimal", "", nil}, {"Decimal", "ten", nil}, {"Decimal", `"1"`, nil}, {"Decimal", " 1", nil}, {"Decimal", "Inf", nil}, {"Decimal", true, nil}, {"Decimal", []any{}, nil},
		{"JSON", "{}", nil},
	} {
		got, message := coerceLeaf(&ast.Definition{Kind: ast.Scalar, Name: test.scalar}, test.v)
		if got != test.want || (message == "") != (test.want != nil) {
			t.Errorf("%s %#v: %#v %s", test.scalar, test.v, got, message)
		}
	}
}
