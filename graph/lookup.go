package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// teamByID returns a team by its id, rawId or publicId.
func teamByID(ctx context.Context, id string) (*upstream.Team, error) {
	ref, err := model.ParseID(upstream.KindTeam, "", id)
	if err != nil {
		return nil, err
	}
	if upstream.IsRawID(ref.ID) && teamRefFields.coversAndVerifies(ctx) {
		return upstream.NewRecord[upstream.Team](ref), nil
	}
	return loader.Teams.From(ctx).Load(ref)
}

// workspaceByID returns a workspace by its id, rawId or publicId. A given subdomain saves the
// call to find it.
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
		l.GiveSubdomain(ref.ID, label)
	}
	if l.Located(ref.ID) && workspaceRefFieldsBy(ref.ID).coversAndVerifies(ctx) {
		return upstream.NewRecord[upstream.Workspace](ref), nil
	}
	return loader.Workspaces.Of(l).Load(ref)
}

// contactIn returns a contact by its id, rawId or publicId. workspace is an id of its workspace
// in any form; it may be nil if the contact's id is global.
func contactIn(ctx context.Context, workspace *string, id string) (*upstream.Contact, error) {
	if workspace == nil {
		return contactByID(ctx, "", id)
	}
	ref, err := model.ParseID(upstream.KindWorkspace, "", *workspace)
	if err != nil {
		return nil, err
	}
	return contactByID(ctx, ref.ID, id)
}

// contactByID returns a contact by its id in any form. workspace is its workspace's raw or public
// id, or empty if the contact's id is global.
func contactByID(ctx context.Context, workspace, id string) (*upstream.Contact, error) {
	ref, err := model.ParseID(upstream.KindContact, workspace, id)
	if err != nil {
		return nil, err
	}
	l := loader.From(ctx)
	if workspace != "" {
		parent, err := l.WorkspaceID(workspace)
		if err != nil {
			return nil, err
		}
		if ref, err = model.ParseID(upstream.KindContact, parent, id); err != nil {
			return nil, err
		}
		ref.Parent = parent
	}
	if ref.Parent == "" {
		return nil, badInput("Give workspaceId as well: a contact's raw or public id does not tell its workspace.")
	}
	if upstream.IsRawID(ref.ID) && upstream.IsRawID(ref.Parent) && contactRefFields.coversAndVerifies(ctx) {
		return upstream.NewRecord[upstream.Contact](ref), nil
	}
	return loader.Contacts.Of(l).Load(ref)
}

// node returns the object with a global id.
func node(ctx context.Context, id string) (model.Node, error) {
	ref, ok := model.ParseGlobalID(id)
	if !ok {
		return nil, badInput("This is not the id of an object. A raw or public id does not tell its type: use the type's own field for it.")
	}
	return loader.From(ctx).Node(ref)
}

// nodes returns the objects with global ids, in their order. An object that cannot be loaded is
// null, with an error of its own.
func nodes(ctx context.Context, ids []string) ([]model.Node, error) {
	if len(ids) > maxRows {
		return nil, badInput("ids has %d values; it can have %d.", len(ids), maxRows)
	}
	var refs []upstream.Ref
	for _, id := range ids {
		if ref, ok := model.ParseGlobalID(id); ok {
			refs = append(refs, ref)
		}
	}
	loader.From(ctx).RequestNodes(refs) // request all before waiting for any
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

// giveSubdomain passes the subdomain in a field's arguments on to the loaders.
func giveSubdomain(l *loader.Loaders, args map[string]any) {
	workspace := workspaceID(args["id"])
	if subdomain, err := upstream.ParseSubdomain(idText(args["subdomain"])); err == nil && workspace != "" {
		l.GiveSubdomain(workspace, subdomain)
	}
}

func idText(v any) string {
	if v == nil {
		return ""
	}
	s, _ := graphql.UnmarshalID(v)
	return s
}

// workspaceID returns the raw or public id of a workspace given in any form, or "" for any other
// value.
func workspaceID(v any) string {
	ref, err := model.ParseID(upstream.KindWorkspace, "", idText(v))
	if err != nil {
		return ""
	}
	return ref.ID
}
