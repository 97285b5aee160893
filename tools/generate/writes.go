package main

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// writes adds the mutations of a resource, with their inputs and payloads.
func (e *expansion) writes(r *Resource) {
	for _, write := range r.Write {
		switch write {
		case "CREATE":
			e.mutation(r, "create", "Creates "+article(r.Noun)+". It is never created twice: after an error with the outcome `UNKNOWN`, look for it before you try again. Refused values are reported in `userErrors`. Cost: 1 REST call.",
				input("Create"+r.Type.Name+"Input", "Input of `create"+r.Type.Name+"`.", append(e.placeOfNew(r), e.inputs(r, "create")...)...),
				record(r, "create"))
		case "UPDATE":
			e.mutation(r, "update", "Changes "+article(r.Noun)+". Omitted fields keep their values; null clears them. Refused values are reported in `userErrors`. Cost: 1 REST call.",
				input("Update"+r.Type.Name+"Input", "Input of `update"+r.Type.Name+"`.", append(e.target(r), e.inputs(r, "update")...)...),
				record(r, "update"))
		case "DELETE":
			e.mutation(r, "delete", "Deletes "+article(r.Noun)+". A refusal is reported in `userErrors`. Cost: 1 REST call.",
				input("Delete"+r.Type.Name+"Input", "Input of `delete"+r.Type.Name+"`.", e.target(r)...),
				payload(r, "delete", bound(field("deleted"+r.Type.Name+"Id", "ID", "Global id of the deleted "+r.Noun+"; null if ClickFunnels refused."), "ID")))
		}
	}
}

// mutation adds the mutation for a verb: create, update or delete.
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
	switch parent := e.Resources[r.Lists[0].Parent]; {
	case verb == "create" && parent != nil && !parent.Accounts:
		return fmt.Sprintf("return createBelow(ctx, input, loader.%s, upstream.Kind%s, %q, %s, %s, %s)", plural(parent.Type.Name), parent.Type.Name, lowerFirst(parent.Type.Name)+"Id", loader, client, complete)
	case verb == "create":
		return fmt.Sprintf("return create(ctx, input, %s, %s, %s)", loader, client, complete)
	case verb == "update" && r.Accounts:
		return fmt.Sprintf("return updateOnAccounts(ctx, input, %s, upstream.Kind%s, %s)", loader, name, client)
	case verb == "update":
		return fmt.Sprintf("return update(ctx, input, %s, upstream.Kind%s, %s, %s)", loader, name, client, complete)
	}
	return fmt.Sprintf("return remove(ctx, input, %s, upstream.Kind%s, %s)", loader, name, client)
}

// completion returns the expression for the function that completes the body of a write. It is a
// function that the description names, or one that replaces ids by the raw ids that bodies take.
func (e *expansion) completion(r *Resource, verb string) string {
	if r.Attributes != "nil" {
		return r.Attributes
	}
	var ids []string
	for _, f := range r.Type.Fields {
		if directive := f.Directives.ForName("input"); directive != nil && f.Type.Name() == "ID" && (arguments{directive}).text(verb, "") != "" {
			ids = append(ids, fmt.Sprintf("%q", f.Name))
		}
	}
	if ids == nil {
		return "nil"
	}
	return "rawAttributes(" + strings.Join(ids, ", ") + ")"
}

// placeOfNew returns the input fields that say where a record is created: in a workspace, or
// below the record that lists its kind.
func (e *expansion) placeOfNew(r *Resource) []*ast.FieldDefinition {
	parent := r.Lists[0].Parent
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
	return []*ast.FieldDefinition{
		field("id", "ID!", upperFirst(r.Noun)+"'s global `id`, or its `rawId` or `publicId` together with `workspaceId`."),
		field("workspaceId", "ID", "`id`, `rawId` or `publicId` of the "+r.Noun+"'s workspace. Required unless `id` is a global id."),
	}
}

// inputs returns the input fields of a mutation, with the descriptions of the type's fields.
func (e *expansion) inputs(r *Resource, verb string) []*ast.FieldDefinition {
	var all []*ast.FieldDefinition
	for _, f := range r.Type.Fields {
		directive := f.Directives.ForName("input")
		if directive == nil {
			continue
		}
		requirement := arguments{directive}.text(verb, "")
		if requirement == "" {
			continue
		}
		t := *f.Type
		t.NonNull = requirement == "REQUIRED"
		if object := e.Types[f.Type.Name()]; object != nil && object.Kind == ast.Object {
			t.NamedType = e.partInput(object)
		}
		all = append(all, &ast.FieldDefinition{Name: f.Name, Type: &t, Description: f.Description})
	}
	return all
}

// partInput adds the input type for an object within a record, and returns its name.
func (e *expansion) partInput(object *ast.Definition) string {
	name := object.Name + "Input"
	if e.out.Definitions.ForName(name) == nil {
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

// record returns the payload of a mutation that returns the record.
func record(r *Resource, verb string) *ast.Definition {
	return payload(r, verb, bound(field(lowerFirst(r.Type.Name), r.Type.Name, upperFirst(r.Noun)+" after the change; null if ClickFunnels refused."), "Record"))
}

func payload(r *Resource, verb string, result *ast.FieldDefinition) *ast.Definition {
	return object(upperFirst(verb)+r.Type.Name+"Payload", "Result of `"+verb+r.Type.Name+"`.", result,
		field("userErrors", "[UserError!]!", "Reasons why ClickFunnels refused; empty on success."))
}
