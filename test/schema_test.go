package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph"
	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestSchemaFileIsTheServedSchema compares schema.graphql, which clients' tools read, with the
// served schema.
func TestSchemaFileIsTheServedSchema(t *testing.T) {
	file, err := os.ReadFile("schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != graph.SDL() {
		t.Error("schema.graphql is not the schema that is served; refresh it: go run . schema > schema.graphql")
	}
}

// TestSchemaIsServedWhereIntrospectionIsAllowed expects the schema as text with introspection,
// and 404 without it.
func TestSchemaIsServedWhereIntrospectionIsAllowed(t *testing.T) {
	e := newEnv(t)
	status, body, header := e.request("GET", "/schema.graphql", "")
	if status != 200 || body != graph.SDL() || header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("ETag") == "" {
		t.Errorf("want the schema as plain text with an ETag, got %d %v %.200s", status, header, body)
	}
	if _, err := gqlparser.LoadSchema(&ast.Source{Input: body}); err != nil {
		t.Error(err)
	}
	if status, body, _ := e.request("GET", "/schema.graphql", "", "If-None-Match: "+header.Get("ETag")); status != 304 || body != "" {
		t.Errorf("with If-None-Match: want 304, got %d %.200s", status, body)
	}
	if calls := e.callsOf(""); len(calls) > 0 {
		t.Errorf("want no calls, got %q", calls)
	}
	for name, option := range map[string]envOption{
		"no introspection":           func(_ *env, cfg *config.Config) { cfg.Introspection = false },
		"trusted documents only":     withTrusted(`{"a":"{ teams { nodes { name } } }"}`, true),
		"no introspection, GraphiQL": func(_ *env, cfg *config.Config) { cfg.Introspection, cfg.GraphiQL = false, false },
	} {
		if status, body, _ := newEnv(t, option).request("GET", "/schema.graphql", "", asDemo); status != 404 || strings.Contains(body, "type") {
			t.Errorf("%s: want 404, got %d %.200s", name, status, body)
		}
	}
}

// TestSchemaEndpointNeedsAccess lets only clients of the access file read the schema, within
// their rate limit.
func TestSchemaEndpointNeedsAccess(t *testing.T) {
	key, hash := access.NewKey()
	t.Setenv("SOME_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf("tokens: { some: { env: SOME_TOKEN } }\nclients:\n  - { name: app, keys: [%q], token: some, teams: all, limits: { rate: 20 } }\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := access.NewClients(t.Context(), file, "", limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate })
	if status, body, _ := e.request("GET", "/schema.graphql", ""); status != 401 || strings.Contains(body, "type") {
		t.Errorf("without a key: want 401, got %d %.200s", status, body)
	}
	if status, body, _ := e.request("GET", "/schema.graphql", "", "Authorization: Bearer "+key); status != 200 || !strings.Contains(body, "type Contact") {
		t.Errorf("with a key: want 200 and the schema, got %d %.200s", status, body)
	}
	if status, body, _ := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "Authorization: Bearer "+key); status != 200 {
		t.Errorf("the second request: want 200, got %d %s", status, body)
	}
	if status, body, header := e.request("GET", "/schema.graphql", "", "Authorization: Bearer "+key); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("the third request: want 429 with Retry-After, got %d %.200s", status, body)
	}
}

// TestSchemaIsDocumented expects a description of every type, field, argument and enum value.
func TestSchemaIsDocumented(t *testing.T) {
	for name, def := range exec.NewExecutableSchema(exec.Config{}).Schema().Types {
		if strings.HasPrefix(name, "__") || def.BuiltIn {
			continue
		}
		if def.Description == "" {
			t.Errorf("type %s has no description", name)
		}
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			if field.Description == "" {
				t.Errorf("%s.%s has no description", name, field.Name)
			}
			for _, arg := range field.Arguments {
				if arg.Description == "" {
					t.Errorf("%s.%s(%s) has no description", name, field.Name, arg.Name)
				}
			}
		}
		for _, value := range def.EnumValues {
			if value.Description == "" {
				t.Errorf("%s.%s has no description", name, value.Name)
			}
		}
	}
}

