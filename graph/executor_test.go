package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/internal/gqlhttp"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// oddValues replaces values of the simulated API by odd ones that real APIs send.
var oddValues = strings.NewReplacer(
	`"Ada"`, `"A\"d\\a\u0001\u00e9\ud83d\ude00\ud800 \t\n</x>"`,
	`"Bruno"`, "\"B\xff\u2028\"",
	`"is_active":true`, `"is_active":"true"`,
	`"last_name":"Schmidt"`, `"last_name":12.50`,
	`"phone_number":"+1 555 0003"`, `"phone_number":{"a":["b",null]}`,
	`"website_url":null`, `"website_url":""`,
	`"updated_at":"2025-01-09T14:00:00.000Z"`, `"updated_at":"2025-01-09T14:00:00.123456+02:00"`,
	`"deleted_at":null`, `"deleted_at":"never","avatar_image":{"url":["x",1e3],"é":null}`,
	`"plan":"starter"`, `"plan":true`,
	`"plan":"pro"`, `"plan":1.50`,
	`"plan":"agency"`, `"plan":null,"a\"b":"x"`,
	`"public_id":`, `"public_id" : `,
)

// TestAnswersEqualGqlgensExecutor runs random queries with gqlgen's executor as well. Both must
// produce the same bytes.
func TestAnswersEqualGqlgensExecutor(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		demo.New().ServeHTTP(answer, r)
		if next := answer.Header().Get("Pagination-Next"); next != "" {
			w.Header().Set("Pagination-Next", next)
		}
		w.WriteHeader(answer.Code)
		_, _ = oddValues.WriteString(w, answer.Body.String())
	}))
	defer api.Close()
	client, err := upstream.New(upstream.Config{URLTemplate: demo.Template(strings.TrimPrefix(api.URL, "http://"))})
	if err != nil {
		t.Fatal(err)
	}
	client = client.WithToken(demo.Token)
	of := func(ctx context.Context) Session { return Session{Client: client, Calls: ctx} }
	oracle, executor := newExecutor(of, true, true), NewExecutor(of, true)

	seed := rand.Uint64()
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for i := range rounds {
		q := &queryGenerator{Rand: rand.New(rand.NewPCG(seed, uint64(i))), schema: exec.NewExecutableSchema(exec.Config{}).Schema()}
		body, err := json.Marshal(map[string]any{"query": q.query(), "variables": map[string]any{"yes": true, "no": false, "key": "plan"}})
		if err != nil {
			t.Fatal(err)
		}
		want, got := answer(t, gqlhttp.Handler(gqlhttp.Config{Executor: oracle, Scope: noScope, MaxBody: 1 << 20}), body), answer(t, gqlhttp.Handler(gqlhttp.Config{Executor: executor, Scope: noScope, MaxBody: 1 << 20}), body)
		if !bytes.Equal(want, got) {
			t.Fatalf("seed %d, round %d: %s\ngqlgen's answer\n%s\nthis answer\n%s", seed, i, body, want, got)
		}
		if bytes.Contains(want, []byte(`"errors"`)) {
			t.Fatalf("seed %d, round %d: %s: %.300s", seed, i, body, want)
		}
	}
}

func noScope(context.Context) any { return "" }

func answer(t *testing.T, h http.Handler, body []byte) []byte {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// queryGenerator makes up queries: any fields of the schema, with aliases, both kinds of
// fragments, @skip and @include, __typename, repeated fields, and members by their keys.
type queryGenerator struct {
	*rand.Rand
	schema    *ast.Schema
	fragments []string
	aliases   int
}

func (q *queryGenerator) query() string {
	var b strings.Builder
	b.WriteString(" any: __typename @include(if: $yes) not: __typename @skip(if: $yes) either: __typename @skip(if: $no)\n")
	for _, root := range []string{
		"teams(first: 2)", "users", `workspace(id: "101")`, `team(id: "11")`, `contact(id: "3000000002", workspaceId: "101")`,
	} {
		name, _, _ := strings.Cut(root, "(")
		if q.IntN(2) == 0 {
			b.WriteString(root + q.selection(q.schema.Query.Fields.ForName(name).Type.Name(), 6))
		}
	}
	b.WriteString("}\n" + strings.Join(q.fragments, "\n"))
	variables := "$yes: Boolean!, $no: Boolean!"
	if strings.Contains(b.String(), "$key") {
		variables += `, $key: String = "city"`
	}
	return "query(" + variables + ") {" + b.String()
}

// selection makes up a selection set for an object.
func (q *queryGenerator) selection(typeName string, depth int) string {
	definition := q.schema.Types[typeName]
	var parts []string
	for range 1 + q.IntN(5) {
		field := definition.Fields[q.IntN(len(definition.Fields))]
		inner := q.schema.Types[field.Type.Name()]
		if !inner.IsLeafType() && (depth == 0 || inner.Name == "Team" && depth < 5 || len(inner.Interfaces) > 0 && q.IntN(3) > 0) {
			continue
		}
		part := field.Name
		if strings.HasPrefix(part, "__") {
			continue
		}
		if q.IntN(6) == 0 || len(field.Arguments) > 0 {
			q.aliases++
			part = fmt.Sprintf("a%d: %s", q.aliases, part)
		}
		if field.Arguments.ForName("first") != nil && q.IntN(2) == 0 {
			part += fmt.Sprintf("(%s: %d)", []string{"first", "last"}[q.IntN(2)], 1+q.IntN(5))
		}
		switch required := slices.ContainsFunc(field.Arguments, func(a *ast.ArgumentDefinition) bool { return a.Type.NonNull }); {
		case field.Arguments.ForName("key") != nil:
			part += "(key: " + []string{`"city"`, `"plan"`, `"a\"b"`, `"none"`, "$key"}[q.IntN(5)] + ")"
		case required:
			continue
		}
		part += []string{"", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)", " @skip(if: $no)"}[q.IntN(7)]
		if !inner.IsLeafType() {
			part += q.selection(inner.Name, depth-1)
		}
		parts = append(parts, part)
		if inner.IsLeafType() && len(field.Arguments) == 0 && q.IntN(5) == 0 {
			parts = append(parts, field.Name)
		}
	}
	parts = append(parts, "__typename")
	if definition.Fields.ForName("nodes") != nil && q.IntN(2) == 0 { // favor rows
		parts = append(parts, "nodes"+q.selection(definition.Fields.ForName("nodes").Type.Name(), q.IntN(3)))
	}
	text := "{ " + strings.Join(parts, " ") + " }"
	switch q.IntN(6) {
	case 0:
		text = fmt.Sprintf("{ ... on %s %s }", typeName, text)
	case 1:
		name := fmt.Sprintf("F%d", len(q.fragments))
		q.fragments = append(q.fragments, fmt.Sprintf("fragment %s on %s %s", name, typeName, text))
		text = fmt.Sprintf("{ __typename ...%s ...%s }", name, name)
	case 2:
		if len(definition.Interfaces) > 0 {
			text = "{ ... on Node { id } " + text[1:]
		}
	}
	return text
}
