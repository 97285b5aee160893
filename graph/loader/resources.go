package loader

import (
	"context"
	"slices"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// New returns the loaders of one operation, which call with the client's token
// and end with the context. expandContacts is empty or what
// [upstream.Query.Expand] has to be for the operation's contacts, all of which
// are then fetched with it, so that each is still fetched once.
//
// This is the one table of resources: how each kind is fetched by id and listed,
// and which loaders a list's rows become known to.
func New(ctx context.Context, c *upstream.Client, expandContacts string) *Loaders {
	l := &Loaders{ctx: ctx, client: c, ExpandContacts: expandContacts}

	l.Teams = newRecords(ctx, source[upstream.Team]{
		one: func(ctx context.Context, ref upstream.Ref) (*upstream.Team, error) { return c.Team(ctx, ref.ID) },
	})
	l.Users = newRecords(ctx, source[upstream.User]{
		one: func(ctx context.Context, ref upstream.Ref) (*upstream.User, error) { return c.User(ctx, ref.ID) },
	})
	l.Workspaces = newRecords(ctx, source[upstream.Workspace]{
		one: func(ctx context.Context, ref upstream.Ref) (*upstream.Workspace, error) {
			return c.Workspace(ctx, ref.ID)
		},
	})
	l.Contacts = newRecords(ctx, l.contacts())
	l.ContactTags = newRecords(ctx, source[upstream.ContactTag]{
		one:  inPlace(l, c.ContactTag),
		many: byFilter(l, c.ContactTags, ""),
	})
	l.AppliedContactTags = newRecords(ctx, source[upstream.AppliedContactTag]{
		one: inPlace(l, c.AppliedContactTag),
	})
	l.nodes = map[upstream.Kind]nodes{
		upstream.KindTeam:              l.Teams,
		upstream.KindUser:              l.Users,
		upstream.KindWorkspace:         l.Workspaces,
		upstream.KindContact:           l.Contacts,
		upstream.KindContactTag:        l.ContactTags,
		upstream.KindAppliedContactTag: l.AppliedContactTags,
		upstream.KindMembership:        within(l, func(t *upstream.Team) []*upstream.Membership { return t.Memberships }),
		upstream.KindSubscription:      within(l, func(t *upstream.Team) []*upstream.BillingSubscription { return t.BillingSubscriptions }),
	}

	l.TeamList = newLists(ctx, func(ctx context.Context, _ upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Team], error) {
		return c.Teams(ctx, q)
	}, l.Teams)
	l.UserList = newLists(ctx, func(ctx context.Context, _ upstream.Ref, q upstream.Query) (*upstream.Page[upstream.User], error) {
		return c.Users(ctx, q)
	}, l.Users)
	l.WorkspaceList = newLists(ctx, func(ctx context.Context, team upstream.Ref, q upstream.Query) (*upstream.Page[upstream.Workspace], error) {
		return c.Workspaces(ctx, team.ID, q)
	}, l.Workspaces)
	l.ContactList = newLists(ctx, listInPlace(l, c.Contacts), l.Contacts)
	l.ContactTagList = newLists(ctx, listInPlace(l, c.ContactTags), l.ContactTags)
	l.AppliedContactTagList = newLists(ctx, func(ctx context.Context, contact upstream.Ref, q upstream.Query) (*upstream.Page[upstream.AppliedContactTag], error) {
		p, err := l.place(contact.Parent)
		if err != nil {
			return nil, err
		}
		return c.AppliedContactTags(ctx, p, contact.ID, q)
	}, l.AppliedContactTags)
	return l
}

func (l *Loaders) contacts() source[upstream.Contact] {
	return source[upstream.Contact]{
		one: inPlace(l, func(ctx context.Context, p upstream.Place, id string) (*upstream.Contact, error) {
			contact, err := l.client.Contact(ctx, p, id, l.ExpandContacts)
			// A host can know records of other workspaces (API.md §9, 3): what is
			// not in the workspace asked for is not found there.
			if err == nil && upstream.IsRawID(p.WorkspaceID) && contact.WorkspaceID != p.WorkspaceID {
				return nil, upstream.NewError(upstream.NotFound, "There is no such contact in this workspace.")
			}
			return contact, err
		}),
		many: byFilter(l, l.client.Contacts, l.ExpandContacts),
	}
}

