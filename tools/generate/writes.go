package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// writes adds the mutations of a resource, with their inputs and payloads.
func (e *expansion) writes(r *Resource) {
	for _, write := range r.Write {
		switch write {
		case "CREATE":
			e.mutation(r, "create", "Creates "+article(r.Noun)+". "+noted(r.CreateNote)+"The server never repeats a create that may have succeeded. After an error with `outcome: \"UNKNOWN\"`, check whether the "+r.Noun+" exists before you retry. Rejected values are reported in `userErrors`. Cost: 1 REST call.",
				input("Create"+r.Type.Name+"Input", "Input of `create"+r.Type.Name+"`.", append(e.placeOfNew(r), e.inputs(r, "create")...)...),
				recordPayload(r, "create"))
		case "UPDATE":
			e.mutation(r, "update", "Changes "+article(r.Noun)+". "+noted(r.UpdateNote)+"An omitted field keeps its value. Null clears a field, unless its description says otherwise. Rejected values are reported in `userErrors`. Cost: 1 REST call.",
				input("Update"+r.Type.Name+"Input", "Input of `update"+r.Type.Name+"`.", append(e.target(r), e.inputs(r, "update")...)...),
				recordPayload(r, "update"))
		case "DELETE":
			e.mutation(r, "delete", "Deletes "+article(r.Noun)+". A rejection is reported in `userErrors`. Cost: 1 REST call.",
				input("Delete"+r.Type.Name+"Input", "Input of `delete"+r.Type.Name+"`.", e.target(r)...),
				payload(r, "delete", bound(field("deleted"+r.Type.Name+"Id", "ID", "Global id of the deleted "+r.Noun+". Null if the change was rejected."), "ID")))
		}
	}
	for _, action := range r.Actions {
		e.mutation(r, action, upperFirst(inflected(action))+" "+article(r.Noun)+". A rejection is reported in `userErrors`. Cost: 1 REST call.",
			input(upperFirst(action)+r.Type.Name+"Input", "Input of `"+action+r.Type.Name+"`.", e.target(r)...),
			recordPayload(r, action))
	}
}

// noted returns a sentence with a space after it, or "".
func noted(sentence string) string {
	if sentence == "" {
		return ""
	}
	return sentence + " "
}

// inflected returns a verb in the third person, such as cancels.
func inflected(verb string) string { return verb + "s" }

// mutation adds the mutation for a verb: create, update, delete or an action.
func (e *expansion) mutation(r *Resource, verb, description string, in, out *ast.Definition) {
	f := field(verb+r.Type.Name, out.Name, description)
	f.Arguments = ast.ArgumentDefinitionList{argument("input", in.Name+"!", in.Description)}
	e.extend("Mutation", f)
	e.add(modelled(in, "map[string]any"), out)
	e.addResolver("Mutation", f, e.mutationBody(r, verb))
}

// mutationBody returns the resolver's body of the mutation for a verb.
func (e *expansion) mutationBody(r *Resource, verb string) string {
	name, complete := r.Type.Name, e.completion(r, verb)
	loader, client := "loader."+plural(name), "(*upstream.Client)."+upperFirst(verb)+name
	if verb == "create" && r.Creator != "" {
		client = "(*upstream.Client)." + r.Creator
	}
	switch parent := e.Resources[r.Create.Parent]; {
	case verb == "create" && parent != nil && !parent.Accounts:
		return fmt.Sprintf("return createBelow(ctx, input, loader.%s, upstream.Kind%s, %q, %s, %s, %s)", plural(parent.Type.Name), parent.Type.Name, lowerFirst(parent.Type.Name)+"Id", loader, client, complete)
	case verb == "create":
		return fmt.Sprintf("return create(ctx, input, %s, %s, %s)", loader, client, complete)
	case verb == "update" && r.Accounts:
		return fmt.Sprintf("return updateOnAccounts(ctx, input, %s, upstream.Kind%s, %s)", loader, name, client)
	case verb == "update":
		return fmt.Sprintf("return update(ctx, input, %s, upstream.Kind%s, %s, %s)", loader, name, client, complete)
	case slices.Contains(r.Actions, verb):
		return fmt.Sprintf("return act(ctx, input, %s, upstream.Kind%s, %s)", loader, name, client)
	}
	return fmt.Sprintf("return remove(ctx, input, %s, upstream.Kind%s, %s)", loader, name, client)
}

// completion returns the expression for the function that completes the body of a write: a function
// that the description names, and those for fields whose values differ from the body's.
func (e *expansion) completion(r *Resource, verb string) string {
	var all []string
	if r.Attributes != "nil" {
		all = append(all, r.Attributes)
	}
	var ids []string
	for _, f := range e.given(r, verb) {
		all = append(all, e.valueCompletions(f, verb)...)
		if e.namesRecords(f) == "" {
			ids = append(ids, e.idPaths(f, "")...)
		}
	}
	if ids != nil {
		all = append([]string{"rawAttributes(" + quoted(ids) + ")"}, all...)
	}
	return completions(all)
}

