package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// prefetch asks at once for all the records that an operation names by their
// ids, under however many aliases and parents: contact, node, and
// workspace { contact }. Their resolvers, which run whenever they come to, then
// find the calls made, and each call full.
func prefetch(op *graphql.OperationContext, doc *document, l *loader.Loaders) {
	var refs []upstream.Ref
	root := graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"})
	if len(root) == 1 && (root[0].Name != "workspace" || !doc.keys["contact"]) {
		return // its own resolver's affair
	}
	for _, field := range root {
		if field.Name == "workspace" {
			give(l, field.ArgumentMap(op.Variables))
		}
	}
	for _, field := range root {
		switch field.Name {
		case "node":
			if ref, ok := model.ParseGlobalID(text(field.ArgumentMap(op.Variables)["id"])); ok {
				refs = append(refs, ref)
			}
		case "contact":
			args := field.ArgumentMap(op.Variables)
			if workspace := workspaceID(args["workspaceId"]); workspace == "" || upstream.IsRawID(workspace) {
				refs = appendContact(refs, op, field, workspace)
			}
		case "workspace":
			args := field.ArgumentMap(op.Variables)
			if workspace := workspaceID(args["id"]); upstream.IsRawID(workspace) && (args["subdomain"] == nil || l.Located(workspace)) {
				for _, inner := range graphql.CollectFields(op, field.Selections, []string{"Workspace"}) {
					refs = appendContact(refs, op, inner, workspace)
				}
			}
		}
	}
	if len(refs) > 1 { // a single one is its own resolver's affair
		l.RequestNodes(refs)
	}
}

// give makes the subdomains known that the query names, before any of its
// fields is resolved.
func give(l *loader.Loaders, args map[string]any) {
	workspace := workspaceID(args["id"])
	if subdomain, err := upstream.ParseSubdomain(text(args["subdomain"])); err == nil && workspace != "" {
		l.Give(workspace, subdomain)
	}
}

// requestSiblings asks at once for all the contacts of one workspace that the
// current field's parent is asked for under several aliases. given is what their
// argument workspaceId says, if they have one; id is the workspace's.
func requestSiblings(ctx context.Context, given, id string) {
	type key struct {
		parent *graphql.FieldContext
		given  string
	}
	l := loader.From(ctx)
	l.Memo(key{graphql.GetFieldContext(ctx).Parent, given}, func() any {
		op := graphql.GetOperationContext(ctx)
		var refs []upstream.Ref
		for _, field := range siblings(ctx) {
			if workspaceID(field.ArgumentMap(op.Variables)["workspaceId"]) == given {
				refs = appendContact(refs, op, field, id)
			}
		}
		loader.Contacts.Of(l).Request(refs...)
		return nil
	})
}

// appendContact appends what a contact field of a workspace asks for. A field
// that is another one, or whose own resolver has an error to give or needs no
// record, adds nothing.
func appendContact(refs []upstream.Ref, op *graphql.OperationContext, field graphql.CollectedField, workspace string) []upstream.Ref {
	if field.Name != "contact" || lightContact.sufficesFor(op, field) {
		return refs
	}
	ref, err := model.ParseID(upstream.KindContact, workspace, text(field.ArgumentMap(op.Variables)["id"]))
	if err != nil || ref.Parent == "" {
		return refs
	}
	if workspace != "" {
		ref.Parent = workspace // where the query says that it is
	}
	return append(refs, ref)
}

// requestTags asks at once for the tags of all contacts of a slice, if more is
// asked of them than contacts carry. By nodes their resolver would see them all
// together; by edges it sees one contact at a time.
func requestTags(ctx context.Context, contacts *model.ContactConnection) {
	op, connection := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	if contacts == nil || !slices.ContainsFunc(rowFields(op, connection), func(field graphql.CollectedField) bool { return needsFullTags(op, field) }) {
		return
	}
	var refs []upstream.Ref
	for _, contact := range contacts.Nodes {
		for _, tag := range contact.Tags() {
			if ref := tag.Ref(); ref.ID != "" {
				refs = append(refs, ref)
			}
		}
	}
	loader.ContactTags.From(ctx).Request(refs...)
}

// needsFullTags reports whether a contact's field asks for tags in full.
func needsFullTags(op *graphql.OperationContext, field graphql.CollectedField) bool {
	switch field.Name {
	case "tags":
		only, _ := embeddedTag.selection(op, field)
		return !only
	case "taggings":
		return slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), isFullTag(op))
	case "appliedTags": // of which the contact carries the tags as well
		return slices.ContainsFunc(rowFields(op, field), isFullTag(op))
	}
	return false
}

func isFullTag(op *graphql.OperationContext) func(graphql.CollectedField) bool {
	return func(field graphql.CollectedField) bool {
		only, _ := embeddedTag.selection(op, field)
		return field.Name == "tag" && !only
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	s, _ := graphql.UnmarshalID(v)
	return s
}

// workspaceID returns the raw or public id of a workspace given in any form, and
// nothing for any other argument.
func workspaceID(v any) string {
	ref, err := model.ParseID(upstream.KindWorkspace, "", text(v))
	if err != nil {
		return ""
	}
	return ref.ID
}
