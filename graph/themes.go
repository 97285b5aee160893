package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// setDefaultTheme makes a theme the default of its workspace.
func setDefaultTheme(ctx context.Context, input map[string]any) (*model.SetDefaultThemePayload, error) {
	done, err := writeAndLoad(ctx, input, "id", "theme", loader.Themes, upstream.KindTheme, themeRefFields, func(upstream.Ref) (memberCall, error) {
		return (*upstream.Client).SetDefaultTheme, nil
	})
	if err != nil {
		return nil, err
	}
	return &model.SetDefaultThemePayload{Theme: done.Record, UserErrors: done.UserErrors}, nil
}
