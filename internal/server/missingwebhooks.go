package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// freshForLong is the longest time for which responses can be cached without webhooks.
	freshForLong = time.Minute
	// maxCheckedWorkspaces limits the workspaces that are looked up, and checkTimeout the time for it.
	maxCheckedWorkspaces = 1000
	checkTimeout         = time.Minute
	// maxNamedWorkspaces limits the workspaces that a warning names.
	maxNamedWorkspaces = 20
)

// warnOfMissingWebhooks logs a warning if no webhook says what changes in a workspace that clients can see.
func warnOfMissingWebhooks(ctx context.Context, gate access.Gate, client *upstream.Client) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	clients, ok := gate.(*access.Clients)
	if !ok || len(clients.Webhooks()) == 0 {
		slog.WarnContext(ctx, "--cache-ttl is longer than a minute, and no webhook says what changes: list one in the access file")
		return
	}
	missing, checked := make(map[string]bool), make(map[string]bool)
	for caller := range clients.Callers() {
		if checked[caller.Rights()] {
			continue
		}
		checked[caller.Rights()] = true
		workspaces, err := workspacesOf(ctx, client.WithToken(caller.Token).Within(caller.Scope).Held())
		if err != nil {
			slog.WarnContext(ctx, "--cache-ttl is longer than a minute, and ClickFunnels does not say which workspaces need a webhook", "client", caller.Policy.Client, "error", err)
		}
		if ctx.Err() != nil {
			break
		}
		for _, id := range workspaces {
			if _, found := clients.WebhookOf(id); !found {
				missing[id] = true
			}
		}
	}
	if len(missing) > 0 {
		named := slices.Sorted(maps.Keys(missing))
		slog.WarnContext(ctx, "--cache-ttl is longer than a minute, and no webhook says what changes in some workspaces: list one for each in the access file",
			"count", len(named), "workspaces", named[:min(len(named), maxNamedWorkspaces)])
	}
}

// workspacesOf returns the raw ids of the workspaces that a client can see. After an error, it returns those of the
// other teams.
func workspacesOf(ctx context.Context, client *upstream.Client) (ids []string, err error) {
	if scoped := client.ScopedWorkspaces(); scoped != nil {
		return scoped, nil
	}
	all := upstream.Window{Limit: maxCheckedWorkspaces}
	teams, err := upstream.Walk(ctx, upstream.Query{}, all, client.Teams)
	for _, team := range teams.Rows {
		workspaces, failed := upstream.Walk(ctx, upstream.Query{}, all, func(ctx context.Context, q upstream.Query) (*upstream.Page[upstream.Workspace], error) {
			return client.Workspaces(ctx, team.RawID(), q)
		})
		for _, workspace := range workspaces.Rows {
			ids = append(ids, workspace.RawID())
		}
		if err == nil {
			err = failed
		}
		if len(ids) >= maxCheckedWorkspaces {
			break
		}
	}
	return ids, err
}
