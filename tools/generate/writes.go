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
			e.mutation(r, "create", "Creates "+article(r.Noun)+". It is never created twice: where the outcome is `UNKNOWN`, look for it before you try again. Cost: 1 REST call.",
				input("Create"+r.Type.Name+"Input", upperFirst(r.Noun)+" to create.", append(e.placeOfNew(r), e.inputs(r, "create")...)...),
				record(r, "create"))
		case "UPDATE":
			e.mutation(r, "update", "Changes "+article(r.Noun)+": fields that are left out stay, null clears. Cost: 1 REST call.",
				input("Update"+r.Type.Name+"Input", "Changes of "+article(r.Noun)+".", append(e.target(r), e.inputs(r, "update")...)...),
				record(r, "update"))
		case "DELETE":
			e.mutation(r, "delete", "Deletes "+article(r.Noun)+". Cost: 1 REST call.",
				input("Delete"+r.Type.Name+"Input", upperFirst(r.Noun)+" to delete.", e.target(r)...),
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
		return []*ast.FieldDefinition{field("workspaceId", "ID!", "Workspace, by `id`, `rawId` or `publicId`.")}
	}
	noun := e.Resources[parent].Noun
	return []*ast.FieldDefinition{
		field(lowerFirst(parent)+"Id", "ID!", upperFirst(noun)+", by `id`; or by `rawId` or `publicId` together with `workspaceId`."),
		field("workspaceId", "ID", "Workspace of the "+noun+", by `id`, `rawId` or `publicId`; not needed with an `id`."),
	}
}

// target returns the input fields that name an existing record.
func (e *expansion) target(r *Resource) []*ast.FieldDefinition {
	if r.Accounts {
		return []*ast.FieldDefinition{field("id", "ID!", upperFirst(r.Noun)+", by `id`, `rawId` or `publicId`.")}
	}
	return []*ast.FieldDefinition{
		field("id", "ID!", upperFirst(r.Noun)+", by `id`; or by `rawId` or `publicId` together with `workspaceId`."),
		field("workspaceId", "ID", "Workspace of the "+r.Noun+", by `id`, `rawId` or `publicId`; not needed with an `id`."),
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
	return payload(r, verb, bound(field(lowerFirst(r.Type.Name), r.Type.Name, upperFirst(r.Noun)+" as it is now; null if ClickFunnels refused."), "Record"))
}

func payload(r *Resource, verb string, result *ast.FieldDefinition) *ast.Definition {
	return object(upperFirst(verb)+r.Type.Name+"Payload", "Result of `"+verb+r.Type.Name+"`.", result,
		field("userErrors", "[UserError!]!", "Reasons why ClickFunnels refused; empty if it did not."))
}
