package loader

import (
	"context"
	"errors"
	"slices"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// The one table of resources: how each kind is fetched by its id, and each list.
// Rows of lists become known to their kind.
var (
	Teams              = newResource(onAccounts((*upstream.Client).Team), nil)
	Users              = newResource(onAccounts((*upstream.Client).User), nil)
	Workspaces         = newResource(onAccounts((*upstream.Client).Workspace), nil)
	Contacts           = newResource(inPlace((*upstream.Client).Contact), byFilter((*upstream.Client).Contacts))
	ContactTags        = newResource(inPlace((*upstream.Client).ContactTag), byFilter((*upstream.Client).ContactTags))
	AppliedContactTags = newResource(appliedContactTag, nil)
	Funnels            = newResource(inPlace((*upstream.Client).Funnel), byFilter((*upstream.Client).Funnels))
	Pages              = newResource(inPlace((*upstream.Client).Page), byFilter((*upstream.Client).Pages))
	FormSubmissions    = newResource(inPlace((*upstream.Client).FormSubmission), byFilter((*upstream.Client).FormSubmissions))
	Orders             = newResource(inPlace((*upstream.Client).Order), byFilter((*upstream.Client).Orders))

	TeamList              = newList(Teams, ofToken((*upstream.Client).Teams))
	UserList              = newList(Users, ofToken((*upstream.Client).Users))
	WorkspaceList         = newList(Workspaces, ofTeam((*upstream.Client).Workspaces))
	ContactList           = newList(Contacts, ofWorkspace((*upstream.Client).Contacts))
	ContactTagList        = newList(ContactTags, ofWorkspace((*upstream.Client).ContactTags))
	AppliedContactTagList = newList(AppliedContactTags, ofContact((*upstream.Client).AppliedContactTags))
	FunnelList            = newList(Funnels, ofWorkspace((*upstream.Client).Funnels))
	PageList              = newList(Pages, ofWorkspace((*upstream.Client).Pages))
	FormSubmissionList    = newList(FormSubmissions, ofWorkspace((*upstream.Client).FormSubmissions))
	OrderList             = newList(Orders, ofWorkspace((*upstream.Client).Orders))
)

// kinds are where the records of each kind are found that have global ids.
var kinds = map[upstream.Kind]interface{ in(*Loaders) nodes }{
	upstream.KindTeam:              Teams,
	upstream.KindUser:              Users,
	upstream.KindWorkspace:         Workspaces,
	upstream.KindContact:           Contacts,
	upstream.KindContactTag:        ContactTags,
	upstream.KindAppliedContactTag: AppliedContactTags,
	upstream.KindFunnel:            Funnels,
	upstream.KindPage:              Pages,
	upstream.KindFormSubmission:    FormSubmissions,
	upstream.KindOrder:             Orders,
	upstream.KindMembership:        within[*upstream.Membership](func(t *upstream.Team) []*upstream.Membership { return t.Memberships }),
	upstream.KindSubscription:      within[*upstream.BillingSubscription](func(t *upstream.Team) []*upstream.BillingSubscription { return t.BillingSubscriptions }),
}

// appliedContactTag fetches an applied tag. It does not say where it belongs, but
// its contact does.
func appliedContactTag(l *Loaders, ref upstream.Ref) (*upstream.AppliedContactTag, error) {
	t, err := inPlace((*upstream.Client).AppliedContactTag)(l, ref)
	if errors.Is(err, upstream.NotFound) {
		l.client.Forgo(l.ctx) // so that the budget does not tell it from one that is another's
	}
	if err != nil {
		return nil, err
	}
	return t, l.ownContact(upstream.Ref{Kind: upstream.KindContact, Parent: t.WorkspaceID, ID: t.ContactID})
}

// ownContact fails if a caller who may not see everything would be shown something
// of another workspace's contact: a host can know records of other workspaces
// (API.md §9, 3), and what belongs to a contact does not name its workspace.
func (l *Loaders) ownContact(contact upstream.Ref) error {
	if !l.client.Scoped() {
		return nil
	}
	_, err := Contacts.Of(l).Load(contact)
	if errors.Is(err, upstream.OverBudget) || errors.Is(err, upstream.Timeout) {
		return upstream.NotThere() // nobody knows whose it is
	}
	return err
}

// The ways to fetch, each for methods of the client.

// onAccounts fetches a record from the accounts host.
func onAccounts[T any](one func(*upstream.Client, context.Context, string) (*T, error)) func(*Loaders, upstream.Ref) (*T, error) {
	return func(l *Loaders, ref upstream.Ref) (*T, error) { return one(l.client, l.ctx, ref.ID) }
}

// inPlace fetches a record from its workspace's subdomain.
func inPlace[T any, P row[T]](one func(*upstream.Client, context.Context, upstream.Place, string) (*T, error)) func(*Loaders, upstream.Ref) (*T, error) {
	return func(l *Loaders, ref upstream.Ref) (*T, error) {
		p, err := l.place(ref.Parent)
		if err != nil {
			return nil, err
		}
		t, err := one(l.client, l.ctx, p, ref.ID)
		if err == nil {
			l.learn(p, P(t).Ref().Parent)
		}
		return t, err
	}
}

// byFilter fetches a page of a workspace's records with filter[id].
func byFilter[T any, P row[T]](list func(*upstream.Client, context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error)) func(*Loaders, string, []string) ([]*T, error) {
	fetch := ofWorkspace[T, P](list)
	return func(l *Loaders, workspace string, ids []string) ([]*T, error) {
		filter, err := upstream.Filter("").With("id", ids...)
		if err != nil {
			return nil, err
		}
		page, err := fetch(l, upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace}, upstream.Query{Filter: filter})
		if err != nil {
			return nil, err
		}
		return page.Rows, nil
	}
}

