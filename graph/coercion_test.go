package graph

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
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
		{"JSON", "{}", "{}"}, {"JSON", number("1"), number("1")}, {"JSON", true, true},
	} {
		got, message := coerceLeaf(&ast.Definition{Kind: ast.Scalar, Name: test.scalar}, test.v)
		if got != test.want || (message == "") != (test.want != nil) {
			t.Errorf("%s %#v: %#v %s", test.scalar, test.v, got, message)
		}
	}
}

// TestVariablesAreCoercedAsSpecified pins values of variables, and the messages of graphql-js.
func TestVariablesAreCoercedAsSpecified(t *testing.T) {
	o := newOperations(t)
	run := func(declared, variables string) string {
		t.Helper()
		op := `query(` + declared + `) { __typename @include(if: true) a: teams(first: 1) @skip(if: true) { nodes { id } } ` + uses(declared) + ` }`
		return o.execute(t, op, variables)
	}
	for _, test := range []struct{ declared, variables, message string }{ // no message if the value is accepted
		{`$n: Int`, `{"n":1}`, ``},
		{`$n: Int`, `{"n":1.0}`, ``},
		{`$n: Int`, `{"n":null}`, ``},
		{`$n: Int`, `{}`, ``},
		{`$n: Int = 3`, `{}`, ``},
		{`$n: Int`, `{"n":"1"}`, `Variable \"$n\" got invalid value \"1\"; Int cannot represent non-integer value: \"1\"`},
		{`$n: Int`, `{"n":1.5}`, `Int cannot represent non-integer value: 1.5`},
		{`$n: Int`, `{"n":2147483648}`, `Int cannot represent non 32-bit signed integer value: 2147483648`},
		{`$id: ID!`, `{"id":"11"}`, ``},
		{`$id: ID!`, `{"id":11}`, ``},
		{`$id: ID!`, `{}`, `Variable \"$id\" of required type \"ID!\" was not provided.`},
		{`$id: ID!`, `{"id":null}`, `Variable \"$id\" of non-null type \"ID!\" must not be null.`},
		{`$id: ID!`, `{"id":1.5}`, `ID cannot represent value: 1.5`},
		{`$id: ID!`, `{"id":true}`, `ID cannot represent value: true`},
		{`$ids: [ID!]!`, `{"ids":[]}`, ``},
		{`$ids: [ID!]!`, `{"ids":"raw"}`, ``}, // one value is a list
		{`$ids: [ID!]!`, `{"ids":["a",null]}`, `Variable \"$ids\" got invalid value null at \"ids[1]\"; Expected non-nullable type \"ID!\" not to be null.`},
		{`$f: ContactFilter`, `{"f":{"isActive":true,"ids":["1"]}}`, ``},
		{`$f: ContactFilter`, `{"f":7}`, `Expected type \"ContactFilter\" to be an object.`},
		{`$f: ContactFilter`, `{"f":{"isActive":"yes"}}`, `got invalid value \"yes\" at \"f.isActive\"; Boolean cannot represent a non boolean value: \"yes\"`},
		{`$f: ContactFilter`, `{"f":{"isActiv":true}}`, `Field \"isActiv\" is not defined by type \"ContactFilter\". Did you mean \"isActive\"?`},
		{`$f: ContactFilter`, `{"f":{"emailAddresses":[7]}}`, `at \"f.emailAddresses[0]\"; String cannot represent a non string value: 7`},
		{`$s: Sort`, `{"s":{"property":"ID"}}`, ``},
		{`$s: Sort`, `{"s":{"property":"id"}}`, `Value \"id\" does not exist in \"SortProperty\" enum. Did you mean the enum value \"ID\"?`},
		{`$s: Sort`, `{"s":{"property":7}}`, `Enum \"SortProperty\" cannot represent non-string value: 7.`},
		{`$yes: Boolean! = true`, `{"yes":"` + strings.Repeat("secret", 20) + `"}`, `got invalid value \"secretse…\"`},
	} {
		got := run(test.declared, test.variables)
		if accepted := !strings.Contains(got, `"BAD_USER_INPUT"`) || strings.Contains(got, `"data":{`); accepted != (test.message == "") || !strings.Contains(got, test.message) {
			t.Errorf("%s with %s: got %s, want %q", test.declared, test.variables, got, test.message)
		}
	}
}

