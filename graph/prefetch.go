package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// prefetch asks at once for all the records that an operation names by their
// ids, under however many aliases and parents: contact, node, nodes, and
// workspace { contact }. Their resolvers, which run whenever they come to,
// then find the calls made, and each call full.
func prefetch(op *graphql.OperationContext, l *loader.Loaders) {
	var contacts, engaged, others []upstream.Ref
	add := func(field graphql.CollectedField, ref upstream.Ref) {
		switch {
		case ref.Kind != upstream.KindContact:
			others = append(others, ref)
		case hasField(op, field, "emailEngagement"):
			engaged = append(engaged, ref)
		case field.Name != "contact" || !lightContact.sufficesFor(op, field):
			contacts = append(contacts, ref)
		}
	}
	for _, field := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"}) {
		args := field.ArgumentMap(op.Variables)
		switch field.Name {
		case "node":
			if ref, ok := model.ParseGlobalID(text(args["id"])); ok {
				add(field, ref)
			}
		case "contact":
			workspace := rawWorkspaceID(args["workspaceId"])
			if ref, ok := contactRef(workspace, args["id"]); ok {
				add(field, ref)
			}
		case "workspace":
			workspace := rawWorkspaceID(args["id"])
			if workspace == "" {
				continue // its raw id has to be found out first
			}
			if subdomain, err := upstream.ParseSubdomain(text(args["subdomain"])); err == nil {
				l.Give(workspace, subdomain)
			} else if args["subdomain"] != nil {
				continue // its own resolver says what is wrong
			}
			for _, inner := range graphql.CollectFields(op, field.Selections, []string{"Workspace"}) {
				if inner.Name != "contact" {
					continue
				}
				if ref, ok := contactRef(workspace, inner.ArgumentMap(op.Variables)["id"]); ok {
					add(inner, ref)
				}
			}
		}
	}
	// A single one is its own resolver's affair.
	if len(contacts)+len(engaged)+len(others) > 1 {
		l.Contacts.Request(contacts...)
		l.EngagedContacts.Request(engaged...)
		l.RequestNodes(others)
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	s, _ := graphql.UnmarshalID(v)
	return s
}

// rawWorkspaceID returns the raw id of a workspace given by a global or raw
// one, and nothing for any other argument.
func rawWorkspaceID(v any) string {
	ref, err := model.ParseID(upstream.KindWorkspace, "", text(v))
	if err != nil || !upstream.IsRawID(ref.ID) {
		return ""
	}
	return ref.ID
}

func contactRef(workspace string, id any) (upstream.Ref, bool) {
	ref, err := model.ParseID(upstream.KindContact, workspace, text(id))
	return ref, err == nil && ref.Parent != ""
}
