package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
)

// TestSDLIsTheSchemaOfClients parses the schema's text.
func TestSDLIsTheSchemaOfClients(t *testing.T) {
	text := SDL()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: text})
	if err != nil {
		t.Fatal(err)
	}
	for name := range exec.NewExecutableSchema(exec.Config{}).Schema().Types {
		if schema.Types[name] == nil {
			t.Errorf("the type %s is missing", name)
		}
	}
	for _, internal := range []string{"goField", "goModel"} {
		if strings.Contains(text, internal) {
			t.Errorf("the schema has the directive @%s, which only configures gqlgen", internal)
		}
	}
	if got := newOperations(t).data(t, `{ __schema { directives { name } } }`); strings.Contains(got, "goField") || !strings.Contains(got, `"skip"`) {
		t.Errorf("introspection shows the directives %s, want those of clients", got)
	}
	if d := schema.Directives["defer"]; !strings.Contains(text, "directive @defer") || !strings.Contains(d.Description, "multipart/mixed") || len(d.Arguments) != 2 {
		t.Errorf("@defer is described as %+v, want its transport and two arguments", d)
	}
	if strings.Contains(text, "directive @skip") {
		t.Error("the schema declares @skip, which every tool has")
	}
}

// TestEveryListOfAWorkspaceTakesOneCall selects each list of Workspace, with an empty filter and an
// order where it takes these.
func TestEveryListOfAWorkspaceTakesOneCall(t *testing.T) {
	lists := 0
	for _, field := range exec.NewExecutableSchema(exec.Config{}).Schema().Types["Workspace"].Fields {
		if !strings.HasSuffix(field.Type.Name(), "Connection") {
			continue
		}
		lists++
		arguments := "first: 2"
		if field.Arguments.ForName("filter") != nil {
			arguments += ", filter: {}"
		}
		if field.Arguments.ForName("sort") != nil {
			arguments += ", sort: { property: ID, direction: DESC }"
		}
		o := newOperations(t)
		got := o.data(t, in101(fmt.Sprintf("%s(%s) { nodes { id rawId workspace { rawId } } }", field.Name, arguments)))
		if strings.Count(got, `"workspace":{"rawId":"101"}`) == 0 {
			t.Errorf("%s: got %s, want rows of the workspace", field.Name, got)
		}
		if calls := o.Take(); len(calls) != 1 || !strings.HasPrefix(calls[0], lists101) {
			t.Errorf("%s: calls %q, want one of the workspace's list", field.Name, calls)
		}
	}
	if lists < 15 {
		t.Errorf("%d lists, want those of all resources", lists)
	}
}

// TestIntrospectionLeavesOutWhatATypeLacks pins fields of __Type that are null by its kind.
func TestIntrospectionLeavesOutWhatATypeLacks(t *testing.T) {
	o := newOperations(t)
	for name, want := range map[string]string{
		"DateTime":      `{"fields":null,"possibleTypes":null,"enumValues":null,"inputFields":null,"isOneOf":null}`,
		"SortDirection": `{"fields":null,"possibleTypes":null,"enumValues":[{"name":"ASC"},{"name":"DESC"}],"inputFields":null,"isOneOf":null}`,
		"Sort":          `{"fields":null,"possibleTypes":null,"enumValues":null,"inputFields":[{"name":"property"},{"name":"direction"}],"isOneOf":false}`,
	} {
		o.answeredWhole(t, fmt.Sprintf(`{ __type(name: %q) { fields { name } possibleTypes { name } enumValues { name } inputFields { name } isOneOf } }`, name), `{"data":{"__type":`+want+`}}`)
	}
}
