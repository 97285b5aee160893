package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// related returns one record for each object of a list, given by its ref. Where
// only light fields are asked for, stub makes it of the ref alone, or returns nil
// if it cannot; else it is loaded, all of them together. An empty id is no record.
func related[O, T any](ctx context.Context, objs []O, records *loader.Records[T], ref func(O) upstream.Ref, fields light, stub func(upstream.Ref) *T) ([]*T, error) {
	rows, errs := make([]*T, len(objs)), make(graphql.BatchErrorList, len(objs))
	onlyLight := stub != nil && fields.suffices(ctx)
	var refs []upstream.Ref
	var at []int
	for i, obj := range objs {
		r := ref(obj)
		if r.ID == "" {
			continue
		}
		if onlyLight {
			rows[i] = stub(r)
		}
		if rows[i] == nil {
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
	l := loader.From(ctx)
	return related(ctx, objs, loader.Teams.Of(l), func(o O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindTeam, ID: id(o)}
	}, lightTeam, func(ref upstream.Ref) *upstream.Team {
		if !l.SeesTeam(ref.ID) {
			return nil // as if it did not exist
		}
		return teamStub(ref)
	})
}

func workspacesOf[O any](ctx context.Context, objs []O, id func(O) string) ([]*upstream.Workspace, error) {
	return related(ctx, objs, loader.Workspaces.From(ctx), func(o O) upstream.Ref {
		return upstream.Ref{Kind: upstream.KindWorkspace, ID: id(o)}
	}, lightWorkspace, workspaceStub)
}

// contactsOf returns the contacts that objects belong to, given by the raw ids of a
// workspace and of a contact of it.
func contactsOf[O any](ctx context.Context, objs []O, ids func(O) (workspace, id string)) ([]*upstream.Contact, error) {
	return related(ctx, objs, loader.Contacts.From(ctx), func(o O) upstream.Ref {
		workspace, id := ids(o)
		return upstream.Ref{Kind: upstream.KindContact, Parent: workspace, ID: id}
	}, lightContact, contactStub)
}

// carried returns one record for each object, of which the object carries a part, given
// by of; nil is no record. Where only the fields of that part are asked for, it is the
// record; else the record is loaded.
func carried[O, T any, P interface {
	*T
	Ref() upstream.Ref
}](ctx context.Context, objs []O, records *loader.Resource[T], of func(O) P, fields light) ([]*T, error) {
	parts := make(map[upstream.Ref]P, len(objs))
	return related(ctx, objs, records.From(ctx), func(o O) upstream.Ref {
		part := of(o)
		if part == nil {
			return upstream.Ref{}
		}
		parts[part.Ref()] = part
		return part.Ref()
	}, fields, func(ref upstream.Ref) *T { return parts[ref] })
}

// orderPages returns the pages that orders came by.
func orderPages(ctx context.Context, objs []*upstream.Order) ([]*upstream.WebPage, error) {
	fields := embeddedPage
	if slices.ContainsFunc(objs, func(o *upstream.Order) bool { return o.OrderPage == nil }) {
		fields = lightPage // nobody knows its name
	}
	return carried(ctx, objs, loader.Pages, (*upstream.Order).Page, fields)
}

// orderContacts returns who has ordered: the contacts come with the orders, but for what
// has to be asked for.
func orderContacts(ctx context.Context, objs []*upstream.Order) ([]*upstream.Contact, error) {
	if asksFor(ctx, "emailEngagement") {
		return contactsOf(ctx, objs, func(o *upstream.Order) (workspace, id string) { return o.WorkspaceID, o.ContactID })
	}
	contacts := make([]*upstream.Contact, len(objs))
	var without []*upstream.Order
	var at []int
	for i, order := range objs {
		if contacts[i] = order.Contact; order.Contact == nil {
			without, at = append(without, order), append(at, i)
		}
	}
	if len(without) == 0 {
		return contacts, nil
	}
	loaded, err := contactsOf(ctx, without, func(o *upstream.Order) (workspace, id string) { return o.WorkspaceID, o.ContactID })
	failed, _ := err.(graphql.BatchErrorList) //nolint:errorlint // made just now, by related
	errs := make(graphql.BatchErrorList, len(objs))
	for k, i := range at {
		contacts[i], errs[i] = loaded[k], failed[k]
	}
	return contacts, errs
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
	full, err := related(ctx, tags, loader.ContactTags.From(ctx), (*upstream.ContactTag).Ref, light{}, nil)
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
