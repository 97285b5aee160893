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

func taggingTags(ctx context.Context, objs []*upstream.EmbeddedTag) ([]*upstream.ContactTag, error) {
	return tagsOf(ctx, objs, func(t *upstream.EmbeddedTag) *upstream.EmbeddedTag { return t })
}

func appliedTags(ctx context.Context, objs []*upstream.AppliedContactTag) ([]*upstream.ContactTag, error) {
	return tagsOf(ctx, objs, func(t *upstream.AppliedContactTag) *upstream.EmbeddedTag { return &t.Tag })
}

func taggedContacts(ctx context.Context, objs []*upstream.AppliedContactTag) ([]*upstream.Contact, error) {
	return shortContacts(ctx, objs, func(t *upstream.AppliedContactTag) *upstream.Contact { return t.Contact },
		func(t *upstream.AppliedContactTag) (workspace, id string) { return t.WorkspaceID, t.ContactID })
}

func enrolledContacts(ctx context.Context, objs []*upstream.CourseEnrollment) ([]*upstream.Contact, error) {
	return shortContacts(ctx, objs, func(e *upstream.CourseEnrollment) *upstream.Contact { return e.Contact },
		func(e *upstream.CourseEnrollment) (workspace, id string) { return e.WorkspaceID, e.ContactID })
}

func opportunityContacts(ctx context.Context, objs []*upstream.SalesOpportunity) ([]*upstream.Contact, error) {
	return carriedContacts(ctx, objs, func(o *upstream.SalesOpportunity) *upstream.Contact { return o.PrimaryContact },
		func(o *upstream.SalesOpportunity) (workspace, id string) { return o.WorkspaceID, o.PrimaryContactID })
}
