package limits

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// costSchema has one field of each kind that the cost distinguishes.
var costSchema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	type Query {
		teams(first: Int, after: String, last: Int, before: String): TeamConnection!
		nodes(ids: [ID!]!): [Team]!
		team(id: ID, words: [String!], filter: Filter): Team
	}
	input Filter { names: [String!] }
	type TeamConnection { nodes: [Team!]! edges: [TeamEdge!]! pageInfo: PageInfo! }
	type TeamEdge { cursor: String! node: Team! }
	type PageInfo { hasNextPage: Boolean! }
	type Team { name: String! word(key: String!): String words: [String!]! members: [Member!]! teams(first: Int, last: Int): TeamConnection! }
	type Member { name: String! }`})

// operation returns the only operation of a document.
func operation(t *testing.T, query string, variables map[string]any) *graphql.OperationContext {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(costSchema, query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	return &graphql.OperationContext{Doc: doc, Operation: doc.Operations[0], Variables: variables}
}

func TestComplexityMultipliesDownLists(t *testing.T) {
	for _, test := range []struct {
		query     string
		variables map[string]any
		want      int
	}{
		{`{ __typename }`, nil, 1},
		{`{ team { name } }`, nil, 2},
		// The field, then nodes and name for each row.
		{`{ teams(first: 3) { nodes { name } } }`, nil, 1 + 3*2},
		{`{ teams(last: 3) { nodes { name } } }`, nil, 1 + 3*2},
		{`{ teams(first: 3) { edges { cursor node { name } } } }`, nil, 1 + 3*4},
		{`{ teams(first: 3) { nodes { teams(first: 2) { nodes { name } } } } }`, nil, 1 + 3*(1+1+2*2)},
		{`{ teams { nodes { name } } }`, nil, 1 + defaultPageSize*2},
		{`query($n: Int) { teams(first: $n) { nodes { name } } }`, map[string]any{"n": int64(4)}, 1 + 4*2},
		{`query($n: Int) { teams(first: $n) { nodes { name } } }`, map[string]any{"n": nil}, 1 + defaultPageSize*2},
		{`query($n: Int) { teams(first: $n) { nodes { name } } }`, nil, 1 + defaultPageSize*2},
		// The field refuses these pages, and larger ones than the maximum cost no more.
		{`{ teams(first: 0) { nodes { name } } }`, nil, 1},
		{`{ teams(first: -5) { nodes { name } } }`, nil, 1},
		{`{ teams(first: 2000000000) { nodes { name } } }`, nil, 1 + maxPageSize*2},
		// A list within its parent counts as five, a list of scalars as one field.
		{`{ team { members { name } } }`, nil, 1 + 1 + embeddedListLength},
		{`{ team { words } }`, nil, 2},
		{`query($key: String!) { team { word(key: "a") b: word(key: $key) } }`, map[string]any{"key": "b"}, 3},
		// Ids count as arguments, and each has a result.
		{`{ nodes(ids: ["1", "2", "3"]) { name } }`, nil, 1 + 3 + 3},
		{`query($ids: [ID!]!) { nodes(ids: $ids) { name } }`, map[string]any{"ids": []any{"1", "2"}}, 1 + 2 + 2},
		{`query($w: [String!]) { team(words: $w) { name } }`, map[string]any{"w": []any{"a", "b", "c"}}, 1 + 3 + 1},
		{`{ team(filter: { names: ["a", "b"] }) { name } }`, nil, 1 + 3 + 1},
		// @skip and @include.
		{`{ team @skip(if: true) { name } a: team { name @include(if: false) words } }`, nil, 2},
		{`query($yes: Boolean!) { team { name @skip(if: $yes) words @include(if: $yes) } }`, map[string]any{"yes": true}, 2},
		{`{ team { ... @skip(if: true) { name } ...F @include(if: false) words } } fragment F on Team { name }`, nil, 2},
		// A fragment counts at each spread.
		{`{ a: team { ...F } b: team { ...F ... { words } } } fragment F on Team { name members { name } }`, nil, 2*(1+1+1+embeddedListLength) + 1},
	} {
		if got := Complexity(operation(t, test.query, test.variables)); got != test.want {
			t.Errorf("%s with %v: complexity %d, want %d", test.query, test.variables, got, test.want)
		}
	}
}

// TestComplexityOfNestedFragmentsIsBounded doubles a fragment sixty times. Each fragment is
// visited once, or the test would not end, and the sum does not overflow.
func TestComplexityOfNestedFragmentsIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("{ team { ...F0 } }")
	for i := range 60 {
		fmt.Fprintf(&b, " fragment F%d on Team { a: teams(first: 100) { nodes { ...F%d } } b: teams(first: 100) { nodes { ...F%d } } }", i, i+1, i+1)
	}
	b.WriteString(" fragment F60 on Team { name }")
	doc := parsed(t, b.String())
	for _, fragment := range doc.Fragments {
		resolveSpreads(doc, fragment.SelectionSet)
	}
	resolveSpreads(doc, doc.Operations[0].SelectionSet)
	if got := Complexity(&graphql.OperationContext{Doc: doc, Operation: doc.Operations[0]}); got != math.MaxInt32 {
		t.Errorf("complexity %d, want it to stop at %d", got, math.MaxInt32)
	}
}

// resolveSpreads sets what validation sets, and is too slow to set for a hostile document.
func resolveSpreads(doc *ast.QueryDocument, set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			s.Definition = &ast.FieldDefinition{Type: ast.NamedType("Team", nil)}
			if s.Name == "teams" {
				s.Definition = costSchema.Types["Team"].Fields.ForName("teams")
			}
			resolveSpreads(doc, s.SelectionSet)
		case *ast.FragmentSpread:
			s.Definition = doc.Fragments.ForName(s.Name)
		}
	}
}

func TestPolicyLimitsRowsAndComplexity(t *testing.T) {
	log := captureLog(t)
	for _, test := range []struct {
		query      string
		limits     Limits
		limit      string // empty if the operation is allowed
		value, max int
	}{
		{`{ teams(first: 10) { nodes { name } } }`, Limits{Rows: 10}, "", 0, 0},
		{`{ teams(first: 11) { nodes { name } } }`, Limits{Rows: 10}, "rows", 11, 10},
		{`{ teams(last: 11) { nodes { name } } }`, Limits{Rows: 10}, "rows", 11, 10},
		{`{ teams { nodes { name } } }`, Limits{Rows: 10}, "rows", defaultPageSize, 10},
		{`{ teams(first: 1) { nodes { teams(first: 11) { nodes { name } } } } }`, Limits{Rows: 10}, "rows", 11, 10},
		{`{ team { members { name } } nodes(ids: ["1","2"]) { name } }`, Limits{Rows: 1}, "", 0, 0},
		// The field itself refuses so many, with a better message.
		{`{ teams(first: 101) { nodes { name } } }`, Limits{Rows: 10}, "", 0, 0},
		{`{ teams(first: 10) { nodes { name } } }`, Limits{Complexity: 21}, "", 0, 0},
		{`{ teams(first: 10) { nodes { name } } }`, Limits{Complexity: 20}, "complexity", 21, 20},
		{`{ teams(first: 100) { nodes { name } } }`, Limits{}, "", 0, 0},
	} {
		p, op := Policy{Limits: test.limits}, operation(t, test.query, nil)
		switch err := p.check(t.Context(), op); {
		case test.limit != "":
			wantExceeded(t, err, test.limit, test.value, test.max)
		case err != nil:
			t.Errorf("%s was refused within %+v: %v", test.query, test.limits, err)
		}
		if log.String() != "" {
			t.Fatalf("an enforced limit was logged: %s", log)
		}
		p.Measure = true
		if err := p.check(t.Context(), op); err != nil {
			t.Errorf("measuring must not refuse: %v", err)
		}
		if want := fmt.Sprintf("limit=%s value=%d max=%d", test.limit, test.value, test.max); test.limit != "" && !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s", log, want)
		}
		log.Reset()
	}
}

func TestNumbersOfAllSourcesAreRead(t *testing.T) {
	for _, test := range []struct {
		value any
		want  int
		ok    bool
	}{
		{int64(3), 3, true},
		{3, 3, true},
		{3.9, 3, true},
		{json.Number("12"), 12, true},
		{json.Number("1e2"), 100, true},
		{int64(math.MaxInt64), math.MaxInt32, true},
		{-1e300, math.MinInt32, true},
		{json.Number("x"), 0, false},
		{"3", 0, false},
		{nil, 0, false},
	} {
		if got, ok := toInt(test.value); got != test.want || ok != test.ok {
			t.Errorf("%T %v is read as %d (%t), want %d (%t)", test.value, test.value, got, ok, test.want, test.ok)
		}
	}
}

func TestArithmeticDoesNotOverflow(t *testing.T) {
	const most = math.MaxInt32
	for _, test := range []struct{ a, b, sum, product int }{
		{2, 3, 5, 6}, {0, most, most, 0}, {most, 0, most, 0}, {most + 1, 1, most, most}, {1 << 20, 1 << 20, 1 << 21, most},
	} {
		if got := addClamped(test.a, test.b); got != test.sum {
			t.Errorf("%d+%d is %d, want %d", test.a, test.b, got, test.sum)
		}
		if got := multiplyClamped(test.a, test.b); got != test.product {
			t.Errorf("%d·%d is %d, want %d", test.a, test.b, got, test.product)
		}
	}
}
