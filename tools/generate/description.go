package main

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// Description is the hand-written description in schema/: types with documentation, and
// directives for the facts about REST.
type Description struct {
	// Files are the documents in the order of their names.
	Files []*File
	// Types are all definitions by name.
	Types map[string]*ast.Definition
	// Resources are the resources by the name of their type.
	Resources map[string]*Resource

	resolvers  []resolver
	directives map[string]*ast.DirectiveDefinition
	enums      map[string][]string // enums of the directives' arguments
}

// File is one file of the description.
type File struct {
	Name     string // such as contact.graphqls
	Document *ast.SchemaDocument
}

// Resource is a type with @resource.
type Resource struct {
	Type *ast.Definition
	File *File

	Path         []string
	Nested       bool   // whether Path contains the id of the owner
	Record       string // Go type of the records
	Owner        string // relation to the record that names the workspace; empty if this record does
	Naming       string // ALWAYS, SOMETIMES or IGNORED
	Noun, Plural string
	Note         string // appended to the description of its lists
	CreateNote   string // in the description of the mutation that creates records
	UpdateNote   string // in the description of the mutation that changes records
	Accounts     bool   // whether it is on the accounts host
	Lists        []List
	Filters      []string
	Field        string // field of the parent that holds its lists; empty for the default name
	Sort         string // NONE, CHANGE or POSITION
	Body         string
	Write        []string // CREATE, UPDATE, DELETE
	Patch        bool     // whether updates have the method PATCH
	Actions      []string // words of paths below a record, such as archive
	Create       List     // path that creates records, and its parent
	Creator      string   // the client's method that creates records; empty for the generated one
	Listed       bool     // whether only the list has the records: there is no path for one
	Whole        bool     // whether its lists are not divided into pages
	Only         bool     // whether a workspace has one record
	Relations    []*Relation

	// Workspace, Connect and Attributes name functions of package graph. They are empty or
	// default for most resources.
	Workspace, Connect, Attributes string
}

// List is one path that lists a resource.
type List struct {
	// Parent is the type whose records have the list, or Query for a list of the accounts host.
	Parent string
	// Field is the field of the parent that holds the list.
	Field string
	Path  []string
}

// Relation is a field with @belongsTo.
type Relation struct {
	Field     *ast.FieldDefinition
	To        string // type of a resource
	Key       string
	FilterKey string
	Embeds    []string
	Lacks     []string // if not nil, the row embeds all other fields
	Inverse   string   // a field of To
	Across    string   // path of the lists that the inverse is collected from
	Filter    string
}

// directivesFile defines the directives. It is not part of the schema.
const directivesFile = "directives.graphqls"

// Describe parses a description. An error names the file and line of the mistake.
func Describe(sources []*ast.Source) (*Description, error) {
	d := &Description{
		Types: make(map[string]*ast.Definition), Resources: make(map[string]*Resource),
		directives: make(map[string]*ast.DirectiveDefinition), enums: make(map[string][]string),
	}
	for _, source := range sources {
		document, err := parser.ParseSchema(source)
		if err != nil {
			return nil, err
		}
		if source.Name == directivesFile {
			d.define(document)
			continue
		}
		d.Files = append(d.Files, &File{source.Name, document})
	}
	for _, read := range []func() error{d.readTypes, d.inherit, d.checkDirectives, d.readResources, d.readRelations, d.readLists, d.checkOwners, d.checkMany, d.checkMembers, d.checkInputs, d.checkComposed} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Description) define(document *ast.SchemaDocument) {
	for _, directive := range document.Directives {
		d.directives[directive.Name] = directive
	}
	for _, enum := range document.Definitions {
		for _, value := range enum.EnumValues {
			d.enums[enum.Name] = append(d.enums[enum.Name], value.Name)
		}
	}
}

// readTypes collects the definitions and refuses duplicates.
func (d *Description) readTypes() error {
	for _, file := range d.Files {
		for _, definition := range file.Document.Definitions {
			if d.Types[definition.Name] != nil {
				return errorAt(definition.Position, "the type %s is defined twice", definition.Name)
			}
			d.Types[definition.Name] = definition
		}
		for _, directive := range file.Document.Directives {
			d.directives[directive.Name] = directive
		}
	}
	return nil
}

