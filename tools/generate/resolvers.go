package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// resolver is the resolver of a field of the expanded schema.
type resolver struct {
	typeName string
	field    *ast.FieldDefinition
	body     string
}

// addResolver adds the resolver of a field.
func (d *Description) addResolver(typeName string, f *ast.FieldDefinition, body string) {
	d.resolvers = append(d.resolvers, resolver{typeName, f, body})
}

// accessExpr returns the expression for a record's value at a REST key.
func accessExpr(record, key string) string {
	if key == "id" {
		key = "raw_id"
	}
	return record + "." + goName(key) + "()"
}

// resolverImports returns the packages of the standard library that resolvers need.
func (d *Description) resolverImports() []string {
	imports := []string{"context"}
	if slices.ContainsFunc(d.resolvers, func(r resolver) bool {
		_, types := d.parameters(r.typeName, r.field)
		return slices.Contains(types, "*time.Time")
	}) {
		imports = append(imports, "time")
	}
	return imports
}

// writeResolvers writes the resolvers that gqlgen declares.
func (d *Description) writeResolvers(c *code) error {
	c.begin("graph", d.resolverImports(), []string{"graph/exec", "graph/loader", "graph/model", "upstream"})
	var types []string
	for _, r := range d.resolvers {
		if !slices.Contains(types, r.typeName) {
			types = append(types, r.typeName)
		}
	}
	for _, name := range types {
		c.line("// %s implements [exec.ResolverRoot].", name)
		c.line("func (*Resolver) %s() exec.%sResolver { return %sResolver{} }\n\ntype %sResolver struct{}\n", name, name, lowerFirst(name), lowerFirst(name))
		for _, r := range d.resolvers {
			if r.typeName == name {
				d.writeResolver(c, r)
			}
		}
	}
	return nil
}

func (d *Description) writeResolver(c *code, r resolver) {
	names, types := d.parameters(r.typeName, r.field)
	parameters := make([]string, len(names))
	for i, name := range names {
		parameters[i] = name + " " + types[i]
	}
	result := d.goType(r.field.Type)
	switch {
	case isBatched(r.field):
		result = "[]" + result
	case r.typeName == "Subscription":
		result = "<-chan " + result
	}
	c.line("func (%sResolver) %s(%s) (%s, error) {\n%s\n}\n", lowerFirst(r.typeName), upperFirst(r.field.Name), strings.Join(parameters, ", "), result, r.body)
}

// parameters returns the names and types of a resolver's parameters.
func (d *Description) parameters(typeName string, f *ast.FieldDefinition) (names, types []string) {
	names, types = []string{"ctx"}, []string{"context.Context"}
	switch {
	case isRoot(typeName):
	case isBatched(f):
		names, types = append(names, "objs"), append(types, "[]*upstream."+d.record(typeName))
	case d.isSubscribed(typeName):
		names, types = append(names, "obj"), append(types, "*model."+typeName)
	default:
		names, types = append(names, "obj"), append(types, "*upstream."+d.record(typeName))
	}
	for _, argument := range f.Arguments {
		names, types = append(names, argument.Name), append(types, d.goType(argument.Type))
	}
	return names, types
}

// isSubscribed reports whether a subscription returns objects of a type. They are no rows.
func (d *Description) isSubscribed(typeName string) bool {
	subscription := d.Types["Subscription"]
	return subscription != nil && slices.ContainsFunc(subscription.Fields, func(f *ast.FieldDefinition) bool { return f.Type.Name() == typeName })
}

// record returns the Go type of a type's objects.
func (d *Description) record(typeName string) string {
	if r := d.Resources[typeName]; r != nil {
		return r.Record
	}
	return typeName
}

// goType returns the Go type that gqlgen uses for a type of the expanded schema.
func (d *Description) goType(t *ast.Type) string {
	if t.Elem != nil {
		return "[]" + d.goType(t.Elem)
	}
	pointer := "*"
	if t.NonNull {
		pointer = ""
	}
	name := t.NamedType
	of, isConnection := strings.CutSuffix(name, "Connection")
	switch {
	case name == "ID" || name == "String":
		return pointer + "string"
	case name == "Int":
		return pointer + "int"
	case name == "DateTime":
		return pointer + "time.Time"
	case name == "Node":
		return "model.Node"
	case strings.HasSuffix(name, "Input"):
		return "map[string]any"
	case isConnection:
		return "*model.Connection[upstream." + d.record(of) + "]"
	case d.Resources[name] != nil || isOwnRow(d.Types[name]):
		return "*upstream." + d.record(name)
	}
	if of := d.Types[name]; of != nil && of.Kind == ast.Enum && of.Directives.ForName("open") == nil {
		return pointer + "model." + name
	}
	return "*model." + name
}

func isBatched(f *ast.FieldDefinition) bool {
	directive := f.Directives.ForName("goField")
	return directive != nil && directive.Arguments.ForName("batch") != nil
}

// resolverBody returns the body of the resolver of a described field, or "" if the field needs
// none. expanded is the field in the expanded schema.
func (d *Description) resolverBody(typeName string, f, expanded *ast.FieldDefinition) string {
	if directive := f.Directives.ForName("resolve"); directive != nil {
		names, _ := d.parameters(typeName, expanded)
		return "return " + arguments{directive}.text("with", "") + "(" + strings.Join(names, ", ") + ")"
	}
	if directive := f.Directives.ForName("belongsTo"); directive != nil {
		return d.relationBody(typeName, f, arguments{directive})
	}
	if directive := f.Directives.ForName("hasMany"); directive != nil {
		return d.manyBody(typeName, f, arguments{directive})
	}
	return ""
}

// windowed is the end of the argument list of functions that return connections.
const windowed = "first, after, last, before)"

