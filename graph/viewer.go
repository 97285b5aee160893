package graph

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// viewerKey is the key of the operation's [Viewer] in its context.
type viewerKey struct{}

// viewer returns the caller of the operation. It loads the user and the workspaces only if they are
// selected.
func viewer(ctx context.Context) (*model.Viewer, error) {
	caller, _ := ctx.Value(viewerKey{}).(Viewer)
	v := &model.Viewer{CanWrite: !caller.ReadOnly}
	if caller.Name != "" {
		v.Name = &caller.Name
	}
	var err error
	if selects(ctx, "workspaces") {
		if v.Workspaces, err = visibleWorkspaces(ctx); err != nil {
			graphql.AddError(fieldContext(ctx, "workspaces"), err)
		}
	}
	about := []string{"user", "connectedWorkspace", "platformApplication"}
	about = slices.DeleteFunc(about, func(field string) bool { return !selects(ctx, field) })
	if len(about) == 0 || loader.From(ctx).Scoped() { // they belong to the token
		return v, nil
	}
	me, err := loader.Me(loader.From(ctx))
	if err != nil {
		for _, field := range about {
			graphql.AddError(fieldContext(ctx, field), err)
		}
		return v, nil
	}
	v.Me = *me
	return v, nil
}

// workspaces returns a window of all workspaces that the caller may see.
func workspaces(ctx context.Context, first *int, after *string, last *int, before *string) (*model.Connection[upstream.Workspace], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	if onlyTypename(ctx) {
		return model.NewConnection(upstream.Slice[upstream.Workspace]{}, w), nil
	}
	all, err := visibleWorkspaces(ctx)
	if err != nil {
		return nil, err
	}
	return windowOf(all, w), nil
}

// workspaceAt returns the workspace with a subdomain.
func workspaceAt(ctx context.Context, subdomain string) (*upstream.Workspace, error) {
	all, err := visibleWorkspaces(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(w *upstream.Workspace) bool { return w.Subdomain() == subdomain })
	if i < 0 {
		return nil, upstream.RecordNotFound()
	}
	return all[i], nil
}

// visibleWorkspaces returns the workspaces that the caller may see, in the order of their teams. A
// scope with workspaces names them; else the lists of all teams are read, side by side.
func visibleWorkspaces(ctx context.Context) ([]*upstream.Workspace, error) {
	l := loader.From(ctx)
	if ids := l.ScopedWorkspaces(); ids != nil {
		return scopedWorkspaces(l, ids)
	}
	teams, err := loader.TeamList.Of(l).Load(upstream.Ref{}, upstream.Query{}, upstream.Window{Limit: loader.WholeList})
	if err != nil {
		return nil, err
	}
	lists, errs := make([]upstream.Slice[upstream.Workspace], len(teams.Rows)), make([]error, len(teams.Rows))
	var wg sync.WaitGroup
	for i, team := range teams.Rows {
		wg.Go(func() { //nolint:contextcheck // calls have the operation's context
			lists[i], errs[i] = loader.WorkspaceList.Of(l).Load(team.Ref(), upstream.Query{}, upstream.Window{Limit: loader.WholeList})
		})
	}
	wg.Wait()
	var all []*upstream.Workspace
	for i, list := range lists {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, list.Rows...)
	}
	return all, nil
}

// scopedWorkspaces returns the workspaces with these raw ids that exist.
func scopedWorkspaces(l *loader.Loaders, ids []string) ([]*upstream.Workspace, error) {
	refs := make([]upstream.Ref, len(ids))
	for i, id := range ids {
		refs[i] = upstream.Ref{Kind: upstream.KindWorkspace, ID: id}
	}
	rows, errs := loader.Workspaces.Of(l).LoadAll(refs)
	var all []*upstream.Workspace
	for i, row := range rows {
		switch {
		case errs[i] == nil:
			all = append(all, row)
		case !errors.Is(errs[i], upstream.NotFound):
			return nil, errs[i]
		}
	}
	return all, nil
}

// fieldContext returns the context for errors of a field below the current one.
func fieldContext(ctx context.Context, name string) context.Context {
	for _, field := range graphql.CollectFields(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections, nil) {
		if field.Name == name {
			return graphql.WithPathContext(ctx, graphql.NewPathWithField(field.Alias))
		}
	}
	return ctx
}