// TestErrorsHideTheSchemaWithoutIntrospection expects no suggestions in errors while
// introspection is off.
func TestErrorsHideTheSchemaWithoutIntrospection(t *testing.T) {
	hidden := newEnv(t, func(_ *env, cfg *config.Config) { cfg.Introspection = false })
	open := newEnv(t)
	for _, query := range []string{
		`{ __schema { queryType { name } } }`, `{ __type(name: "Team") { name } }`, `{ teans { nodes { id } } }`, `{ teams { nodes { nome } } }`, `{ teams(frist: 1) { nodes { id } } }`,
		`query($f: ContactFilte) { teams { nodes { id } } }`, `{ workspace(id: "101") { contacts(sort: { property: IDD }) { nodes { id } } } }`, `{ workspace(id: "101") { contacts(filter: { id: 1 }) { nodes { id } } } }`, `{ teams }`, `{ teams { nodes { name { x } } } }`,
	} {
		if text := open.query(query).raw; !strings.Contains(text, "Did you mean") && !strings.Contains(text, `"data"`) && !strings.Contains(text, "Must") && !strings.Contains(text, "must") && !strings.Contains(text, "Unknown type") {
			t.Errorf("%s: want a suggestion with introspection, got %s", query, text)
		}
		r := hidden.query(query)
		if len(r.Errors) == 0 || strings.Contains(r.raw, "Did you mean") || strings.Contains(r.raw, "queryType\":{") {
			t.Errorf("%s: want an error without a suggestion, got %s", query, r.raw)
		}
	}
	hidden.must(`{ __typename teams { nodes { __typename name } } }`)
}

// TestIntrospectionFieldsAreNullByKind pins the fields of __Type that are null for its kind.
func TestIntrospectionFieldsAreNullByKind(t *testing.T) {
	e := newEnv(t)
	of := map[string][]string{
		"Contact": {"fields", "interfaces"}, "Node": {"fields", "interfaces", "possibleTypes"}, "DateTime": {},
		"SortDirection": {"enumValues"}, "ContactFilter": {"inputFields", "isOneOf"},
	}
	const members = `fields { name } interfaces { name } possibleTypes { name } enumValues { name } inputFields { name } isOneOf`
	for name, want := range of {
		r := e.must(`query($n: String!) { __type(name: $n) { `+members+` } }`, map[string]any{"n": name})
		var got []string
		for field, v := range r.Data["__type"].(map[string]any) {
			if v != nil {
				got = append(got, field)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	r := e.must(`{ __type(name: "Contact") { fields { name type { kind fields { name } isOneOf ofType { enumValues { name } } } } } }`)
	if r.get("__type.fields.0.type.fields") != nil || r.get("__type.fields.0.type.isOneOf") != nil {
		t.Errorf("want null for the fields of a scalar, got %s", r.raw)
	}
}

// TestIntrospectionIsRefusedWhenOff expects a client error for introspection, and no error in
// the log.
func TestIntrospectionIsRefusedWhenOff(t *testing.T) {
	logs := captureLog(t)
	e := newEnv(t, func(_ *env, cfg *config.Config) { cfg.Introspection = false })
	for _, query := range []string{`{ __schema { types { name } } }`, `{ __type(name: "Team") { name } }`, `{ ...F } fragment F on Query { s: __schema { types { name } } }`} {
		status, r := e.sendJSON(query, "")
		if status != http.StatusBadRequest || len(r.Errors) == 0 || r.Errors[0].Extensions["code"] != "BAD_USER_INPUT" || r.Errors[0].Path != nil {
			t.Errorf("%s: want 400 with BAD_USER_INPUT, got %d %s", query, status, r.raw)
		}
	}
	if text := logs(); strings.Contains(text, "ERROR") {
		t.Errorf("want no error in the log, got %s", text)
	}
	if _, r := e.sendJSON(bySort, `{"v":{"propertie":"ID"}}`); strings.Contains(r.raw, "Did you mean") {
		t.Errorf("want no suggestion, got %s", r.raw)
	}
}

// TestDeferIsInTheSchema introspects @defer.
func TestDeferIsInTheSchema(t *testing.T) {
	r := newEnv(t).must(`{ __schema { directives { name description locations args { name description defaultValue type { kind name ofType { name } } } } } }`)
	for _, directive := range r.get("__schema.directives").([]any) {
		d := directive.(map[string]any)
		if d["name"] != "defer" {
			continue
		}
		got, _ := json.Marshal(map[string]any{"args": d["args"], "locations": d["locations"]})
		const want = `{"args":[{"defaultValue":"true","description":"Whether to defer. Defaults to true.","name":"if","type":{"kind":"NON_NULL","name":null,"ofType":{"name":"Boolean"}}},{"defaultValue":null,"description":"Label of the deferred fragment in the response.","name":"label","type":{"kind":"SCALAR","name":"String","ofType":null}}],"locations":["FRAGMENT_SPREAD","INLINE_FRAGMENT"]}`
		if string(got) != want || !strings.Contains(d["description"].(string), "multipart/mixed") {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		return
	}
	t.Errorf("want the directive @defer, got %s", r.raw)
}