func workspaceBody(r *Resource) string {
	if r.Workspace != "" {
		return "return " + r.Workspace + "(ctx, objs)"
	}
	return fmt.Sprintf("return workspacesOf(ctx, objs, func(o *upstream.%s) string { return %s })", r.Record, accessExpr("o", "workspace_id"))
}

// listBody returns the resolver's body for a list of a resource below its parent.
func (d *Description) listBody(r *Resource, list List) string {
	parent, workspace := "obj.Ref()", accessExpr("obj", "workspace_id")
	switch list.Parent {
	case "Query":
		parent, workspace = "upstream.Ref{}", `""`
	case "Workspace":
		workspace = "obj.Key()"
	}
	connect := "return " + r.Connect + "(ctx, loader." + listName(r, list) + ", " + parent
	if len(r.Filters) == 0 {
		return connect + ", " + queryOf(r.Sort, workspace) + ", " + windowed
	}
	sort := map[string]string{"CHANGE": ", sort", "POSITION": ", sort"}[r.Sort]
	return fmt.Sprintf("q, err := %sQuery(ctx, %s, filter%s)\nif err != nil {\nreturn nil, err\n}\n%s, q, %s", lowerFirst(r.Type.Name), workspace, sort, connect, windowed)
}

// queryOf returns the expression for the query of a list without a filter.
func queryOf(sort, workspace string) string {
	switch sort {
	case "CHANGE":
		return "sorted(ctx, " + workspace + ", sort).query"
	case "POSITION":
		return "sortedByPlace(ctx, " + workspace + ", sort).query"
	}
	return "upstream.Query{}"
}

// inverseBody returns the resolver's body for the rows that belong to a record.
func (d *Description) inverseBody(r *Resource, relation *Relation) string {
	query := queryOf(r.Sort, `""`)
	if relation.Across != "" {
		query = "upstream.Query{}"
	}
	return d.childrenBody(d.Resources[relation.To], childrenName(relation.Inverse, relation.To), !d.inWorkspace(r, relation), query)
}

// childrenName returns the name of the loader of a record's children.
func childrenName(field, of string) string { return upperFirst(field) + "Of" + of }

// childrenBody returns the resolver's body for children, which are listed below the workspace or
// below the owner of the records.
func (d *Description) childrenBody(parent *Resource, children string, belowOwner bool, query string) string {
	of := fmt.Sprintf("inWorkspace(%s, %s)", accessExpr("o", "workspace_id"), accessExpr("o", "id"))
	if belowOwner {
		of = "loader.Parent{List: o.Owner(), ID: " + accessExpr("o", "id") + "}"
	}
	return fmt.Sprintf("return childrenOf(ctx, objs, loader.%s, func(o *upstream.%s) loader.Parent { return %s }, %s, %s", children, parent.Record, of, query, windowed)
}

// inWorkspace reports whether a workspace lists the rows of a relation's inverse, in one list or
// several.
func (d *Description) inWorkspace(r *Resource, relation *Relation) bool {
	return relation.Across != "" || slices.ContainsFunc(r.Lists, func(list List) bool { return list.Parent == "Workspace" })
}

// relationBody returns the resolver's body for a relation to one record.
func (d *Description) relationBody(typeName string, f *ast.FieldDefinition, args arguments) string {
	record, to, key := d.record(typeName), d.Resources[f.Type.Name()], args.text("key", "")
	if to.Type.Name == "Team" {
		return fmt.Sprintf("return teamsOf(ctx, objs, func(o *upstream.%s) string { return %s })", record, accessExpr("o", key))
	}
	name := to.Type.Name
	ref := fmt.Sprintf("(*upstream.%s).%sRef", record, goName(snake(f.Name)))
	if args.texts("embeds") != nil || args.texts("lacks") != nil {
		return fmt.Sprintf("return embeddedRecords(ctx, objs, loader.%s, (*upstream.%s).%s, %s, embedded%s%s, %sRefFields)",
			plural(name), record, goName(snake(f.Name)), ref, typeName, upperFirst(f.Name), lowerFirst(name))
	}
	return fmt.Sprintf("return related(ctx, objs, loader.%s.From(ctx), %s, %sRefFields, upstream.NewRecord[upstream.%s])", plural(name), ref, lowerFirst(name), to.Record)
}

// manyBody returns the resolver's body for a relation to several records.
func (d *Description) manyBody(typeName string, f *ast.FieldDefinition, args arguments) string {
	from, to, list := d.Resources[typeName], d.Resources[f.Type.Name()], f.Directives.ForName("list")
	if walk := args.text("walk", ""); walk != "" {
		return d.childrenBody(from, childrenName(f.Name, typeName), false, queryOf(arguments{list}.text("sort", "CHANGE"), `""`))
	}
	if args.texts("embeds") != nil {
		return fmt.Sprintf("return embeddedLists(ctx, objs, loader.%s, func(o *upstream.%s) []*upstream.%s { return %s }, embedded%s%s)",
			plural(to.Type.Name), d.record(typeName), to.Record, accessExpr("o", args.text("key", "")), typeName, upperFirst(f.Name))
	}
	kind, workspace, ids := "upstream.Kind"+to.Type.Name, accessExpr("o", "workspace_id"), accessExpr("o", args.text("key", ""))
	if list == nil {
		return fmt.Sprintf("return listsOf(ctx, objs, loader.%s, func(o *upstream.%s) []upstream.Ref { return refs(%s, %s, %s) })", plural(to.Type.Name), from.Record, kind, workspace, ids)
	}
	return fmt.Sprintf("return connectionsOf(ctx, objs, loader.%s, func(o *upstream.%s) (kind upstream.Kind, workspace string, ids []string) {\nreturn %s, %s, %s\n}, %s",
		plural(to.Type.Name), from.Record, kind, workspace, ids, windowed)
}
