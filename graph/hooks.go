package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// The resolvers that do not follow from the description, which names them.

func contactByIDs(ctx context.Context, id string, workspaceID *string) (*upstream.Contact, error) {
	return contactIn(ctx, workspaceID, id)
}

func workspaceContact(ctx context.Context, workspace *upstream.Workspace, id string) (*upstream.Contact, error) {
	return contactByID(ctx, workspace.Key(), id)
}

func taggingTags(ctx context.Context, objs []*upstream.ContactTagging) ([]*upstream.ContactTag, error) {
	return tagsOf(ctx, objs, (*upstream.ContactTagging).Tag)
}