// uses returns a field that uses the variable of a declaration, and makes no call.
func uses(declared string) string {
	name, _, _ := strings.Cut(declared, ":")
	return map[string]string{
		"$n": `x: teams(first: $n) { __typename }`, "$id": `x: team(id: $id) @skip(if: true) { id }`, "$ids": `x: nodes(ids: $ids) @skip(if: true) { id }`, "$yes": `x: __typename @skip(if: $yes)`,
		"$f": `x: workspace(id: "101", subdomain: "acme-academy") @skip(if: true) { contacts(filter: $f) { __typename } }`,
		"$s": `x: workspace(id: "101", subdomain: "acme-academy") @skip(if: true) { contacts(sort: $s) { __typename } }`,
	}[name]
}

// TestErrorsOfVariablesAreFew sends a list with many bad values.
func TestErrorsOfVariablesAreFew(t *testing.T) {
	ctx := graphql.StartOperationTrace(t.Context())
	_, errs := newOperations(t).CreateOperationContext(ctx, &graphql.RawParams{
		Query: `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, Variables: map[string]any{"ids": slices.Repeat([]any{true}, 50)},
	})
	if len(errs) != 1 {
		t.Fatalf("%d errors, want one that wraps the others: %v", len(errs), errs)
	}
	if list, ok := errors.AsType[gqlerror.List](errs[0].Err); !ok || len(list) != maxVariableErrors {
		t.Errorf("%d errors for 50 values, want %d: %v", len(list), maxVariableErrors, list)
	}
}

// TestInputObjectsNeedTheirRequiredFields leaves one out, in a variable and in a literal.
func TestInputObjectsNeedTheirRequiredFields(t *testing.T) {
	o := newOperations(t)
	if got, want := o.execute(t, `mutation($i: UpdateTeamInput!) { updateTeam(input: $i) { team { name } } }`, `{"i":{"name":"A"}}`), `Variable \"$i\" got invalid value {…}; Field \"id\" of required type \"ID!\" was not provided.`; !strings.Contains(got, want) {
		t.Errorf("the variable: got %s, want %s", got, want)
	}
	if got, want := o.execute(t, `mutation { updateTeam(input: { name: "A" }) { team { name } } }`, ""), `Field \"UpdateTeamInput.id\" of required type \"ID!\" was not provided.`; !strings.Contains(got, want) {
		t.Errorf("the literal: got %s, want %s", got, want)
	}
	o.Want(t)
}

// TestNullVariablesAreRefusedInNonNullPositions passes null for a nullable variable with a default.
func TestNullVariablesAreRefusedInNonNullPositions(t *testing.T) {
	for query, message := range map[string]string{
		`query($v: ID = "11") { team(id: $v) { name } }`:                                                               `Argument \"id\" of non-null type \"ID!\" must not be null.`,
		`query($v: ID = "11") { nodes(ids: [$v]) { id } }`:                                                             `Argument \"ids\" has an invalid value: \"$v\" of non-null type \"ID!\" must not be null.`,
		`query($v: Boolean = true) { __typename @skip(if: $v) }`:                                                       `Argument \"if\" of non-null type \"Boolean!\" must not be null.`,
		`query($v: Boolean = true) { ...F } fragment F on Query { a: __typename ... @include(if: $v) { __typename } }`: `Argument \"if\" of non-null type \"Boolean!\" must not be null.`,
		`query($v: Int = 1) { teams(first: $v) { __typename } }`:                                                       ``, // nullable
	} {
		got := newOperations(t).execute(t, query, `{"v":null}`)
		if !strings.Contains(got, message) || strings.Contains(got, `"errors"`) != (message != "") {
			t.Errorf("%s: got %s, want %q", query, got, message)
		}
	}
}
