package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Resolvers that the description in schema/ names as hand-written.

func contactByIDs(ctx context.Context, id string, workspaceID *string) (*upstream.Contact, error) {
	return recordByID(ctx, loader.Contacts, upstream.KindContact, id, workspaceID, contactRefFields)
}

func workspaceContact(ctx context.Context, workspace *upstream.Workspace, id string) (*upstream.Contact, error) {
	return recordIn(ctx, loader.Contacts, upstream.KindContact, workspace.Key(), id, contactRefFields)
}

// connectWhole is [connect] for a list that ClickFunnels does not divide into pages. It loads the
// whole list, and returns the window of it.
func connectWhole[T any, P keyed[T]](ctx context.Context, list *loader.List[T], parent upstream.Ref, q upstream.Query, first *int, after *string, last *int, before *string) (*model.Connection[T], error) {
	w, err := window(first, after, last, before)
	if err != nil {
		return nil, err
	}
	if q.Filter == noMatch || onlyTypename(ctx) {
		return model.NewConnection(upstream.Slice[T]{}, w), nil
	}
	all, err := list.From(ctx).Load(parent, q, upstream.Window{Limit: loader.WholeList}) //nolint:contextcheck // calls have the operation's context
	if err != nil {
		return nil, err
	}
	return windowOf[T, P](all.Rows, w), nil
}

// windowOf returns the window of a list whose rows are all known.
func windowOf[T any, P keyed[T]](all []*T, w upstream.Window) *model.Connection[T] {
	rows, more := rowsOf(all, w, func(row *T) string { return P(row).Key() })
	return model.NewConnection(upstream.Slice[T]{Rows: rows, More: more}, w)
}

// connectContacts is [connect] for contacts. If the full tags of their applied tags are selected,
// it requests these at once, since the contacts name them.
func connectContacts(ctx context.Context, list *loader.List[upstream.Contact], parent upstream.Ref, q upstream.Query, first *int, after *string, last *int, before *string) (*model.Connection[upstream.Contact], error) {
	contacts, err := connect(ctx, list, parent, q, first, after, last, before)
	op := graphql.GetOperationContext(ctx)
	needsTags := func(applied graphql.CollectedField) bool {
		return applied.Name == "appliedTags" && slices.ContainsFunc(rowFields(op, applied), func(f graphql.CollectedField) bool {
			only, _ := embeddedTag.coverage(op, f)
			return f.Name == "tag" && !only
		})
	}
	if err != nil || !slices.ContainsFunc(rowFields(op, graphql.GetFieldContext(ctx).Field), needsTags) {
		return contacts, err
	}
	var tags []upstream.Ref
	for _, contact := range contacts.Nodes {
		for _, tag := range contact.Tags() {
			tags = append(tags, tag.Ref())
		}
	}
	loader.ContactTags.From(ctx).Request(tags...)
	return contacts, nil
}

// rowFields returns the fields selected on the rows of a connection, by nodes or by edges.
func rowFields(op *graphql.OperationContext, connection graphql.CollectedField) []graphql.CollectedField {
	var fields []graphql.CollectedField
	for _, field := range graphql.CollectFields(op, connection.Selections, nil) {
		switch field.Name {
		case "nodes", "node":
			fields = append(fields, graphql.CollectFields(op, field.Selections, nil)...)
		case "edges":
			fields = append(fields, rowFields(op, field)...)
		}
	}
	return fields
}

func taggingTags(ctx context.Context, objs []*upstream.ContactTagging) ([]*upstream.ContactTag, error) {
	return tagsOf(ctx, objs, (*upstream.ContactTagging).Tag)
}
