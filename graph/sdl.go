package graph

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"github.com/funnelgraph/funnelgraph/graph/exec"
)

// publicSchema returns the schema for clients: without the directives that bind types and fields
// for gqlgen, and with a description of @defer.
func publicSchema() *ast.Schema {
	schema := *exec.NewExecutableSchema(exec.Config{}).Schema()
	schema.Directives = maps.Clone(schema.Directives)
	delete(schema.Directives, "goField")
	delete(schema.Directives, "goModel")
	schema.Directives["defer"] = describeDefer(*schema.Directives["defer"])
	return &schema
}

// SDL returns the schema for clients as text, with types in the order of their names. It shows
// what introspection shows.
func SDL() string {
	schema := publicSchema()
	root := &ast.SchemaDefinition{Description: schema.Description}
	for _, def := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if def != nil {
			root.OperationTypes = append(root.OperationTypes, &ast.OperationTypeDefinition{Operation: ast.Operation(strings.ToLower(def.Name)), Type: def.Name})
		}
	}
	doc := &ast.SchemaDocument{Schema: ast.SchemaDefinitionList{root}}
	for _, name := range slices.Sorted(maps.Keys(schema.Directives)) {
		switch name {
		case "deprecated", "include", "oneOf", "skip", "specifiedBy": // built into every tool
		default:
			directive := *schema.Directives[name]
			directive.Position = nil // the formatter would leave out @defer as built-in
			doc.Directives = append(doc.Directives, &directive)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := *schema.Types[name]
		def.Directives = declaredDirectives(schema, def.Directives)
		def.Fields = slices.Clone(def.Fields)
		for i, field := range def.Fields {
			shown := *field
			shown.Directives = declaredDirectives(schema, field.Directives)
			def.Fields[i] = &shown
		}
		doc.Definitions = append(doc.Definitions, &def)
	}
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
	return text.String()
}

// declaredDirectives returns the directives that the schema declares.
func declaredDirectives(schema *ast.Schema, all ast.DirectiveList) ast.DirectiveList {
	return slices.DeleteFunc(slices.Clone(all), func(d *ast.Directive) bool { return schema.Directives[d.Name] == nil })
}

// describeDefer returns the definition of @defer with descriptions for clients.
func describeDefer(directive ast.DirectiveDefinition) *ast.DirectiveDefinition {
	directive.Description = "Sends the fields of the fragment later, so that clients can show the others first. " +
		"The request must accept `multipart/mixed` or `text/event-stream`; otherwise the response has all fields."
	directive.Arguments = ast.ArgumentDefinitionList{
		{
			Name: "if", Description: "Whether to defer. Defaults to true.", Type: ast.NonNullNamedType("Boolean", directive.Position),
			DefaultValue: &ast.Value{Kind: ast.BooleanValue, Raw: "true", Position: directive.Position}, Position: directive.Position,
		},
		{Name: "label", Description: "Label of the deferred fragment in the response.", Type: ast.NamedType("String", directive.Position), Position: directive.Position},
	}
	return &directive
}