// pages fetches a page of a parent's list.
type pages[T any] func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error)

// ofToken lists all that the token reaches; there is no parent.
func ofToken[T any](list func(*upstream.Client, context.Context, upstream.Query) (*upstream.Page[T], error)) pages[T] {
	return func(l *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, q)
	}
}

// ofTeam lists what a team has.
func ofTeam[T any](list func(*upstream.Client, context.Context, string, upstream.Query) (*upstream.Page[T], error)) pages[T] {
	return func(l *Loaders, team upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, team.ID, q)
	}
}

// ofWorkspace lists what a workspace has, from its subdomain.
func ofWorkspace[T any, P row[T]](list func(*upstream.Client, context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error)) pages[T] {
	return func(l *Loaders, workspace upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		p, err := l.place(workspace.ID)
		if err != nil {
			return nil, err
		}
		page, err := list(l.client, l.ctx, p, q)
		if err == nil && len(page.Rows) > 0 {
			l.learn(p, P(page.Rows[0]).Ref().Parent)
		}
		return page, err
	}
}

// ofContact lists what a contact has, from its workspace's subdomain.
func ofContact[T any](list func(*upstream.Client, context.Context, upstream.Place, string, upstream.Query) (*upstream.Page[T], error)) pages[T] {
	return func(l *Loaders, contact upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		p, err := l.place(contact.Parent)
		if err != nil {
			return nil, err
		}
		if err := l.ownContact(contact); err != nil {
			return nil, err
		}
		return list(l.client, l.ctx, p, contact.ID, q)
	}
}

// Node returns any record.
func (l *Loaders) Node(ref upstream.Ref) (Node, error) {
	kind, ok := kinds[ref.Kind]
	if !ok {
		return nil, upstream.NewError(upstream.BadUserInput, "There is no such kind of object.")
	}
	return kind.in(l).Node(ref)
}

// RequestNodes asks for records of any kinds without waiting for them, so that
// those that can share a call do.
func (l *Loaders) RequestNodes(refs []upstream.Ref) {
	byKind := make(map[upstream.Kind][]upstream.Ref)
	for _, ref := range refs {
		byKind[ref.Kind] = append(byKind[ref.Kind], ref)
	}
	for kind, refs := range byKind {
		if records, ok := kinds[kind]; ok {
			records.in(l).Request(refs...)
		}
	}
}

// within finds records that have no path of their own and come within their team.
type within[T Node] func(*upstream.Team) []T

func (w within[T]) in(l *Loaders) nodes { return part[T]{l, w} }

// part are those records for an operation.
type part[T Node] struct {
	loaders *Loaders
	of      within[T]
}

func (p part[T]) team(ref upstream.Ref) upstream.Ref {
	return upstream.Ref{Kind: upstream.KindTeam, ID: ref.Parent}
}

// Request implements nodes.
func (p part[T]) Request(refs ...upstream.Ref) {
	for _, ref := range refs {
		Teams.Of(p.loaders).Request(p.team(ref))
	}
}

// Node implements nodes.
func (p part[T]) Node(ref upstream.Ref) (Node, error) {
	team, err := Teams.Of(p.loaders).Load(p.team(ref))
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
