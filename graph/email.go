package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// emailSettings returns the settings for the e-mails of a workspace.
func emailSettings(ctx context.Context, workspace *upstream.Workspace) (*upstream.EmailSettings, error) {
	return loader.Object(loader.From(ctx), workspace.Key(), "email settings", (*upstream.Client).EmailSettings)
}
