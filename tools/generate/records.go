package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// rowType is a type of the schema whose objects are rows of REST, or parts of rows.
type rowType struct {
	definition *ast.Definition
	record     string // its Go type
	kind       string // empty for parts of rows
	above      string // key with the id of the owner, which paths contain; empty for most types
	parent     string // key that names its workspace or team; empty if there is none
	naming     string
	keys       []*rowKey
	composed   bool
	methods    []string // declarations
}

// rowKey is a key of a row. Its fields are those of the type key in package upstream.
type rowKey struct {
	name, shape, of, field, raw, member, words, id, naming string
	kind, above, parent                                    string // of a type
	required, expand, isResource, composed                 bool
	also, parts                                            []string
}

// writeRecords writes the Go types of records, with the keys that upstream decodes.
func (d *Description) writeRecords(c *code) error {
	rows, err := d.rowTypes()
	if err != nil {
		return err
	}
	var imports []string
	for name, path := range map[string]string{"*time.": "time", "jsontext.": "github.com/go-json-experiment/json/jsontext"} {
		if slices.ContainsFunc(rows, func(t *rowType) bool { return strings.Contains(strings.Join(t.methods, ""), name) }) {
			imports = append(imports, path)
		}
	}
	slices.Sort(imports)
	c.begin("upstream", imports, nil)
	d.writeWords(c)
	c.line("var types = []*RowType{")
	for _, row := range rows {
		c.line("&%sType,", lowerFirst(row.record))
	}
	c.line("}\n")
	for _, row := range rows {
		row.write(c)
	}
	return nil
}

// writeWords writes the values of the enums.
func (d *Description) writeWords(c *code) {
	for _, file := range d.Files {
		for _, definition := range file.Document.Definitions {
			if definition.Kind != ast.Enum || definition.Directives.ForName("open") == nil {
				continue
			}
			words := make([]string, len(definition.EnumValues))
			for i, value := range definition.EnumValues {
				words[i] = strings.ToLower(value.Name)
			}
			c.line("var %sWords = []string{%s}\n", lowerFirst(definition.Name), quoted(words))
		}
	}
}

func (t *rowType) write(c *code) {
	name := lowerFirst(t.record) + "Type"
	c.line("// %s is a row of the graph's type %s. %s", t.record, t.definition.Name, strings.Join(strings.Fields(t.definition.Description), " "))
	c.line("type %s struct{ Row }\n", t.record)
	c.line("func (*%s) describe() *RowType { return &%s }\n", t.record, name)
	if t.parent == "workspace_id" {
		t.method("WorkspaceID() string", "r.parent")
	}
	for _, method := range t.methods {
		c.line("func (r *%s) %s", t.record, method)
	}
	head := (&rowKey{name: t.definition.Name, kind: t.kind, above: t.above, parent: t.parent, naming: t.naming, composed: t.composed}).String()
	c.line("\nvar %s = RowType{%s, keys: []key{", name, head)
	for _, k := range t.keys {
		c.line("{%s},", k)
	}
	c.line("}}\n")
}

// method adds a method that returns an expression.
func (t *rowType) method(signature, expression string) {
	t.methods = append(t.methods, signature+" { return "+expression+" }")
}

// String returns the key as the fields of a Go struct.
func (k *rowKey) String() string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add("name: %q", k.name)
	add("kind: %q", k.kind)
	add("above: %q", k.above)
	add("parent: %q", k.parent)
	add("shape: %s", k.shape)
	add("of: %q", k.of)
	add("field: %q", k.field)
	add("raw: %q", k.raw)
	add("member: %q", k.member)
	add("words: %s", k.words)
	add("id: %q", k.id)
	if k.naming != "" {
		parts = append(parts, "naming: named"+upperFirst(strings.ToLower(k.naming)))
	}
	if k.required {
		parts = append(parts, "required: true")
	}
	if k.expand {
		parts = append(parts, "expand: true")
	}
	if k.composed {
		parts = append(parts, "composed: true")
	}
	if len(k.parts) > 0 {
		add("parts: []string{%s}", quoted(k.parts))
	}
	if len(k.also) > 0 {
		add("also: []string{%s}", quoted(k.also))
	}
	return strings.Join(parts, ", ")
}

