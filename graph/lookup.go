package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// teamByID returns a team by its id in any form.
func teamByID(ctx context.Context, id string) (*upstream.Team, error) {
	ref, err := model.ParseID(upstream.KindTeam, "", id)
	if err != nil {
		return nil, err
	}
	if upstream.IsRawID(ref.ID) && lightTeam.sufficesUnseen(ctx) {
		return teamStub(ref), nil
	}
	return loader.From(ctx).Teams.Load(ref)
}

// workspaceByID returns a workspace by its id in any form. A caller who knows
// its subdomain saves the call that finds it out.
func workspaceByID(ctx context.Context, id string, subdomain *string) (*upstream.Workspace, error) {
	l := loader.From(ctx)
	ref, err := model.ParseID(upstream.KindWorkspace, "", id)
	if err != nil {
		return nil, err
	}
	if subdomain != nil {
		label, err := upstream.ParseSubdomain(*subdomain)
		if err != nil {
			return nil, err
		}
		l.Give(ref.ID, label)
	}
	if l.Located(ref.ID) && lightWorkspaceBy(ref.ID).sufficesUnseen(ctx) {
		return workspaceStub(ref), nil
	}
	return l.Workspaces.Load(ref)
}

// contactOf is contactByID for a workspace given by its id in any form, or nil.
func contactOf(ctx context.Context, workspaceID *string, id string) (*upstream.Contact, error) {
	if workspaceID == nil {
		return contactByID(ctx, "", id)
	}
	workspace, err := model.ParseID(upstream.KindWorkspace, "", *workspaceID)
	if err != nil {
		return nil, err
	}
	return contactByID(ctx, workspace.ID, id)
}

// contactByID returns a contact by its id in any form. workspaceID is the raw or
// public id of its workspace, empty if only the contact's id can tell.
func contactByID(ctx context.Context, workspaceID, id string) (*upstream.Contact, error) {
	ref, err := model.ParseID(upstream.KindContact, workspaceID, id)
	if err != nil {
		return nil, err
	}
	if ref.Parent == "" {
		return nil, badInput("Give workspaceId as well: a contact's raw or public id does not tell its workspace.")
	}
	if ref.Parent, err = loader.From(ctx).WorkspaceID(ref.Parent); err != nil {
		return nil, err
	}
	if upstream.IsRawID(ref.ID) && lightContact.sufficesUnseen(ctx) {
		return contactStub(ref), nil
	}
	return contactLoader(ctx).Load(ref)
}

// node returns an object of any kind.
func node(ctx context.Context, id string) (model.Node, error) {
	ref, ok := model.ParseGlobalID(id)
	if !ok {
		return nil, badInput("This is not the id of an object. A raw or public id does not tell its type: use the type's own field for it.")
	}
	if ref.Kind == upstream.KindContact {
		return contactLoader(ctx).Node(ref)
	}
	return loader.From(ctx).Node(ref)
}

// nodes returns objects of any kind in the order of their ids, each null with
// an error of its own where it cannot be had.
func nodes(ctx context.Context, ids []string) ([]model.Node, error) {
	if len(ids) > maxRows {
		return nil, badInput("ids has %d values; it can have %d.", len(ids), maxRows)
	}
	var contacts, others []upstream.Ref
	for _, id := range ids {
		switch ref, ok := model.ParseGlobalID(id); {
		case !ok:
		case ref.Kind == upstream.KindContact:
			contacts = append(contacts, ref)
		default:
			others = append(others, ref)
		}
	}
	// All are asked for before any is waited for.
	contactLoader(ctx).Request(contacts...)
	loader.From(ctx).RequestNodes(others)
	found := make([]model.Node, len(ids))
	for i, id := range ids {
		var err error
		if found[i], err = node(ctx, id); err != nil {
			found[i] = nil
			graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithIndex(i)), err)
		}
	}
	return found, nil
}