// inherit copies fields of interfaces to the types that implement them and do not repeat the
// fields.
func (d *Description) inherit() error {
	for _, file := range d.Files {
		for _, definition := range file.Document.Definitions {
			for _, name := range definition.Interfaces {
				of := d.Types[name]
				if of == nil || of.Kind != ast.Interface {
					return errorAt(definition.Position, "there is no interface %s", name)
				}
				inherited := slices.DeleteFunc(slices.Clone(of.Fields), func(f *ast.FieldDefinition) bool {
					return definition.Fields.ForName(f.Name) != nil || slices.Contains(recordFields, f.Name)
				})
				definition.Fields = append(inherited, definition.Fields...)
			}
		}
	}
	return nil
}

// checkDirectives compares every use of a directive with its definition.
func (d *Description) checkDirectives() error {
	for _, file := range d.Files {
		for _, definition := range slices.Concat(file.Document.Definitions, file.Document.Extensions) {
			if err := d.check(definition.Directives); err != nil {
				return err
			}
			for _, field := range definition.Fields {
				if err := d.check(field.Directives); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// builtin are the directives of the GraphQL specification.
var builtin = []string{"deprecated", "specifiedBy", "oneOf"}

func (d *Description) check(directives ast.DirectiveList) error {
	for _, use := range directives {
		if slices.Contains(builtin, use.Name) {
			continue
		}
		definition := d.directives[use.Name]
		if definition == nil {
			return errorAt(use.Position, "there is no directive @%s", use.Name)
		}
		for _, argument := range use.Arguments {
			declared := definition.Arguments.ForName(argument.Name)
			if declared == nil {
				return errorAt(argument.Position, "@%s has no argument %s", use.Name, argument.Name)
			}
			if err := d.checkValue(declared.Type, argument.Value, "@"+use.Name+"("+argument.Name+":)"); err != nil {
				return err
			}
		}
		for _, declared := range definition.Arguments {
			if declared.Type.NonNull && declared.DefaultValue == nil && use.Arguments.ForName(declared.Name) == nil {
				return errorAt(use.Position, "@%s lacks the argument %s", use.Name, declared.Name)
			}
		}
	}
	return nil
}

func (d *Description) checkValue(t *ast.Type, value *ast.Value, where string) error {
	if t.Elem != nil {
		if value.Kind != ast.ListValue {
			return errorAt(value.Position, "%s is a list", where)
		}
		for _, child := range value.Children {
			if err := d.checkValue(t.Elem, child.Value, where); err != nil {
				return err
			}
		}
		return nil
	}
	kinds := map[string][]ast.ValueKind{"String": {ast.StringValue, ast.BlockValue}, "Boolean": {ast.BooleanValue}}
	if words := d.enums[t.NamedType]; words != nil {
		if value.Kind != ast.EnumValue || !slices.Contains(words, value.Raw) {
			return errorAt(value.Position, "%s is one of %s", where, strings.Join(words, ", "))
		}
	} else if !slices.Contains(kinds[t.NamedType], value.Kind) {
		return errorAt(value.Position, "%s is a %s", where, t.NamedType)
	}
	return nil
}

// definitions returns the definitions of all files in their order.
func (d *Description) definitions() iter.Seq2[*File, *ast.Definition] {
	return func(yield func(*File, *ast.Definition) bool) {
		for _, file := range d.Files {
			for _, definition := range file.Document.Definitions {
				if !yield(file, definition) {
					return
				}
			}
		}
	}
}

// readResources reads the types with @resource.
func (d *Description) readResources() error {
	for file, definition := range d.definitions() {
		if directive := definition.Directives.ForName("resource"); directive != nil {
			d.Resources[definition.Name] = readResource(file, definition, arguments{directive})
		}
	}
	return nil
}

// readResource reads a type with @resource.
func readResource(file *File, definition *ast.Definition, args arguments) *Resource {
	r := &Resource{
		Type: definition, File: file,
		Path: strings.Split(args.text("path", ""), "/"), Noun: args.text("noun", ""),
		Accounts: args.text("host", "WORKSPACE") == "ACCOUNTS",
		Filters:  args.texts("filters"), Sort: args.text("sort", "CHANGE"), Write: args.texts("write"),
		Actions: args.texts("actions"), Listed: args.text("member", "true") == "false", Whole: args.text("paged", "true") == "false", Only: args.text("only", "false") == "true",
	}
	if i := slices.Index(r.Write, "PATCH"); i >= 0 {
		r.Write[i], r.Patch = "UPDATE", true
	}
	r.Record, r.Owner = args.text("record", definition.Name), args.text("owner", "")
	r.Naming = args.text("naming", map[bool]string{true: "ALWAYS", false: "SOMETIMES"}[r.Owner == ""])
	r.Note, r.Field = args.text("note", ""), args.text("field", "")
	r.CreateNote, r.UpdateNote = args.text("createNote", ""), args.text("updateNote", "")
	r.Workspace, r.Connect, r.Attributes = args.text("workspace", ""), args.text("connect", "connect"), args.text("attributes", "nil")
	if r.Whole {
		r.Connect, r.Note = "connectWhole", strings.TrimSpace(r.Note+" ClickFunnels does not divide the list into pages: it is read as a whole, whatever page is selected.")
	}
	r.Plural = args.text("plural", plural(r.Noun))
	own := r.Path[1+slices.IndexFunc(r.Path, isParameter):]
	r.Nested = len(own) < len(r.Path)
	r.Body = args.text("body", strings.TrimSuffix(strings.Join(own, "_"), "s"))
	r.Lists = readListPaths(r, args.texts("lists"))
	r.Create, r.Creator = List{Path: r.Lists[0].Path}, args.text("creator", "")
	if path := args.text("create", ""); path != "" {
		r.Create.Path = strings.Split(path, "/")
	}
	return r
}

// readListPaths returns the lists of a resource with the given paths, or with the usual one.
func readListPaths(r *Resource, paths []string) []List {
	switch {
	case r.Nested || paths == nil && r.Accounts:
		return []List{{Path: r.Path}}
	case paths == nil:
		return []List{{Path: append([]string{"workspaces", "{workspace_id}"}, r.Path...)}}
	}
	var all []List
	for _, path := range paths {
		all = append(all, List{Path: strings.Split(path, "/")})
	}
	return all
}

// semanticNonNull is the directive of fields that are null only on error.
const semanticNonNull = "semanticNonNull"

// readRelations reads the fields with @belongsTo.
func (d *Description) readRelations() error {
	for typeName, field := range d.fields() {
		directive := field.Directives.ForName("belongsTo")
		if directive == nil {
			continue
		}
		to := field.Type.Name()
		if d.Resources[to] == nil {
			return errorAt(field.Position, "%s is no resource, so %s.%s cannot belong to it", to, typeName, field.Name)
		}
		args := arguments{directive}
		relation := &Relation{
			Field: field, To: to, Key: args.text("key", ""), Embeds: args.texts("embeds"),
			Inverse: args.text("inverse", ""), Across: args.text("across", ""), Filter: args.text("filter", ""),
			Lacks: args.texts("lacks"),
		}
		relation.FilterKey = args.text("filterKey", relation.Key)
		if name := d.Resources[to].missingField(slices.Concat(relation.Embeds, relation.Lacks)); name != "" {
			return errorAt(directive.Position, "%s has no field %s", to, name)
		}
		if relation.Embeds != nil && field.Directives.ForName("key") == nil {
			return errorAt(directive.Position, "a relation that rows embed has @key")
		}
		if field.Type.NonNull { // the expanded field is nullable, since its call can fail
			field.Type = &ast.Type{NamedType: to}
			field.Directives = append(field.Directives, &ast.Directive{Name: semanticNonNull})
		}
		r := d.Resources[typeName]
		if r == nil {
			continue // not a resource, so it has no lists
		}
		if relation.Across != "" && d.resourceAt(relation.Across) == nil {
			return errorAt(directive.Position, "no resource has the path %s", relation.Across)
		}
		if relation.Inverse != "" && !slices.Contains(r.Filters, relation.FilterKey) {
			return errorAt(directive.Position, "%s has no filter %s, which the inverse needs", typeName, relation.FilterKey)
		}
		r.Relations = append(r.Relations, relation)
	}
	return nil
}

// resourceAt returns the resource with a path, nil if there is none.
func (d *Description) resourceAt(path string) *Resource {
	for _, r := range d.Resources {
		if strings.Join(r.Path, "/") == path {
			return r
		}
	}
	return nil
}

// readLists finds the field that holds each list.
func (d *Description) readLists() error {
	for _, file := range d.Files {
		for _, definition := range file.Document.Definitions {
			r := d.Resources[definition.Name]
			if r == nil {
				continue
			}
			for i := range r.Lists {
				if err := d.findParent(r, &r.Lists[i]); err != nil {
					return err
				}
			}
			if err := d.findParent(r, &r.Create); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOwners checks that every owner is a relation of its resource, and that the chain of owners
// ends with a record that names its workspace.
func (d *Description) checkOwners() error {
	for _, r := range d.inOrder() {
		if owner := r.relation(r.Owner); r.Nested && (owner == nil || "{"+owner.Key+"}" != r.Path[slices.IndexFunc(r.Path, isParameter)]) {
			return errorAtResource(r, "the path of %s must contain the key of its owner", r.Type.Name)
		}
		at := r
		for range d.Resources {
			if at.Owner == "" {
				break
			}
			relation := at.relation(at.Owner)
			if relation == nil {
				return errorAtResource(at, "%s has no relation %s, which is to be its owner", at.Type.Name, at.Owner)
			}
			at = d.Resources[relation.To]
		}
		if at.Owner != "" {
			return errorAtResource(r, "the owners of %s lead to no record that names its workspace", r.Type.Name)
		}
	}
	return nil
}

// isParameter reports whether a segment of a path stands for an id.
func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// missingField returns the first name that is no field of the resource, or "".
func (r *Resource) missingField(names []string) string {
	for _, name := range names {
		if r.Type.Fields.ForName(name) == nil && !slices.Contains(recordFields, name) {
			return name
		}
	}
	return ""
}

// checkMany checks that every @hasMany says where the ids of its records are.
func (d *Description) checkMany() error {
	for typeName, f := range d.fields() {
		directive := f.Directives.ForName("hasMany")
		if directive == nil {
			continue
		}
		args, to := arguments{directive}, d.Resources[f.Type.Name()]
		key, walk := args.text("key", ""), args.text("walk", "")
		switch {
		case to == nil:
			return errorAt(f.Position, "%s is no resource, so %s cannot have many", f.Type.Name(), typeName)
		case (key == "") == (walk == ""):
			return errorAt(directive.Position, "@hasMany has either key or walk")
		case to.missingField(args.texts("embeds")) != "":
			return errorAt(directive.Position, "%s has no field %s", to.Type.Name, to.missingField(args.texts("embeds")))
		case walk != "" && !slices.ContainsFunc(to.Type.Fields, func(f *ast.FieldDefinition) bool { return snake(f.Name) == walk }):
			return errorAt(directive.Position, "%s has no field for %s", to.Type.Name, walk)
		}
	}
	return nil
}

// checkMembers checks that every @member names a field with members, and that the key is the
// field's only argument.
func (d *Description) checkMembers() error {
	for typeName, f := range d.fields() {
		of := memberOf(f)
		if of == "" {
			continue
		}
		if d.membersOf(typeName, f) == nil {
			return errorAt(f.Position, "%s has no field %s with members", typeName, of)
		}
		if key := f.Arguments.ForName("key"); key == nil || key.Type.String() != "String!" || len(f.Arguments) > 1 || f.Type.String() != "String" {
			return errorAt(f.Position, "a field with @member has the form %s(key: String!): String", f.Name)
		}
	}
	return nil
}

// memberOf returns the name that @member gives, "" without the directive.
func memberOf(f *ast.FieldDefinition) string {
	return arguments{f.Directives.ForName("member")}.text("of", "")
}

// membersOf returns the field that @member names, nil if there is none.
func (d *Description) membersOf(typeName string, f *ast.FieldDefinition) *ast.FieldDefinition {
	for other := range d.fieldsOf(typeName) {
		if other.Name == memberOf(f) && d.isMembers(other) {
			return other
		}
	}
	return nil
}

// checkInputs checks that @input(of:) names resources.
func (d *Description) checkInputs() error {
	for _, f := range d.fields() {
		of := arguments{f.Directives.ForName("input")}.text("of", "")
		if of != "" && (d.Resources[of] == nil || f.Type.Name() != "ID") {
			return errorAt(f.Position, "@input(of:) is for ids of a resource, and %s is none", of)
		}
	}
	return nil
}

// checkComposed checks the fields with objects of composed types.
func (d *Description) checkComposed() error {
	for _, f := range d.fields() {
		of, parts := d.Types[f.Type.Name()], f.Directives.ForNames("compose")
		if !isComposed(of) {
			if len(parts) > 0 {
				return errorAt(f.Position, "@compose is for objects of composed types")
			}
			continue
		}
		spread := of.Kind == ast.InputObject
		switch {
		case f.Type.Elem != nil:
			return errorAt(f.Position, "%s is composed: its objects are not listed", of.Name)
		case spread && slices.ContainsFunc(of.Fields, func(member *ast.FieldDefinition) bool { return keyOf(member) != snake(member.Name) }):
			return errorAt(of.Position, "the fields of the composed input %s have no @key", of.Name)
		case !spread && f.Directives.ForName("input") != nil && mainPart(of) == nil:
			return errorAt(f.Position, "inputs do not take a %s, which has no field with the key %s", of.Name, ownKey)
		}
		for _, part := range parts {
			if name := (arguments{part}).text("field", ""); of.Fields.ForName(name) == nil {
				return errorAt(part.Position, "%s has no field %s", of.Name, name)
			}
		}
	}
	return nil
}

// fields yields the fields of all types and extensions, each with the name of its type.
func (d *Description) fields() iter.Seq2[string, *ast.FieldDefinition] {
	return func(yield func(string, *ast.FieldDefinition) bool) {
		for _, file := range d.Files {
			for _, definition := range slices.Concat(file.Document.Definitions, file.Document.Extensions) {
				for _, f := range definition.Fields {
					if !yield(definition.Name, f) {
						return
					}
				}
			}
		}
	}
}

// fieldsOf yields the fields of a type and of its extensions.
func (d *Description) fieldsOf(name string) iter.Seq[*ast.FieldDefinition] {
	return func(yield func(*ast.FieldDefinition) bool) {
		for typeName, f := range d.fields() {
			if typeName == name && !yield(f) {
				return
			}
		}
	}
}

// ownerDepth returns how many owners are between a resource and its workspace.
func (d *Description) ownerDepth(r *Resource) int {
	n := 0
	for ; r.Owner != ""; n++ {
		r = d.Resources[r.relation(r.Owner).To]
	}
	return n
}

// relation returns the relation of a field, nil if there is none.
func (r *Resource) relation(field string) *Relation {
	for _, relation := range r.Relations {
		if relation.Field.Name == field {
			return relation
		}
	}
	return nil
}

// findParent finds the parent of a list: the resource whose path precedes the id.
func (d *Description) findParent(r *Resource, list *List) error {
	i := slices.IndexFunc(list.Path, isParameter)
	if i < 0 {
		list.Parent, list.Field = "Query", lowerFirst(plural(r.Type.Name))
		return nil
	}
	for name, parent := range d.Resources {
		if !slices.Equal(parent.Path, list.Path[:i]) {
			continue
		}
		list.Parent, list.Field = name, camel(list.Path[len(list.Path)-1])
		if name == "Workspace" {
			list.Field = lowerFirst(plural(r.Type.Name))
		}
		list.Field = cmp.Or(r.Field, list.Field)
		return nil
	}
	return errorAtResource(r, "no resource has the path %s, below which %s is listed", strings.Join(list.Path[:i], "/"), r.Type.Name)
}

// arguments are the arguments of a directive. They were checked.
type arguments struct{ directive *ast.Directive }

func (a arguments) text(name, otherwise string) string {
	if a.directive != nil {
		if argument := a.directive.Arguments.ForName(name); argument != nil {
			return argument.Value.Raw
		}
	}
	return otherwise
}

func (a arguments) texts(name string) []string {
	argument := a.directive.Arguments.ForName(name)
	if argument == nil {
		return nil
	}
	all := []string{}
	for _, child := range argument.Value.Children {
		all = append(all, child.Value.Raw)
	}
	return all
}

// errorAtResource returns an error at the @resource directive of a resource.
func errorAtResource(r *Resource, format string, args ...any) error {
	return errorAt(r.Type.Directives.ForName("resource").Position, format, args...)
}

// errorAt returns an error at a position of the description.
func errorAt(p *ast.Position, format string, args ...any) error {
	return gqlerror.ErrorPosf(p, format, args...)
}

// plural returns the plural of a noun or of a type's name.
func plural(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") {
		return stem + "ies"
	}
	if strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "ch") {
		return noun + "es"
	}
	return noun + "s"
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }
func upperFirst(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// camel returns a REST key as a field's name.
func camel(key string) string {
	words := strings.Split(key, "_")
	for i := range words[1:] {
		words[i+1] = upperFirst(words[i+1])
	}
	return strings.Join(words, "")
}

// snake returns a field's name as a REST key.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			fmt.Fprintf(&b, "_%c", r|0x20)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// article returns the noun with an indefinite article.
func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeio") {
		return "an " + noun
	}
	return "a " + noun
}
