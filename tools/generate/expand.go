package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Expand returns the schema that follows from the description. It has one document per file of
// the description, in the same order. It also records the resolvers, which [Description.Go]
// writes.
func (d *Description) Expand() ([]*File, error) {
	var files []*File
	for _, file := range d.Files {
		e := &expansion{Description: d, file: file, out: new(ast.SchemaDocument)}
		e.copyRest()
		for _, definition := range file.Document.Definitions {
			if err := e.definition(definition); err != nil {
				return nil, err
			}
		}
		for _, extension := range file.Document.Extensions {
			e.extension(extension)
		}
		e.markMutations()
		files = append(files, &File{file.Name, e.out})
	}
	return files, checkNames(files)
}

// markMutations marks the mutations: their payload is null only on error.
func (e *expansion) markMutations() {
	for _, definition := range slices.Concat(e.out.Definitions, e.out.Extensions) {
		if definition.Name != "Mutation" {
			continue
		}
		for _, f := range definition.Fields {
			if !f.Type.NonNull && f.Directives.ForName(semanticNonNull) == nil {
				unlessFailed(f)
			}
		}
	}
}

// checkNames reports the first name without a type. gqlparser would silently create the type of a
// misspelt extension. It would report other names at positions in the expanded files.
func checkNames(files []*File) error {
	defined := map[string]bool{"Int": true, "Float": true, "String": true, "Boolean": true, "ID": true}
	for _, file := range files {
		for _, definition := range file.Document.Definitions {
			defined[definition.Name] = true
		}
	}
	for _, file := range files {
		for _, extension := range file.Document.Extensions {
			if !defined[extension.Name] {
				return errorAt(extension.Position, "there is no type %s to extend", extension.Name)
			}
		}
		for _, definition := range slices.Concat(file.Document.Definitions, file.Document.Extensions) {
			for _, f := range definition.Fields {
				if err := checkTypes(f, defined); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkTypes reports a type of a field or of its arguments that is not defined.
func checkTypes(f *ast.FieldDefinition, defined map[string]bool) error {
	if !defined[f.Type.Name()] {
		return errorAt(f.Position, "there is no type %s", f.Type.Name())
	}
	for _, argument := range f.Arguments {
		if !defined[argument.Type.Name()] {
			return errorAt(argument.Position, "there is no type %s", argument.Type.Name())
		}
	}
	return nil
}

// expansion expands one file.
type expansion struct {
	*Description
	file *File
	out  *ast.SchemaDocument
}

func (e *expansion) copyRest() {
	e.out.Schema, e.out.SchemaExtension = e.file.Document.Schema, e.file.Document.SchemaExtension
	e.out.Directives = e.file.Document.Directives
}

func (e *expansion) definition(definition *ast.Definition) error {
	r := e.Resources[definition.Name]
	switch {
	case r != nil:
		return e.resource(r)
	case definition.Kind == ast.Enum && definition.Directives.ForName("open") != nil:
		e.add(wordEnum(definition))
	case definition.Kind == ast.Object || definition.Kind == ast.Interface || definition.Kind == ast.InputObject:
		own := *definition
		own.Fields, own.Directives = e.fields(definition.Name, definition.Fields), without(definition.Directives, typeDirectives...)
		e.add(&own)
	default:
		e.add(definition)
	}
	return nil
}

// typeDirectives are the description's directives for types, which gqlgen must not see.
var typeDirectives = []string{"resource", "row", "key", "members", "composed"}

// extension copies an extension of the description.
func (e *expansion) extension(extension *ast.Definition) {
	own := *extension
	own.Fields = e.fields(extension.Name, extension.Fields)
	e.out.Extensions = append(e.out.Extensions, &own)
}

func (e *expansion) add(definitions ...*ast.Definition) {
	e.out.Definitions = append(e.out.Definitions, definitions...)
}

// extend adds a field to a type that any file defines.
func (e *expansion) extend(typeName string, field *ast.FieldDefinition) {
	for _, extension := range e.out.Extensions {
		if extension.Name == typeName {
			extension.Fields = append(extension.Fields, field)
			return
		}
	}
	e.out.Extensions = append(e.out.Extensions, &ast.Definition{Kind: ast.Object, Name: typeName, Fields: ast.FieldList{field}})
}

// recordFields are the fields that every record has.
var recordFields = []string{"id", "rawId", "publicId", "createdAt", "updatedAt"}

// resource adds a resource's type and everything that follows from it.
func (e *expansion) resource(r *Resource) error {
	own := *r.Type
	own.Directives = without(r.Type.Directives, typeDirectives...)
	own.Interfaces = append(slices.Clone(r.Type.Interfaces), "Node")
	own.Fields = ast.FieldList{
		bound(field("id", "ID!", "Opaque global id. Pass it to `node` to load the object."), "Ref"),
		field("rawId", "ID!", "ClickFunnels' numeric id, as a string because it can exceed 32 bits."),
		field("publicId", "String", "Short public id, as in ClickFunnels' URLs."),
	}
	fields := e.fields(r.Type.Name, r.Type.Fields)
	relations := slices.IndexFunc(fields, e.isRelation)
	if relations < 0 {
		relations = len(fields)
	}
	own.Fields = append(own.Fields, fields[:relations]...)
	own.Fields = append(own.Fields,
		field("createdAt", "DateTime", "Time of creation."),
		field("updatedAt", "DateTime", "Time of the last change."),
	)
	own.Fields = append(own.Fields, fields[relations:]...)
	if !r.Accounts {
		workspace := batched(unlessFailed(field("workspace", "Workspace", "Workspace of the "+r.Noun+"."+workspaceCost(r))))
		own.Fields = append(own.Fields, workspace)
		e.addResolver(r.Type.Name, workspace, workspaceBody(r))
	}
	e.add(&own)
	if e.isListed(r) {
		e.add(connection(r), edge(r))
	}
	if filter, err := e.filter(r); err != nil {
		return err
	} else if filter != nil {
		e.add(filter)
	}
	for _, list := range r.Lists {
		if e.comesWithParent(list) {
			continue
		}
		f := e.list(r, list)
		e.extend(list.Parent, f)
		e.addResolver(list.Parent, f, e.listBody(r, list))
	}
	for _, relation := range r.Relations {
		if relation.Inverse != "" {
			f := e.inverse(r, relation)
			e.extend(relation.To, f)
			e.addResolver(relation.To, f, e.inverseBody(r, relation))
		}
	}
	e.rootField(r)
	e.writes(r)
	return nil
}

// rootField adds the root field that looks a record up by its id, unless the description has one.
func (e *expansion) rootField(r *Resource) {
	name := lowerFirst(r.Type.Name)
	if r.Accounts || e.hasQuery(name) {
		return
	}
	cost := "1 REST call"
	if r.isBatched() {
		cost = "1 REST call per 20 " + r.Plural + " of a workspace"
	}
	f := field(name, r.Type.Name, upperFirst(r.Noun)+" by its id. Cost: "+cost+".")
	f.Arguments = ast.ArgumentDefinitionList{
		argument("id", "ID!", "Global `id`, or `rawId` or `publicId` together with `workspaceId`."),
		argument("workspaceId", "ID", "`id`, `rawId` or `publicId` of the workspace. Required unless `id` is a global id."),
	}
	workspace := "workspaceId"
	if r.Nested { // only a global id tells the owner
		f.Arguments, workspace = ast.ArgumentDefinitionList{argument("id", "ID!", "Global `id`.")}, "nil"
	}
	e.extend("Query", f)
	e.addResolver("Query", f, fmt.Sprintf("return recordByID(ctx, loader.%s, upstream.Kind%s, id, %s, %sRefFields)", plural(r.Type.Name), r.Type.Name, workspace, name))
}

// hasQuery reports whether the description has a root field with a name.
func (d *Description) hasQuery(name string) bool {
	for typeName, f := range d.fields() {
		if typeName == "Query" && f.Name == name {
			return true
		}
	}
	return false
}

// comesWithParent reports whether the parent's type already describes the list by hand, since its
// rows come with the parent. Such a list needs no generated field.
func (d *Description) comesWithParent(list List) bool {
	return d.Types[list.Parent].Fields.ForName(list.Field) != nil
}

// isListed reports whether any field holds a list of the resource.
func (e *expansion) isListed(r *Resource) bool {
	return slices.ContainsFunc(r.Lists, func(list List) bool { return !e.comesWithParent(list) }) ||
		slices.ContainsFunc(r.Relations, func(relation *Relation) bool { return relation.Inverse != "" })
}

// isRelation reports whether a field comes after the timestamps of a record: it holds other
// records.
func (e *expansion) isRelation(field *ast.FieldDefinition) bool {
	return e.Resources[field.Type.Name()] != nil || len(field.Arguments) > 0
}

// fields returns the fields of a type without the description's directives. Each field of an open
// enum gets a `raw…` field with ClickFunnels' own value, after all other fields. Inputs have none.
func (e *expansion) fields(typeName string, fields ast.FieldList) ast.FieldList {
	var all, raw ast.FieldList
	for _, f := range fields {
		own := *f
		own.Directives = without(f.Directives, "belongsTo", "input", "list", "filter", "parameter", "hasMany", "resolve", "key", "compose", "member")
		if list := f.Directives.ForName("list"); list != nil {
			own.Type = typeOf(f.Type.Name() + "Connection")
			own.Arguments = window(arguments{list}.text("sort", "CHANGE"))
			own = *unlessFailed(&own)
		}
		switch {
		case isBatched(f):
			own = *batched(&own)
		case f.Directives.ForName("resolve") != nil && !isRoot(typeName):
			own = *goField(&own, forceResolver)
		}
		if f.Directives.ForName("belongsTo") != nil {
			own = *batched(&own)
			own.Description += " " + e.cost(f)
		}
		if f.Directives.ForName("hasMany") != nil {
			own = *batched(&own)
		}
		all = append(all, &own)
		if body := e.resolverBody(typeName, f, &own); body != "" {
			e.addResolver(typeName, &own, body)
		}
		if isOpen(e.Types[f.Type.Name()]) && !strings.HasSuffix(typeName, "Input") {
			raw = append(raw, bound(field("raw"+upperFirst(f.Name), "String", "Original value of `"+f.Name+"` from ClickFunnels. Use it if `"+f.Name+"` is `UNKNOWN`."), accessor(f)))
		}
	}
	return append(all, raw...)
}

// isRoot reports whether a type is one of the root types of operations.
func isRoot(typeName string) bool {
	return typeName == "Query" || typeName == "Mutation" || typeName == "Subscription"
}

// cost returns the cost note of a relation to one record.
func (e *expansion) cost(f *ast.FieldDefinition) string {
	args, to := arguments{f.Directives.ForName("belongsTo")}, e.Resources[f.Type.Name()]
	if cost := args.text("cost", ""); cost != "" {
		return "Cost: " + cost
	}
	call := "1 REST call per " + to.Noun
	if to.isBatched() {
		call = "1 REST call per 20 " + to.Plural
	}
	if lacks := args.texts("lacks"); len(lacks) > 0 {
		_, missing := e.fieldsExcept(to, lacks)
		return "Cost: " + call + " if you select " + joined(missing, "or") + "; otherwise none."
	}
	return "Cost: " + call + "; none if you select only " + joined(append([]string{"id", "rawId"}, args.texts("embeds")...), "and") + "."
}

// joined returns names as code, with a word before the last one, such as "`id` and `rawId`".
func joined(names []string, word string) string {
	last := len(names) - 1
	if last == 0 {
		return "`" + names[0] + "`"
	}
	return "`" + strings.Join(names[:last], "`, `") + "` " + word + " `" + names[last] + "`"
}

// workspaceCost returns the cost note of a record's workspace, empty if the rows embed it.
func workspaceCost(r *Resource) string {
	for _, key := range r.Type.Directives.ForNames("key") {
		if (arguments{key}).text("type", "") == "Workspace" {
			return ""
		}
	}
	return " Cost: 1 REST call per workspace; none if you select only `id`, `rawId` and lists."
}

// list returns the field that holds a list of a resource.
func (e *expansion) list(r *Resource, list List) *ast.FieldDefinition {
	of, cost := "that the token has access to", "1 REST call per 20 "+r.Plural
	if parent := e.Resources[list.Parent]; parent != nil {
		of = "of the " + parent.Noun
		if list.Parent != "Workspace" {
			cost += ", separately for each " + parent.Noun
		}
	}
	f := field(list.Field, r.Type.Name+"Connection", strings.Join(strings.Fields(upperFirst(r.Plural)+" "+of+". "+r.Note+" Cost: "+cost+"."), " "))
	if len(r.Filters) > 0 {
		f.Arguments = append(f.Arguments, argument("filter", r.Type.Name+"Filter", "Conditions that the "+r.Plural+" must meet."))
	}
	f.Arguments = append(f.Arguments, window(r.Sort)...)
	return unlessFailed(f)
}

// inverse returns the field of the related type that lists the rows that belong to it.
func (e *expansion) inverse(r *Resource, relation *Relation) *ast.FieldDefinition {
	to, of := e.Resources[relation.To], ""
	if parent := e.Resources[r.Lists[0].Parent]; r.Lists[0].Parent != "Workspace" {
		of = " of the same " + parent.Noun
	}
	f := field(relation.Inverse, r.Type.Name+"Connection",
		upperFirst(r.Plural)+" of the "+to.Noun+". Cost: 1 REST call per 20 "+r.Plural+", counted over all "+to.Plural+of+".")
	f.Arguments = window(r.Sort)
	if relation.Across != "" {
		f.Arguments = window("NONE") // several lists are merged by id
		f.Description = upperFirst(r.Plural) + " of the " + to.Noun + ". Cost: 1 REST call per 20 " + relation.Across + " of the workspace, plus 1 per 20 " + r.Plural + " of each of these " + relation.Across + ", counted over all " + to.Plural + "."
	}
	return batched(unlessFailed(f))
}

// window returns the arguments that every list takes.
func window(sort string) ast.ArgumentDefinitionList {
	var arguments ast.ArgumentDefinitionList
	switch sort {
	case "CHANGE":
		arguments = append(arguments, argument("sort", "Sort", "Sort order of the list. Default: order of creation."))
	case "POSITION":
		arguments = append(arguments, argument("sort", "PlacedSort", "Sort order of the list. Default: order of creation."))
	}
	return append(arguments,
		argument("first", "Int", "Number of records (1 to 100, default 20), from the start or after `after`. More than 20 need several sequential REST calls."),
		argument("after", "String", "Returns the records after this cursor. Use it with `first`."),
		argument("last", "Int", "Number of records (1 to 100, no default), from the end or before `before`. More than 20 need several sequential REST calls."),
		argument("before", "String", "Returns the records before this cursor. Use it with `last`."),
	)
}

func connection(r *Resource) *ast.Definition {
	name := r.Type.Name
	return object(name+"Connection", "A Relay connection of "+r.Plural+".",
		field("nodes", "["+name+"!]!", "Requested "+r.Plural+"."),
		field("edges", "["+name+"Edge!]!", "Requested "+r.Plural+", each with its cursor."),
		field("pageInfo", "PageInfo!", "First and last cursor, and whether there are more "+r.Plural+"."),
	)
}

func edge(r *Resource) *ast.Definition {
	return object(r.Type.Name+"Edge", upperFirst(article(r.Noun))+" in a connection, with its cursor.",
		field("cursor", "String!", "Cursor of the "+r.Noun+", for `after` and `before`."),
		field("node", r.Type.Name+"!", "The "+r.Noun+"."),
	)
}

// byID ends the description of an argument that takes the ids of records.
const byID = ". Each value is an `id`, `rawId` or `publicId`. At most 100 values. Cost: 1 REST call per `publicId`."

// filter returns the input type of a resource's filter, nil if it has none.
func (e *expansion) filter(r *Resource) (*ast.Definition, error) {
	if len(r.Filters) == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	input := &ast.Definition{Kind: ast.InputObject, Name: r.Type.Name + "Filter",
		Description: "Conditions for " + r.Plural + ". " + upperFirst(article(r.Noun)) + " must meet all of them. A list of values must not be empty."}
	for _, key := range r.Filters {
		condition, err := e.condition(r, key)
		if err != nil {
			return nil, err
		}
		if condition != nil {
			input.Fields = append(input.Fields, condition)
		}
	}
	return input, nil
}

// condition returns the filter's field for a REST key. It is nil if an extension of the input
// describes the condition by hand.
func (e *expansion) condition(r *Resource, key string) (*ast.FieldDefinition, error) {
	if key == "id" {
		return field("ids", "[ID!]", "Only these "+r.Plural+byID), nil
	}
	for _, relation := range r.Relations {
		if relation.FilterKey == key {
			words := relation.Filter
			if words == "" {
				words = "Only " + r.Plural + " of these " + e.Resources[relation.To].Plural
			}
			return field(relation.Field.Name+"Ids", "[ID!]", words+byID), nil
		}
	}
	for _, f := range r.Type.Fields {
		if snake(f.Name) != key {
			continue
		}
		switch t := f.Type.Name(); t {
		case "Boolean":
			return field(f.Name, t, "Only "+r.Plural+" whose `"+f.Name+"` has this value."), nil
		default:
			return field(plural(f.Name), "["+t+"!]", "Only "+r.Plural+" whose `"+f.Name+"` equals one of these values. At most 100 values."), nil
		}
	}
	for _, f := range e.filterFields(r, "filter") {
		if (arguments{f.Directives.ForName("filter")}).text("key", "") == key {
			return nil, nil //nolint:nilnil // see above
		}
	}
	return nil, errorAtResource(r, "the filter %s of %s is the key of no field and of no relation: describe it by `extend input %sFilter`", key, r.Type.Name, r.Type.Name)
}

// isOpen reports whether ClickFunnels may send values that an enum does not define.
func isOpen(definition *ast.Definition) bool {
	return definition != nil && definition.Directives.ForName("open") != nil && !isDerived(definition)
}

// isDerived reports whether a hook derives the values of an enum.
func isDerived(definition *ast.Definition) bool {
	return definition != nil && arguments{definition.Directives.ForName("open")}.text("derived", "") == "true"
}

// wordEnum returns an enum whose values are words in rows. An open one gets a value for words that
// are newer than it.
func wordEnum(definition *ast.Definition) *ast.Definition {
	own := *definition
	own.Directives = without(definition.Directives, "open")
	if isOpen(definition) {
		own.EnumValues = append(slices.Clone(definition.EnumValues), &ast.EnumValueDefinition{
			Name: "UNKNOWN", Description: "A value that this schema does not define. The field `raw…` has the original value.",
		})
	}
	return modelled(&own, module+"/graph/model."+own.Name)
}

// Constructors for parts of a schema.

func object(name, description string, fields ...*ast.FieldDefinition) *ast.Definition {
	return &ast.Definition{Kind: ast.Object, Name: name, Description: description, Fields: fields}
}

func input(name, description string, fields ...*ast.FieldDefinition) *ast.Definition {
	return &ast.Definition{Kind: ast.InputObject, Name: name, Description: description, Fields: fields}
}

func field(name, typeText, description string) *ast.FieldDefinition {
	return &ast.FieldDefinition{Name: name, Type: typeOf(typeText), Description: description}
}

func argument(name, typeText, description string) *ast.ArgumentDefinition {
	return &ast.ArgumentDefinition{Name: name, Type: typeOf(typeText), Description: description}
}

// typeOf parses a type such as [ID!]!.
func typeOf(text string) *ast.Type {
	inner, nonNull := strings.CutSuffix(text, "!")
	if strings.HasPrefix(inner, "[") {
		return &ast.Type{Elem: typeOf(strings.Trim(inner, "[]")), NonNull: nonNull}
	}
	return &ast.Type{NamedType: inner, NonNull: nonNull}
}

// unlessFailed marks a field that is null only on error. It changes the field in place.
func unlessFailed(f *ast.FieldDefinition) *ast.FieldDefinition {
	f.Directives = append(f.Directives, &ast.Directive{Name: semanticNonNull})
	return f
}

var (
	yes           = &ast.Value{Kind: ast.BooleanValue, Raw: "true"}
	forceResolver = &ast.Argument{Name: "forceResolver", Value: yes}
)

// batched marks a field whose resolver takes all rows of a list.
func batched(f *ast.FieldDefinition) *ast.FieldDefinition {
	return goField(f, &ast.Argument{Name: "batch", Value: yes}, forceResolver)
}

// bound binds a field to a method of its rows.
func bound(f *ast.FieldDefinition, method string) *ast.FieldDefinition {
	return goField(f, &ast.Argument{Name: "name", Value: &ast.Value{Kind: ast.StringValue, Raw: method}})
}

func goField(f *ast.FieldDefinition, arguments ...*ast.Argument) *ast.FieldDefinition {
	own := *f
	own.Directives = append(without(f.Directives, "goField"), &ast.Directive{Name: "goField", Arguments: arguments})
	return &own
}

// modelled binds a type to a Go type.
func modelled(definition *ast.Definition, model string) *ast.Definition {
	definition.Directives = append(definition.Directives, directive("goModel", "model", ast.StringValue, model))
	return definition
}

func directive(name, argument string, kind ast.ValueKind, value string) *ast.Directive {
	return &ast.Directive{Name: name, Arguments: ast.ArgumentList{{Name: argument, Value: &ast.Value{Kind: kind, Raw: value}}}}
}

func without(directives ast.DirectiveList, names ...string) ast.DirectiveList {
	return slices.DeleteFunc(slices.Clone(directives), func(d *ast.Directive) bool { return slices.Contains(names, d.Name) })
}