// inPlace fetches a record from its workspace's subdomain.
func inPlace[T any, P row[T]](l *Loaders, one func(context.Context, upstream.Place, string) (*T, error)) func(context.Context, upstream.Ref) (*T, error) {
	return func(ctx context.Context, ref upstream.Ref) (*T, error) {
		p, err := l.place(ref.Parent)
		if err != nil {
			return nil, err
		}
		t, err := one(ctx, p, ref.ID)
		if err == nil {
			l.learn(p, P(t).Ref().Parent)
		}
		return t, err
	}
}

// listInPlace fetches a workspace's list from its subdomain.
func listInPlace[T any, P row[T]](l *Loaders, list func(context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error)) func(context.Context, upstream.Ref, upstream.Query) (*upstream.Page[T], error) {
	return func(ctx context.Context, workspace upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		p, err := l.place(workspace.ID)
		if err != nil {
			return nil, err
		}
		page, err := list(ctx, p, q)
		if err == nil && len(page.Rows) > 0 {
			l.learn(p, P(page.Rows[0]).Ref().Parent)
		}
		return page, err
	}
}

// byFilter fetches a page of a workspace's records with filter[id].
func byFilter[T any, P row[T]](l *Loaders, list func(context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error), expand string) func(context.Context, string, []string) ([]*T, error) {
	fetch := listInPlace[T, P](l, list)
	return func(ctx context.Context, parent string, ids []string) ([]*T, error) {
		filter, err := upstream.Filter("").With("id", ids...)
		if err != nil {
			return nil, err
		}
		page, err := fetch(ctx, upstream.Ref{Kind: upstream.KindWorkspace, ID: parent}, upstream.Query{Filter: filter, Expand: expand})
		if err != nil {
			return nil, err
		}
		return page.Rows, nil
	}
}

// Node returns any record.
func (l *Loaders) Node(ref upstream.Ref) (Node, error) {
	records, ok := l.nodes[ref.Kind]
	if !ok {
		return nil, upstream.NewError(upstream.BadUserInput, "There is no such kind of object.")
	}
	return records.Node(ref)
}

// RequestNodes asks for records of any kinds without waiting for them, so that
// those that can share a call do.
func (l *Loaders) RequestNodes(refs []upstream.Ref) {
	byKind := make(map[upstream.Kind][]upstream.Ref)
	for _, ref := range refs {
		byKind[ref.Kind] = append(byKind[ref.Kind], ref)
	}
	for kind, refs := range byKind {
		if records, ok := l.nodes[kind]; ok {
			records.Request(refs...)
		}
	}
}

// part finds records that have no path of their own and come within their team.
type part[T Node] struct {
	loaders *Loaders
	of      func(*upstream.Team) []T
}

func within[T Node](l *Loaders, of func(*upstream.Team) []T) nodes { return part[T]{l, of} }

func (p part[T]) team(ref upstream.Ref) upstream.Ref {
	return upstream.Ref{Kind: upstream.KindTeam, ID: ref.Parent}
}

// Request implements nodes.
func (p part[T]) Request(refs ...upstream.Ref) {
	for _, ref := range refs {
		p.loaders.Teams.Request(p.team(ref))
	}
}

// Node implements nodes.
func (p part[T]) Node(ref upstream.Ref) (Node, error) {
	team, err := p.loaders.Teams.Load(p.team(ref))
	if err != nil {
		return nil, err
	}
	all := p.of(team)
	i := slices.IndexFunc(all, func(t T) bool { return t.Ref() == ref })
	if i < 0 {
		return nil, upstream.NewError(upstream.NotFound, "Record missing")
	}
	return all[i], nil
}
