package loader

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// The resources of the accounts host, and the lists of what belongs to other records. The
// rest of the table is generated.
var (
	Teams      = newResource(onAccounts((*upstream.Client).Team), nil)
	Users      = newResource(onAccounts((*upstream.Client).User), nil)
	Workspaces = newResource(workspace, nil)

	TeamList      = newList(Teams, listOfToken((*upstream.Client).Teams))
	UserList      = newList(Users, listOfToken((*upstream.Client).Users))
	WorkspaceList = newList(Workspaces, listOfTeam((*upstream.Client).Workspaces))

	ProductVariantsByID = byKey(ProductVariantList, "id", func(v *upstream.ProductVariant) string { return v.RawID() })
)

// kinds are where the records of each kind are found that have global ids.
var kinds = func() map[upstream.Kind]nodeSource {
	all := maps.Clone(resourceKinds)
	all[upstream.KindTeam], all[upstream.KindUser], all[upstream.KindWorkspace] = Teams, Users, Workspaces
	all[upstream.KindMembership] = embeddedInTeam[*upstream.Membership](func(t *upstream.Team) []*upstream.Membership { return t.Memberships() })
	all[upstream.KindSubscription] = embeddedInTeam[*upstream.BillingSubscription](func(t *upstream.Team) []*upstream.BillingSubscription { return t.BillingSubscriptions() })
	return all
}()

// Owned reports whether the records do not name their workspace.
func (r *Resource[T]) Owned() bool { return r.ownerOf != nil }

// kind is where the records of a kind are found.
type nodeSource interface {
	nodeLoader(l *Loaders) nodeLoader
	// batches reports whether REST finds several records by their ids in one call.
	batches() bool
}

// Batches reports whether REST finds several records of a kind by their ids in one call.
func Batches(k upstream.Kind) bool { return kinds[k] != nil && kinds[k].batches() }

// owned returns the record that something belongs to which does not name its
// workspace, if the caller may not see everything: a host can know records of other
// workspaces (API.md §9, 3). It fails if that is not this workspace's; others are not
// asked, and get nil.
func (l *Loaders) verifiedOwner(owner upstream.Ref) (Node, error) {
	if !l.client.Scoped() {
		return nil, nil //nolint:nilnil // nothing to be asked
	}
	node, err := l.owner(owner)
	if errors.Is(err, upstream.Timeout) || errors.Is(err, upstream.OverBudget) {
		return nil, upstream.NotThere() // nobody knows whose it is
	}
	return node, err
}

// owner returns an owner: the record that the operation has, or else one that is fetched
// beside it. What that takes depends on whose the record is and on what was asked for
// before, so that it has a budget of its own: who asks for a record pays the same for it
// wherever it belongs ([batch.one]).
func (l *Loaders) owner(ref upstream.Ref) (Node, error) {
	kind, ok := l.kinds[ref.Kind]
	if !ok || ref.ID == "" {
		return nil, upstream.NotThere()
	}
	if node, cached, err := kind.nodeLoader(l).Cached(ref); cached {
		return node, err
	}
	return l.aside().Node(ref)
}

// beside are the loaders of what is asked beside the operation.
func (l *Loaders) aside() *Loaders {
	type key struct{}
	return getOrCreate(l, key{}, func() *Loaders { return New(upstream.Aside(l.ctx), l.client) })
}

// The ways to fetch, each for methods of the client.

// onAccounts fetches a record from the accounts host.
func onAccounts[T any](one func(*upstream.Client, context.Context, string) (*T, error)) func(*Loaders, upstream.Ref) (*T, error) {
	return func(l *Loaders, ref upstream.Ref) (*T, error) { return one(l.client, l.ctx, ref.ID) }
}

// workspace fetches a workspace. Whether it was located before decides on what its records' calls
// depend.
func workspace(l *Loaders, ref upstream.Ref) (*upstream.Workspace, error) {
	located := l.Located(ref.ID)
	w, err := l.client.Workspace(l.ctx, ref.ID)
	if err == nil && !located && l.Chained() {
		for _, id := range w.IDs() {
			l.locateChains.LoadOrStore(id, w.Chain())
		}
	}
	return w, err
}

// inPlace fetches a record from its workspace's subdomain.
func fromWorkspace[T any, P row[T]](one func(*upstream.Client, context.Context, upstream.Place, string) (*T, error)) func(*Loaders, upstream.Ref) (*T, error) {
	return func(l *Loaders, ref upstream.Ref) (*T, error) {
		p, err := hostFor[T](l, ref.Parent)
		if err != nil {
			return nil, err
		}
		t, err := one(l.client, l.ctx, p, ref.ID)
		if err == nil {
			l.learnSubdomain(p, P(t).Ref().Parent)
		}
		return t, err
	}
}

// placeFor returns where a workspace's records of a kind are found. Those that do not name
// their workspace take its raw id from there, by which their own ids are made.
func hostFor[T any](l *Loaders, workspace string) (upstream.Place, error) {
	p, err := l.host(workspace)
	if err != nil || upstream.TypeOf[T]().NamesWorkspace() || upstream.IsRawID(p.WorkspaceID) {
		return p, err
	}
	w, err := Workspaces.Of(l).Load(upstream.Ref{Kind: upstream.KindWorkspace, ID: workspace})
	if err != nil {
		return p, err
	}
	p.WorkspaceID = w.Key()
	return p, nil
}

// byFilter fetches a page of a workspace's records with filter[id].
func byFilter[T any, P row[T]](list func(*upstream.Client, context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error)) func(*Loaders, string, []string) ([]*T, error) {
	fetch := listOfWorkspace[T, P](list)
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
type fetchPage[T any] func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error)