// completions returns the expression for a function that runs several.
func completions(all []string) string {
	switch len(all) {
	case 0:
		return "nil"
	case 1:
		return all[0]
	}
	return "completions(" + strings.Join(all, ", ") + ")"
}

// namesRecords returns the type of the resource that the ids in an input field name, "" if none.
func (d *Description) namesRecords(f *ast.FieldDefinition) string {
	of := arguments{f.Directives.ForName("input")}.text("of", "")
	if of == "" && (f.Directives.ForName("belongsTo") != nil || f.Directives.ForName("hasMany") != nil) {
		of = f.Type.Name()
	}
	return of
}

// valueCompletions returns the expressions for the functions that complete the value of an input
// field, in their order.
func (e *expansion) valueCompletions(f *ast.FieldDefinition, verb string) []string {
	var all []string
	name, of := e.inputName(f), e.namesRecords(f)
	as := arguments{f.Directives.ForName("input")}.text("as", "")
	if verb == "update" {
		as = arguments{f.Directives.ForName("input")}.text("updateAs", as)
	}
	if object := e.Types[f.Type.Name()]; of == "" && object != nil && object.Kind == ast.InputObject {
		var within []string
		for _, member := range object.Fields {
			within = append(within, e.valueCompletions(member, verb)...)
		}
		if within != nil {
			all = append(all, fmt.Sprintf("within(%q, %s)", name, completions(within)))
		}
		if isComposed(object) {
			all = append(all, fmt.Sprintf("spread(%q, %s)", name, quoted(memberKeys(object))))
		}
	}
	switch key := (arguments{f.Directives.ForName("key")}).text("name", snake(name)); {
	case of != "":
		function := map[bool]string{false: "recordID", true: "recordIDs"}[f.Type.Elem != nil]
		if as == "PUBLIC" {
			function = map[bool]string{false: "publicID", true: "publicRecordIDs"}[f.Type.Elem != nil]
		}
		all = append(all, fmt.Sprintf("%s(%q, %q, loader.%s, upstream.Kind%s)", function, name, e.bodyKey(f), plural(of), of))
	case key != snake(name):
		all = append(all, fmt.Sprintf("renamed(%q, %q)", name, key))
	}
	switch as {
	case "NUMBER":
		all = append(all, fmt.Sprintf("asNumber(%q)", name))
	case "TEXT":
		all = append(all, fmt.Sprintf("asText(%q)", e.bodyKey(f)))
	}
	return all
}

// memberKeys returns the keys of an object's fields.
func memberKeys(object *ast.Definition) []string {
	keys := make([]string, len(object.Fields))
	for i, f := range object.Fields {
		keys[i] = snake(f.Name)
	}
	return keys
}

// bodyKey returns the key of a field's value in bodies.
func (e *expansion) bodyKey(f *ast.FieldDefinition) string {
	if key := relationKey(f); key != "" {
		return key
	}
	return keyOf(f)
}

// idPaths returns the paths of the ids in an input field that name no known records, such as
// `lines.itemId`. The path of the field itself begins with the prefix.
func (e *expansion) idPaths(f *ast.FieldDefinition, prefix string) []string {
	path := prefix + f.Name
	if f.Type.Name() == "ID" {
		return []string{path}
	}
	var all []string
	if of := e.Types[f.Type.Name()]; of != nil && (of.Kind == ast.InputObject || of.Kind == ast.Object) {
		for _, member := range of.Fields {
			if e.namesRecords(member) == "" {
				all = append(all, e.idPaths(member, path+".")...)
			}
		}
	}
	return all
}

// relationKey returns the REST key that holds the ids of a relation.
func relationKey(f *ast.FieldDefinition) string {
	return arguments{f.Directives.ForName("hasMany")}.text("key", arguments{f.Directives.ForName("belongsTo")}.text("key", ""))
}

// given returns the fields that a mutation takes: fields of the type with @input, and fields that an
// extension of the input adds.
func (e *expansion) given(r *Resource, verb string) []*ast.FieldDefinition {
	var all []*ast.FieldDefinition
	for _, f := range r.Type.Fields {
		if directive := f.Directives.ForName("input"); directive != nil && (arguments{directive}).text(verb, "") != "" {
			all = append(all, f)
		}
	}
	if r.Attributes != "nil" { // completes the extension by hand
		return all
	}
	return append(all, e.extraInputs(r, verb)...)
}

// extraInputs returns the fields that an extension adds to the input of a mutation.
func (d *Description) extraInputs(r *Resource, verb string) []*ast.FieldDefinition {
	var all []*ast.FieldDefinition
	for typeName, f := range d.fields() {
		if typeName == upperFirst(verb)+r.Type.Name+"Input" && d.Types[typeName] == nil {
			all = append(all, f)
		}
	}
	return all
}

