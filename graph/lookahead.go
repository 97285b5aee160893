package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// What a query asks for below a field decides which calls it takes: the
// functions here read it, fragments, aliases, @skip and @include included.

// light are the fields of an object that need no more of its record than what
// a reference to it holds, mostly its raw id.
type light struct {
	typeName string
	// own come from the reference itself.
	own []string
	// calls make a call of their own, which fails if there is no such object.
	calls []string
}

var (
	lightTeam      = light{"Team", []string{"id", "rawId"}, []string{"workspaces"}}
	lightWorkspace = light{"Workspace", []string{"id", "rawId"}, []string{"contacts", "contact", "contactTags"}}
	lightContact   = light{"Contact", []string{"id", "rawId", "workspace"}, []string{"appliedTags"}}
	embeddedTag    = light{"ContactTag", []string{"id", "rawId", "publicId", "name", "color", "workspace"}, nil}
)

// lightWorkspaceBy is lightWorkspace for a workspace known by this id, which may
// be its public one.
func lightWorkspaceBy(id string) light {
	if upstream.IsRawID(id) {
		return lightWorkspace
	}
	return light{lightWorkspace.typeName, []string{"publicId"}, lightWorkspace.calls}
}

// The stubs are records of which only the reference is known.

func teamStub(ref upstream.Ref) *upstream.Team { return &upstream.Team{Record: stub(ref.ID)} }

func workspaceStub(ref upstream.Ref) *upstream.Workspace {
	return &upstream.Workspace{Record: stub(ref.ID)}
}

func contactStub(ref upstream.Ref) *upstream.Contact {
	return &upstream.Contact{Record: stub(ref.ID), WorkspaceID: ref.Parent}
}

func stub(id string) upstream.Record {
	if upstream.IsRawID(id) {
		return upstream.Record{RawID: id}
	}
	return upstream.Record{PublicID: &id}
}

// suffices reports whether the current field's object, which is known to exist,
// can do without its record: only light fields are asked for.
func (o light) suffices(ctx context.Context) bool {
	only, _ := o.selection(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
	return only
}

// sufficesUnseen is suffices for an object that may not exist: then one of the
// fields asked for has to find out.
func (o light) sufficesUnseen(ctx context.Context) bool {
	return o.sufficesFor(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
}

func (o light) sufficesFor(op *graphql.OperationContext, field graphql.CollectedField) bool {
	only, calls := o.selection(op, field)
	return only && calls
}

func (o light) selection(op *graphql.OperationContext, field graphql.CollectedField) (only, calls bool) {
	for _, f := range graphql.CollectFields(op, field.Selections, []string{o.typeName, "Node"}) {
		switch {
		case slices.Contains(o.calls, f.Name):
			calls = true
		case f.Name != "__typename" && !slices.Contains(o.own, f.Name):
			return false, calls
		}
	}
	return true, calls
}

// selects reports whether the current field's object is asked for a field.
func selects(ctx context.Context, name string) bool {
	return hasField(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field, name)
}

// rowsSelect is selects for the rows of a connection.
func rowsSelect(ctx context.Context, name string) bool {
	op := graphql.GetOperationContext(ctx)
	for _, field := range graphql.CollectFieldsCtx(ctx, nil) {
		switch field.Name {
		case "nodes":
			if hasField(op, field, name) {
				return true
			}
		case "edges":
			for _, inner := range graphql.CollectFields(op, field.Selections, nil) {
				if inner.Name == "node" && hasField(op, inner, name) {
					return true
				}
			}
		}
	}
	return false
}

func hasField(op *graphql.OperationContext, field graphql.CollectedField, name string) bool {
	return slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name == name })
}

// siblings returns the fields that the current field's parent object is asked
// for, this one included.
func siblings(ctx context.Context) []graphql.CollectedField {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx)
	selections := op.Operation.SelectionSet
	for parent := field.Parent; parent != nil; parent = parent.Parent {
		if parent.Field.Field != nil {
			selections = parent.Field.Selections
			break
		}
	}
	return graphql.CollectFields(op, selections, []string{field.Object})
}

// requestSiblings asks at once for all the contacts and nodes that one object,
// or the query itself, is asked for under several aliases: they share their
// calls no matter when their resolvers come to run. workspaceID is the object's
// if it is a workspace.
func requestSiblings(ctx context.Context, workspaceID string) {
	l := loader.From(ctx)
	l.Once(graphql.GetFieldContext(ctx).Parent, func() {
		op := graphql.GetOperationContext(ctx)
		var plain, engaged []upstream.Ref
		for _, field := range siblings(ctx) {
			ref, ok := siblingRef(op, field, workspaceID)
			switch {
			case !ok:
			case ref.Kind == upstream.KindContact && field.Name == "contact" && lightContact.sufficesFor(op, field):
			case ref.Kind == upstream.KindContact && hasField(op, field, "emailEngagement"):
				engaged = append(engaged, ref)
			default:
				plain = append(plain, ref)
			}
		}
		if len(plain)+len(engaged) > 1 {
			l.EngagedContacts.Request(engaged...)
			l.RequestNodes(plain)
		}
	})
}

// siblingRef reads the argument of a contact or node field. It reports false
// where that field's own resolver has an error to give or something to find out
// first.
func siblingRef(op *graphql.OperationContext, field graphql.CollectedField, workspaceID string) (upstream.Ref, bool) {
	if field.Name != "contact" && field.Name != "node" {
		return upstream.Ref{}, false
	}
	args := field.ArgumentMap(op.Variables)
	id, err := graphql.UnmarshalID(args["id"])
	if err != nil {
		return upstream.Ref{}, false
	}
	if field.Name == "node" {
		return model.ParseGlobalID(id)
	}
	if given := args["workspaceId"]; given != nil {
		text, _ := graphql.UnmarshalID(given)
		workspace, err := model.ParseID(upstream.KindWorkspace, "", text)
		if err != nil || !upstream.IsRawID(workspace.ID) {
			return upstream.Ref{}, false
		}
		workspaceID = workspace.ID
	}
	ref, err := model.ParseID(upstream.KindContact, workspaceID, id)
	return ref, err == nil && ref.Parent != ""
}