// rowTypes returns the types that are rows, in the order of the description: the resources, and
// the types of objects within their rows.
func (d *Description) rowTypes() ([]*rowType, error) {
	isRow := make(map[string]bool)
	var mark func(name string)
	mark = func(name string) {
		definition := d.Types[name]
		if isRow[name] || definition == nil || definition.Kind != ast.Object || definition.Directives.ForName("members") != nil {
			return
		}
		isRow[name] = true
		for _, f := range d.rowFields(definition) {
			mark(f.Type.Name())
		}
	}
	for _, definition := range d.definitions() {
		if d.Resources[definition.Name] != nil || isOwnRow(definition) {
			mark(definition.Name)
		}
	}
	var all []*rowType
	for _, definition := range d.definitions() {
		if !isRow[definition.Name] {
			continue
		}
		t, err := d.rowType(definition)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, checkForms(all)
}

// checkForms checks that a key has one form if several fields have it, such as an amount's currency
// and the currency itself.
func checkForms(rows []*rowType) error {
	members := make(map[string][]*rowKey)
	for _, t := range rows {
		members[t.definition.Name] = t.keys
	}
	for _, t := range rows {
		shapes := make(map[string]string)
		for _, k := range t.keys {
			if k.parts == nil {
				shapes[k.name] = k.shape
			}
		}
		for _, k := range t.keys {
			for i, key := range k.parts {
				member := members[k.of][i]
				if shape, known := shapes[key]; known && shape != member.shape {
					return errorAt(t.definition.Fields.ForName(k.field).Position, "another field has the key of %s.%s in a different form: see @key(as:)", k.field, member.field)
				}
				shapes[key] = member.shape
			}
		}
	}
	return nil
}

// isOwnRow reports whether objects of a type are rows that no other row contains.
func isOwnRow(definition *ast.Definition) bool {
	return definition != nil && definition.Directives.ForName("row") != nil
}

// rowFields returns the fields of a type and of its extensions that rows hold a value for, and
// its relations.
func (d *Description) rowFields(definition *ast.Definition) []*ast.FieldDefinition {
	var all []*ast.FieldDefinition
	for f := range d.fieldsOf(definition.Name) {
		isKey, isRelation := f.Directives.ForName("key") != nil, f.Directives.ForName("belongsTo") != nil
		isElsewhere := isBatched(f) || f.Directives.ForName("resolve") != nil || f.Directives.ForName("hasMany") != nil || f.Directives.ForName("list") != nil || len(f.Arguments) > 0 && !d.isMembers(f)
		if f.Name != "id" && (isKey || isRelation || !isElsewhere) {
			all = append(all, f)
		}
	}
	return all
}

func (d *Description) isMembers(f *ast.FieldDefinition) bool {
	definition := d.Types[f.Type.Name()]
	return definition != nil && definition.Directives.ForName("members") != nil
}

// rowType returns the keys and methods of a type's rows.
func (d *Description) rowType(definition *ast.Definition) (*rowType, error) {
	t := &rowType{definition: definition, record: d.record(definition.Name), composed: isComposed(definition)}
	fields := d.rowFields(definition)
	r := d.Resources[definition.Name]
	switch {
	case r != nil && r.Accounts:
		t.kind = kindOf(r)
	case r != nil:
		t.kind, t.parent, t.naming = kindOf(r), "workspace_id", r.Naming
		if r.Nested {
			t.above = r.relation(r.Owner).Key
		}
	case slices.Contains(definition.Interfaces, "Node"): // embedded in the record that it belongs to
		t.kind, t.naming = snake(lowerFirst(definition.Name)), "SOMETIMES"
		for _, f := range fields {
			if relation := f.Directives.ForName("belongsTo"); relation != nil {
				t.parent = arguments{relation}.text("key", "")
			}
		}
	case definition.Fields.ForName("rawId") != nil || !isOwnRow(definition) && d.leadsToWorkspace(fields):
		t.parent, t.naming = "workspace_id", "SOMETIMES"
	}
	if r != nil {
		fields = append([]*ast.FieldDefinition{
			field("rawId", "ID!", ""), field("publicId", "String", ""), field("createdAt", "DateTime", ""), field("updatedAt", "DateTime", ""),
		}, fields...)
	}
	if t.parent != "" && t.naming != "IGNORED" {
		t.key(&rowKey{name: t.parent})
	}
	for _, f := range fields {
		if err := d.rowField(t, f); err != nil {
			return nil, err
		}
	}
	for f := range d.fieldsOf(definition.Name) {
		if err := d.addMember(t, f); err != nil {
			return nil, err
		}
	}
	return t, d.addTypeKeys(t)
}

// addTypeKeys adds the keys that no field has: the ones of @key on the type.
func (d *Description) addTypeKeys(t *rowType) error {
	for _, directive := range t.definition.Directives.ForNames("key") {
		args := arguments{directive}
		f := field(camel(args.text("name", "")), args.text("type", "ID!"), "")
		if args.text("name", "") == "" {
			return errorAt(directive.Position, "@key lacks the argument name")
		}
		f.Position, f.Directives = directive.Position, ast.DirectiveList{directive}
		if err := d.rowField(t, f); err != nil {
			return err
		}
		t.keys[len(t.keys)-1].field = ""
	}
	return nil
}

// leadsToWorkspace reports whether a field is a relation to a record of the row's workspace.
func (d *Description) leadsToWorkspace(fields []*ast.FieldDefinition) bool {
	return slices.ContainsFunc(fields, func(f *ast.FieldDefinition) bool {
		return f.Directives.ForName("belongsTo") != nil && !d.Resources[f.Type.Name()].Accounts
	})
}

// key adds a key. If another field has the same key, the two are merged; objects then have the
// type of the resource, which may have more fields.
func (t *rowType) key(k *rowKey) {
	i := slices.IndexFunc(t.keys, func(other *rowKey) bool { return other.name == k.name })
	if i < 0 {
		t.keys = append(t.keys, k)
		return
	}
	known := t.keys[i]
	known.also = append(known.also, k.also...)
	if k.field != "" {
		known.field = k.field
	}
	if k.isResource {
		known.of, known.id, known.naming = k.of, k.id, k.naming
	}
}

// rowMethods are the accessors that all rows have.
var rowMethods = []string{"RawID", "PublicID", "CreatedAt", "UpdatedAt"}

// reservedMethods are the methods of rows that are not accessors.
var reservedMethods = []string{"Key", "Ref", "Cursor", "IDs", "Chain", "Child", "Children", "Member", "Members", "AppendField", "Owner"}

// accessor returns the name of the method for a field.
func accessor(f *ast.FieldDefinition) string {
	if directive := f.Directives.ForName("goField"); directive != nil {
		if name := (arguments{directive}).text("name", ""); name != "" {
			return name
		}
	}
	return goName(snake(f.Name))
}

// freeAccessor is [accessor]. It fails if rows have another method of that name.
func freeAccessor(f *ast.FieldDefinition) (string, error) {
	method := accessor(f)
	if slices.Contains(reservedMethods, method) {
		return "", errorAt(f.Position, "rows have a method %s: name another one for %s by @goField", method, f.Name)
	}
	return method, nil
}

// addMember adds a field with @member to the key that holds the members. It does nothing for other
// fields.
func (d *Description) addMember(t *rowType, f *ast.FieldDefinition) error {
	of := d.membersOf(t.definition.Name, f)
	if of == nil {
		return nil
	}
	method, err := freeAccessor(f)
	if err != nil {
		return err
	}
	k := t.keys[slices.IndexFunc(t.keys, func(k *rowKey) bool { return k.name == keyOf(of) })]
	if k.member != "" {
		return errorAt(f.Position, "%s.%s is already a member of %s", t.definition.Name, k.member, of.Name)
	}
	k.member, k.also = f.Name, append(k.also, snake(f.Name))
	t.method(method+"(key string) *string", fmt.Sprintf("r.member(%q, key)", k.name))
	return nil
}

// rowField adds the key and the methods of a field.
func (d *Description) rowField(t *rowType, f *ast.FieldDefinition) error {
	k := &rowKey{name: snake(f.Name), field: f.Name}
	if f.Name == "rawId" {
		k.name = "id"
	}
	directive := f.Directives.ForName("key")
	if directive != nil {
		args := arguments{directive}
		k.name, k.also, k.naming = args.text("name", k.name), args.texts("for"), args.text("workspace", "")
		k.expand = args.text("expand", "") == "true"
	}
	if t.composed {
		k.name = snake(f.Name)
		if scalar, ok := scalars[f.Type.Name()]; !ok || f.Type.Elem != nil || scalar.shape == "asJSON" {
			return errorAt(f.Position, "the fields of a composed type are scalars")
		}
	}
	method, err := freeAccessor(f)
	if err != nil {
		return err
	}
	if key := snake(f.Name); key != k.name && k.name != "id" {
		k.also = append(k.also, key)
	}
	if relation := f.Directives.ForName("belongsTo"); relation != nil {
		k.id = arguments{relation}.text("key", "")
		d.relation(t, f, k, directive != nil)
		if directive == nil {
			return nil
		}
	}
	return d.value(t, f, k, method)
}

// isComposed reports whether a type's objects are made of keys of the row that contains them.
func isComposed(definition *ast.Definition) bool {
	return definition != nil && definition.Directives.ForName("composed") != nil
}

// keyOf returns the REST key of a field.
func keyOf(f *ast.FieldDefinition) string {
	return arguments{f.Directives.ForName("key")}.text("name", snake(f.Name))
}

// ownKey is the key of a composed type's field that has the key of the object.
const ownKey = "*"

// partKey returns the key that holds the value of a composed object's field, in the row that
// contains the object. f is the field with the object.
func partKey(f, member *ast.FieldDefinition) string {
	for _, directive := range f.Directives.ForNames("compose") {
		if args := (arguments{directive}); args.text("field", "") == member.Name {
			return args.text("key", "")
		}
	}
	pattern := arguments{member.Directives.ForName("key")}.text("name", ownKey+"_"+snake(member.Name))
	return strings.ReplaceAll(pattern, ownKey, keyOf(f))
}

// mainPart returns the field of a composed type that has the key of the object, nil if there is none.
// Inputs take its value instead of the object.
func mainPart(composed *ast.Definition) *ast.FieldDefinition {
	i := slices.IndexFunc(composed.Fields, func(f *ast.FieldDefinition) bool {
		return arguments{f.Directives.ForName("key")}.text("name", "") == ownKey
	})
	if i < 0 {
		return nil
	}
	return composed.Fields[i]
}

// relation adds the key and the methods for the ref of a related record.
func (d *Description) relation(t *rowType, f *ast.FieldDefinition, k *rowKey, embedded bool) {
	below, to := "", d.Resources[f.Type.Name()]
	if embedded {
		below = k.name
	}
	id := fmt.Sprintf("r.related(%q, %q)", k.id, below)
	if k.id == t.parent {
		id = "r.parent"
	} else {
		t.key(&rowKey{name: k.id})
	}
	if !t.has(goName(k.id)) {
		t.method(goName(k.id)+"() string", id)
		id = "r." + goName(k.id) + "()"
	}
	ref := fmt.Sprintf("Ref{Kind: Kind%s, Parent: r.parent, ID: %s}", to.Type.Name, id)
	if to.Accounts {
		ref = strings.Replace(ref, " Parent: r.parent,", "", 1)
	}
	t.method(accessor(f)+"Ref() Ref", ref)
}

// has reports whether the type has a method.
func (t *rowType) has(method string) bool {
	return slices.ContainsFunc(t.methods, func(declaration string) bool { return strings.HasPrefix(declaration, method+"(") })
}

// setWords sets the words of an enum, and the field with the original word.
func (k *rowKey) setWords(enum *ast.Definition, f *ast.FieldDefinition) {
	k.words = lowerFirst(enum.Name) + "Words"
	if isOpen(enum) {
		k.raw = "raw" + upperFirst(f.Name)
		k.also = append(k.also, snake(k.raw))
	}
}

// value adds the key of a value and the method that returns it.
func (d *Description) value(t *rowType, f *ast.FieldDefinition, k *rowKey, method string) error {
	name, isList := f.Type.Name(), f.Type.Elem != nil
	k.required = f.Type.NonNull
	var result, read string
	switch definition := d.Types[name]; {
	case d.isMembers(f):
		k.shape, result, read = "asMembers", "[]*CustomAttribute", fmt.Sprintf("r.members(%q, nil)", k.name)
		if len(f.Arguments) > 0 {
			argument := f.Arguments[0].Name
			t.key(k)
			t.method(fmt.Sprintf("%s(%s []string) %s", method, argument, result), fmt.Sprintf("r.members(%q, %s)", k.name, argument))
			return nil
		}
	case definition != nil && definition.Kind == ast.Object:
		if k.of, k.isResource = name, d.Resources[name] != nil; k.id != "" || isBatched(f) || f.Directives.ForName("hasMany") != nil {
			k.field = ""
		}
		record := d.record(name)
		if k.shape, result, read = "asRow", "*"+record, fmt.Sprintf("(*%s)(r.child(%q))", record, k.name); isList {
			k.shape, result = "asRows", "[]"+result
			read = fmt.Sprintf("children(&r.Row, %q, func(child *Record) *%s { return (*%s)(child) })", k.name, record, record)
		}
		if isComposed(definition) {
			read = fmt.Sprintf("(*%s)(r.part(%q))", record, k.name)
			for _, member := range definition.Fields {
				k.parts = append(k.parts, partKey(f, member))
			}
		}
	case definition != nil && definition.Kind == ast.Enum:
		k.setWords(definition, f)
		result, read = "*string", fmt.Sprintf("r.textOrNil(%q)", k.name)
	case isList:
		k.shape, result, read = "asTexts", "[]string", fmt.Sprintf("r.texts(%q)", k.name)
	default:
		var err error
		if result, read, err = k.scalar(f); err != nil {
			return err
		}
	}
	t.key(k)
	if !slices.Contains(rowMethods, method) && !t.has(method) {
		t.method(method+"() "+result, read)
	}
	return nil
}

// scalar sets the shape of a scalar, and returns its Go type and the expression that reads it.
func (k *rowKey) scalar(f *ast.FieldDefinition) (result, read string, err error) {
	scalar, ok := scalars[f.Type.Name()]
	as := arguments{f.Directives.ForName("key")}.text("as", "")
	switch {
	case !ok:
		return "", "", errorAt(f.Position, "rows hold no %s", f.Type.Name())
	case as != "" && scalar.shape != "":
		return "", "", errorAt(f.Position, "@key(as:) is for texts")
	case as != "":
		k.shape = "as" + upperFirst(strings.ToLower(as))
	default:
		k.shape = scalar.shape
	}
	if scalar.shape == "" && f.Type.NonNull {
		return "string", fmt.Sprintf("r.text(%q)", k.name), nil
	}
	return scalar.result, fmt.Sprintf(scalar.read, k.name), nil
}

// scalars says how values of each scalar are read.
var scalars = map[string]struct{ shape, result, read string }{
	"ID":       {"", "*string", "r.textOrNil(%q)"},
	"String":   {"", "*string", "r.textOrNil(%q)"},
	"Decimal":  {"", "*string", "r.textOrNil(%q)"},
	"Int":      {"asInt", "*int", "r.integer(%q)"},
	"Boolean":  {"asBoolean", "*bool", "r.boolean(%q)"},
	"DateTime": {"asTime", "*time.Time", "r.time(%q)"},
	"JSON":     {"asJSON", "jsontext.Value", "r.any(%q)"},
}