// ofToken lists all that the token reaches; there is no parent.
func listOfToken[T any](list func(*upstream.Client, context.Context, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, q)
	}
}

// ofTeam lists what a team has.
func listOfTeam[T any](list func(*upstream.Client, context.Context, string, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, team upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, team.ID, q)
	}
}

// ofWorkspace lists what a workspace has, from its subdomain.
func listOfWorkspace[T any, P row[T]](list func(*upstream.Client, context.Context, upstream.Place, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, workspace upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		p, err := hostFor[T](l, workspace.ID)
		if err != nil {
			return nil, err
		}
		page, err := list(l.client, l.ctx, p, q)
		if err == nil && len(page.Rows) > 0 {
			l.learnSubdomain(p, P(page.Rows[0]).Ref().Parent)
		}
		return page, err
	}
}

// ofRecord lists what a record of a workspace has, from the workspace's subdomain.
func listOfRecord[T any](list func(*upstream.Client, context.Context, upstream.Place, string, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		p, err := l.host(parent.Parent)
		if err != nil {
			return nil, err
		}
		if _, err := l.verifiedOwner(parent); err != nil {
			return nil, err
		}
		return list(l.client, l.ctx, p, parent.ID, q)
	}
}

// below is [ofRecord] for rows of which that record is the owner. Who must not see
// everything gets nothing else, whatever ClickFunnels answers with.
func listOfOwner[T any](rows *Resource[T], list func(*upstream.Client, context.Context, upstream.Place, string, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	fetch := listOfRecord(list)
	return func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		page, err := fetch(l, parent, q)
		if err == nil && l.client.Scoped() {
			owner, err := l.verifiedOwner(parent)
			if err != nil {
				return nil, err
			}
			page.Keep(func(t *T) bool { return rows.ownerOf(t) == owner.Ref() })
		}
		return page, err
	}
}

// ownedRows leaves of a list for whoever must not see everything what is the workspace's own,
// where that has to be asked for each row's owner.
func onlyOwned[T any](rows *Resource[T], fetch fetchPage[T]) fetchPage[T] {
	return func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		page, err := fetch(l, parent, q)
		if err != nil || !l.client.Scoped() {
			return page, err
		}
		owners := make([]upstream.Ref, len(page.Rows))
		for i, t := range page.Rows {
			owners[i] = rows.ownerOf(t)
		}
		l.aside().RequestNodes(owners) // all before any is waited for
		var failed error               // which is nobody's in particular
		page.Keep(func(t *T) bool {
			_, err := l.owner(rows.ownerOf(t))
			if err != nil && !errors.Is(err, upstream.NotFound) {
				failed = err
			}
			return err == nil
		})
		if failed != nil {
			return nil, failed
		}
		return page, nil
	}
}

// everyOf returns all records of a workspace's list.
func allRowsOf[T any, P row[T]](list *List[T]) func(*Loaders, upstream.Ref) ([]upstream.Ref, error) {
	return func(l *Loaders, workspace upstream.Ref) ([]upstream.Ref, error) {
		all, err := list.Of(l).Load(workspace, upstream.Query{}, upstream.Window{Limit: wholeList})
		refs := make([]upstream.Ref, len(all.Rows))
		for i, t := range all.Rows {
			refs[i] = P(t).Ref()
		}
		return refs, err
	}
}

// Node returns any record.
func (l *Loaders) Node(ref upstream.Ref) (Node, error) {
	kind, ok := l.kinds[ref.Kind]
	if !ok {
		return nil, upstream.NewError(upstream.BadUserInput, "There is no such kind of object.")
	}
	return kind.nodeLoader(l).Node(ref)
}

// RequestNodes asks for records of any kinds without waiting for them, so that
// those that can share a call do.
func (l *Loaders) RequestNodes(refs []upstream.Ref) {
	byKind := make(map[upstream.Kind][]upstream.Ref)
	for _, ref := range refs {
		byKind[ref.Kind] = append(byKind[ref.Kind], ref)
	}
	for kind, refs := range byKind {
		if records, ok := l.kinds[kind]; ok {
			records.nodeLoader(l).Request(refs...)
		}
	}
}

// within finds records that have no path of their own and come within their team.
type embeddedInTeam[T Node] func(*upstream.Team) []T

func (w embeddedInTeam[T]) batches() bool { return false }

func (w embeddedInTeam[T]) nodeLoader(l *Loaders) nodeLoader { return teamNodes[T]{l, w} }

// part are those records for an operation.
type teamNodes[T Node] struct {
	loaders *Loaders
	source  embeddedInTeam[T]
}

func (p teamNodes[T]) team(ref upstream.Ref) upstream.Ref {
	return upstream.Ref{Kind: upstream.KindTeam, ID: ref.Parent}
}

// Request implements nodes.
func (p teamNodes[T]) Request(refs ...upstream.Ref) {
	for _, ref := range refs {
		Teams.Of(p.loaders).Request(p.team(ref))
	}
}

// Known implements nodes: none of these is another's owner.
func (p teamNodes[T]) Cached(upstream.Ref) (Node, bool, error) { return nil, false, nil }

// Node implements nodes.
func (p teamNodes[T]) Node(ref upstream.Ref) (Node, error) {
	team, err := Teams.Of(p.loaders).Load(p.team(ref))
	if err != nil {
		return nil, err
	}
	all := p.source(team)
	i := slices.IndexFunc(all, func(t T) bool { return t.Ref() == ref })
	if i < 0 {
		return nil, upstream.NotThere()
	}
	return all[i], nil
}
