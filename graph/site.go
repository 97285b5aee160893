package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// workspaceSite returns the site of a workspace. Every workspace has one.
func workspaceSite(ctx context.Context, workspace *upstream.Workspace) (*upstream.Site, error) {
	sites, err := loader.SiteList.From(ctx).Load(workspace.Ref(), upstream.Query{}, upstream.Window{Limit: 1})
	switch {
	case err != nil:
		return nil, err
	case len(sites.Rows) == 0:
		return nil, upstream.RecordNotFound()
	}
	return sites.Rows[0], nil
}

// updateSite changes the site of a workspace.
func updateSite(ctx context.Context, input map[string]any) (*model.UpdateSitePayload, error) {
	done, err := create(ctx, input, loader.Sites, (*upstream.Client).UpdateSite, nil)
	if err != nil {
		return nil, err
	}
	return &model.UpdateSitePayload{Site: done.Record, UserErrors: done.UserErrors}, nil
}
