package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// related loads one record for each object of a list, given by its ref, or
// makes it of the ref alone where stub is not nil. An empty id is no record.
func related[O, T any](objs []O, records *loader.Records[T], ref func(O) upstream.Ref, stub func(upstream.Ref) *T) ([]*T, error) {
	rows, errs := make([]*T, len(objs)), make(graphql.BatchErrorList, len(objs))
	var refs []upstream.Ref
	var at []int
	for i, obj := range objs {
		switch r := ref(obj); {
		case r.ID == "":
		case stub != nil:
			rows[i] = stub(r)
		default:
			refs, at = append(refs, r), append(at, i)
		}
	}
	loaded, failed := records.LoadAll(refs)
	for k, i := range at {
		rows[i], errs[i] = loaded[k], failed[k]
	}
	return rows, errs
}

func teamsOf[O any](ctx context.Context, objs []O, id func(O) string) ([]*upstream.Team, error) {
	var stub func(upstream.Ref) *upstream.Team
	if lightTeam.suffices(ctx) {
		stub = teamStub
	}
	return related(objs, loader.From(ctx).Teams, func(o O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindTeam, ID: id(o)}
	}, stub)
}

func workspacesOf[O any](ctx context.Context, objs []O, id func(O) string) ([]*upstream.Workspace, error) {
	var stub func(upstream.Ref) *upstream.Workspace
	if lightWorkspace.suffices(ctx) {
		stub = workspaceStub
	}
	return related(objs, loader.From(ctx).Workspaces, func(o O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, stub)
}

// contactsOf returns the contacts that carry applied tags.
func contactsOf(ctx context.Context, objs []*upstream.AppliedContactTag) ([]*upstream.Contact, error) {
	var stub func(upstream.Ref) *upstream.Contact
	if lightContact.suffices(ctx) {
		stub = contactStub
	}
	return related(objs, loader.From(ctx).Contacts, func(t *upstream.AppliedContactTag) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindContact, Parent: t.WorkspaceID, ID: t.ContactID}
	}, stub)
}

// tagsOf returns the tags that objects embed: as embedded, or in full where a
// field is asked for that only the full record has.
func tagsOf[O any](ctx context.Context, objs []O, embedded func(O) *upstream.EmbeddedTag) ([]*upstream.ContactTag, error) {
	tags := make([]*upstream.ContactTag, len(objs))
	for i, obj := range objs {
		tags[i] = embedded(obj).ContactTag()
	}
	if embeddedTag.suffices(ctx) {
		return tags, nil
	}
	full, err := related(tags, loader.From(ctx).ContactTags, (*upstream.ContactTag).Ref, nil)
	for i, tag := range tags {
		if tag.RawID == "" { // nothing to find it by
			full[i] = tag
		}
	}
	return full, err
}

// tagListsOf returns the tags of each contact.
func tagListsOf(ctx context.Context, objs []*upstream.Contact) ([][]*upstream.ContactTag, error) {
	var all []*upstream.EmbeddedTag
	for _, contact := range objs {
		all = append(all, contact.Tags...)
	}
	tags, err := tagsOf(ctx, all, func(t *upstream.EmbeddedTag) *upstream.EmbeddedTag { return t })
	failed, _ := err.(graphql.BatchErrorList) //nolint:errorlint // made just now, by related
	lists, errs := make([][]*upstream.ContactTag, len(objs)), make(graphql.BatchErrorList, len(objs))
	for i, contact := range objs {
		n := len(contact.Tags)
		if contact.Tags != nil {
			lists[i], tags = tags[:n:n], tags[n:]
		}
		for k := range min(n, len(failed)) {
			if failed[k] != nil {
				lists[i], errs[i] = nil, failed[k]
			}
		}
		failed = failed[min(n, len(failed)):]
	}
	return lists, errs
}
