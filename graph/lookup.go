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

// teamMemberships returns a window of the memberships of a team.
func teamMemberships(ctx context.Context, team *upstream.Team, first *int, after *string, last *int, before *string) (*model.Connection[upstream.Membership], error) {
	return connect(ctx, loader.MembershipList, team.Ref(), upstream.Query{}, first, after, last, before)
}

// workspaceByID returns a workspace by its id, rawId or publicId, or by its subdomain alone. With
// both, the subdomain saves the call to find it.
func workspaceByID(ctx context.Context, id, subdomain *string) (*upstream.Workspace, error) {
	l, label := loader.From(ctx), ""
	if subdomain != nil {
		var err error
		if label, err = upstream.ParseSubdomain(*subdomain); err != nil {
			return nil, err
		}
	}
	if id == nil {
		if label == "" {
			return nil, badInput("Give the id of the workspace, or its subdomain.")
		}
		return workspaceAt(ctx, label)
	}
	ref, err := model.ParseID(upstream.KindWorkspace, "", *id)
	if err != nil {
		return nil, err
	}
	if label != "" {
		l.GiveSubdomain(ref.ID, label)
	}
	if l.Located(ref.ID) && workspaceRefFieldsBy(ref.ID).coversAndVerifies(ctx) {
		return upstream.NewRecord[upstream.Workspace](ref), nil
	}
	return loader.Workspaces.Of(l).Load(ref)
}

// recordByID returns a workspace's record by its id, rawId or publicId. workspace is an id of its
// workspace in any form; it may be nil if the record's id is global. A record whose selection
// fields cover is not loaded.
func recordByID[T any, P keyed[T]](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, id string, workspace *string, fields fieldSet) (*T, error) {
	if workspace == nil {
		return recordIn[T, P](ctx, records, kind, "", id, fields)
	}
	ref, err := model.ParseID(upstream.KindWorkspace, "", *workspace)
	if err != nil {
		return nil, err
	}
	return recordIn[T, P](ctx, records, kind, ref.ID, id, fields)
}

// recordIn is [recordByID] for a workspace's raw or public id, or "" if the record's id is global.
func recordIn[T any, P keyed[T]](ctx context.Context, records *loader.Resource[T], kind upstream.Kind, workspace, id string, fields fieldSet) (*T, error) {
	ref, err := model.ParseID(kind, workspace, id)
	if err != nil {
		return nil, err
	}
	l := loader.From(ctx)
	if workspace != "" {
		parent, err := l.WorkspaceID(workspace)
		if err != nil {
			return nil, err
		}
		if ref, err = model.ParseID(kind, parent, id); err != nil {
			return nil, err
		}
		ref.Parent = parent
	}
	if ref.Parent == "" {
		return nil, badInput("Give workspaceId as well: a raw or public id does not tell its workspace.")
	}
	if upstream.IsRawID(ref.ID) && upstream.IsRawID(ref.Parent) && fields.coversAndVerifies(ctx) {
		return upstream.NewRecord[T](ref), nil
	}
	return records.Of(l).Load(ref)
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