// inputName returns the name of a field in inputs. Relations are given by ids.
func (e *expansion) inputName(f *ast.FieldDefinition) string {
	switch {
	case f.Directives.ForName("belongsTo") != nil:
		return f.Name + "Id"
	case f.Directives.ForName("hasMany") != nil:
		return camel(relationKey(f))
	}
	return f.Name
}

// placeOfNew returns the input fields that say where a record is created: in a workspace, or
// below the record that lists its kind.
func (e *expansion) placeOfNew(r *Resource) []*ast.FieldDefinition {
	parent := r.Create.Parent
	if parent == "Query" || parent == "Workspace" {
		return []*ast.FieldDefinition{field("workspaceId", "ID!", "`id`, `rawId` or `publicId` of the workspace.")}
	}
	noun := e.Resources[parent].Noun
	return []*ast.FieldDefinition{
		field(lowerFirst(parent)+"Id", "ID!", upperFirst(noun)+"'s global `id`, or its `rawId` or `publicId` together with `workspaceId`."),
		field("workspaceId", "ID", "`id`, `rawId` or `publicId` of the "+noun+"'s workspace. Required unless `"+lowerFirst(parent)+"Id` is a global id."),
	}
}

// target returns the input fields that name an existing record.
func (e *expansion) target(r *Resource) []*ast.FieldDefinition {
	if r.Accounts {
		return []*ast.FieldDefinition{field("id", "ID!", "`id`, `rawId` or `publicId` of the "+r.Noun+".")}
	}
	if r.Nested {
		return []*ast.FieldDefinition{field("id", "ID!", upperFirst(r.Noun)+"'s global `id`.")}
	}
	return []*ast.FieldDefinition{
		field("id", "ID!", upperFirst(r.Noun)+"'s global `id`, or its `rawId` or `publicId` together with `workspaceId`."),
		field("workspaceId", "ID", "`id`, `rawId` or `publicId` of the "+r.Noun+"'s workspace. Required unless `id` is a global id."),
	}
}

// rawIDs removes the form of the ids from the description of a field, since inputs accept all forms.
var rawIDs = strings.NewReplacer("Raw ids of the ", "The ", "Raw id of the ", "The ")

// inputs returns the input fields of a mutation, with the descriptions of the type's fields.
func (e *expansion) inputs(r *Resource, verb string) []*ast.FieldDefinition {
	var all []*ast.FieldDefinition
	for _, f := range r.Type.Fields {
		requirement := arguments{f.Directives.ForName("input")}.text(verb, "")
		if requirement == "" {
			continue
		}
		t, description := *f.Type, f.Description
		of := arguments{f.Directives.ForName("input")}.text("of", "")
		if of != "" {
			description = rawIDs.Replace(description)
		}
		if e.Resources[f.Type.Name()] != nil {
			t = *typeOf("ID")
			if f.Type.Elem != nil {
				t = *typeOf("[ID!]")
			}
		}
		if of != "" || e.Resources[f.Type.Name()] != nil {
			description, _, _ = strings.Cut(description, " Cost:")
			description += " Accepts `id`, `rawId` or `publicId`. Cost: 1 REST call per `publicId`."
		}
		switch object := e.Types[f.Type.Name()]; {
		case isComposed(object):
			t.NamedType = mainPart(object).Type.Name()
		case object != nil && object.Kind == ast.Object && e.Resources[object.Name] == nil:
			t = *typeOf(strings.Replace(f.Type.String(), object.Name, e.partInput(object), 1))
		}
		t.NonNull = requirement == "REQUIRED"
		all = append(all, &ast.FieldDefinition{Name: e.inputName(f), Type: &t, Description: description})
	}
	return all
}

// partInput adds the input type for an object within a record, unless it is described by hand. It
// returns the type's name.
func (e *expansion) partInput(object *ast.Definition) string {
	name := object.Name + "Input"
	if e.Types[name] == nil && e.out.Definitions.ForName(name) == nil {
		part := input(name, object.Description)
		for _, f := range object.Fields {
			t := *f.Type
			t.NonNull = false
			part.Fields = append(part.Fields, &ast.FieldDefinition{Name: f.Name, Type: &t, Description: f.Description})
		}
		e.add(modelled(part, "map[string]any"))
	}
	return name
}

// recordPayload returns the payload of a mutation that returns the record.
func recordPayload(r *Resource, verb string) *ast.Definition {
	return payload(r, verb, bound(field(lowerFirst(r.Type.Name), r.Type.Name, upperFirst(r.Noun)+" after the change. Null if the change was rejected."), "Record"))
}

func payload(r *Resource, verb string, result *ast.FieldDefinition) *ast.Definition {
	return object(upperFirst(verb)+r.Type.Name+"Payload", "Result of `"+verb+r.Type.Name+"`.", result,
		field("userErrors", "[UserError!]!", "Reasons why the change was rejected. Empty on success."))
}
