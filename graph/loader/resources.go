package loader

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// The resources of the accounts host, and the lists that the generated table (resources.gen.go)
// lacks.
var (
	Teams      = newResource(onAccounts((*upstream.Client).Team), nil)
	Users      = newResource(onAccounts((*upstream.Client).User), nil)
	Workspaces = newResource(workspace, nil)

	TeamList      = newList(Teams, listOfToken((*upstream.Client).Teams))
	UserList      = newList(Users, listOfToken((*upstream.Client).Users))
	WorkspaceList = newList(Workspaces, listOfTeam((*upstream.Client).Workspaces))

	// MembershipList has more memberships than the team's record, which contains those of people.
	MembershipList = newList(newResource[upstream.Membership](nil, nil), listOfTeam((*upstream.Client).Memberships))

	CourseEnrollmentsByID = byKey(CourseEnrollmentList, "id", func(e *upstream.CourseEnrollment) string { return e.RawID() })
	ProductVariantsByID   = byKey(ProductVariantList, "id", func(v *upstream.ProductVariant) string { return v.RawID() })
)

// kinds says how the records of each kind with global ids are loaded.
var kinds = func() map[upstream.Kind]nodeSource {
	all := maps.Clone(resourceKinds)
	all[upstream.KindTeam], all[upstream.KindUser], all[upstream.KindWorkspace] = Teams, Users, Workspaces
	all[upstream.KindMembership] = embeddedInTeam[*upstream.Membership]{(*upstream.Team).Memberships, membershipsOf}
	all[upstream.KindSubscription] = embeddedInTeam[*upstream.BillingSubscription]{(*upstream.Team).BillingSubscriptions, nil}
	return all
}()

// Owned reports whether the records do not name their workspace.
func (r *Resource[T]) Owned() bool { return r.ownerOf != nil }

// nodeSource loads the records of one kind.
type nodeSource interface {
	nodeLoader(l *Loaders) nodeLoader
	// batches reports whether REST finds several records by their ids in one call.
	batches() bool
}

// Batches reports whether REST finds several records of a kind by their ids in one call.
func Batches(k upstream.Kind) bool { return kinds[k] != nil && kinds[k].batches() }

// verifiedOwner returns the owner of records that do not name their workspace. It fails if the
// owner does not belong to this workspace: a host can return records of other workspaces (clickfunnels-api.md
// §9, 3). Clients that may see everything need no such check and get nil.
func (l *Loaders) verifiedOwner(owner upstream.Ref) (Node, error) {
	if !l.client.Scoped() {
		return nil, nil //nolint:nilnil // nothing to be asked
	}
	node, err := l.owner(owner)
	if errors.Is(err, upstream.Timeout) || errors.Is(err, upstream.OverBudget) {
		return nil, upstream.RecordNotFound() // whose it is remains unknown
	}
	return node, err
}

// owner returns an owner: the operation's own record if it was loaded, else a record loaded
// aside. The number of calls for the latter depends on whose the record is and on earlier loads.
// They therefore have a budget of their own, and every record costs the caller the same, wherever
// it belongs (see [batch.fetchOne]).
func (l *Loaders) owner(ref upstream.Ref) (Node, error) {
	kind, ok := l.kinds[ref.Kind]
	if !ok || ref.ID == "" {
		return nil, upstream.RecordNotFound()
	}
	if node, cached, err := kind.nodeLoader(l).Cached(ref); cached {
		return node, err
	}
	return l.aside().Node(ref)
}

// aside returns the loaders for owner checks. They share nothing with the operation's own loads
// or call budget.
func (l *Loaders) aside() *Loaders {
	type key struct{}
	return getOrCreate(l, key{}, func() *Loaders { return New(transport.WithSeparateAllowance(l.ctx), l.client) })
}

// The functions below adapt methods of the client to fetch functions.

// onAccounts fetches a record from the accounts host.
func onAccounts[T any](one func(*upstream.Client, context.Context, string) (*T, error)) func(*Loaders, upstream.Ref) (*T, error) {
	return func(l *Loaders, ref upstream.Ref) (*T, error) { return one(l.client, l.ctx, ref.ID) }
}

// workspace fetches a workspace. If its subdomain was unknown before, calls for its records
// depend on this call.
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

// fromWorkspace fetches a record from its workspace's subdomain.
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

// hostFor returns the host of a workspace for records of a kind. Records that do not name their
// workspace take its raw id from the host, for their own ids.
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

// fetchPage fetches a page of a parent's list.
type fetchPage[T any] func(l *Loaders, parent upstream.Ref, q upstream.Query) (*upstream.Page[T], error)

// listOfToken lists everything that the token reaches. There is no parent.
func listOfToken[T any](list func(*upstream.Client, context.Context, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, _ upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, q)
	}
}

// listOfTeam lists the rows of a team.
func listOfTeam[T any](list func(*upstream.Client, context.Context, string, upstream.Query) (*upstream.Page[T], error)) fetchPage[T] {
	return func(l *Loaders, team upstream.Ref, q upstream.Query) (*upstream.Page[T], error) {
		return list(l.client, l.ctx, team.ID, q)
	}
}

// listOfWorkspace lists the rows of a workspace, from its subdomain.
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

// listOfRecord lists the rows of a workspace's record, from the workspace's subdomain.
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

// listOfOwner is [listOfRecord] for rows whose owner is that record. For scoped clients it drops
// rows of other owners, which ClickFunnels might send.
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

// onlyOwned drops rows of other workspaces for scoped clients. It loads the owner of each row to
// find out.
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
		l.aside().RequestNodes(owners) // request all before waiting for any
		var failed error               // an error of the check, not of a certain row
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

// allRowsOf returns the refs of all records of a workspace's list.
func allRowsOf[T any, P row[T]](list *List[T]) func(*Loaders, upstream.Ref) ([]upstream.Ref, error) {
	return func(l *Loaders, workspace upstream.Ref) ([]upstream.Ref, error) {
		all, err := list.Of(l).Load(workspace, upstream.Query{}, upstream.Window{Limit: WholeList})
		refs := make([]upstream.Ref, len(all.Rows))
		for i, t := range all.Rows {
			refs[i] = P(t).Ref()
		}
		return refs, err
	}
}

// Node returns a record of any kind. Its error is [upstream.BadUserInput] for an unknown kind.
func (l *Loaders) Node(ref upstream.Ref) (Node, error) {
	kind, ok := l.kinds[ref.Kind]
	if !ok {
		return nil, upstream.NewError(upstream.BadUserInput, "There is no such kind of object.")
	}
	return kind.nodeLoader(l).Node(ref)
}

// RequestNodes requests records of any kinds without waiting for them, so that they can share
// calls.
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

// embeddedInTeam finds records that have no path of their own but come within their team. Some of
// them may only be in a list of the team, which all loads if it is not nil.
type embeddedInTeam[T Node] struct {
	within func(*upstream.Team) []T
	all    func(l *Loaders, team upstream.Ref) ([]T, error)
}

// membershipsOf loads all memberships of a team.
func membershipsOf(l *Loaders, team upstream.Ref) ([]*upstream.Membership, error) {
	s, err := MembershipList.Of(l).Load(team, upstream.Query{}, upstream.Window{Limit: WholeList})
	return s.Rows, err
}

func (w embeddedInTeam[T]) batches() bool { return false }

func (w embeddedInTeam[T]) nodeLoader(l *Loaders) nodeLoader { return teamNodes[T]{l, w} }

// teamNodes loads these records for an operation.
type teamNodes[T Node] struct {
	loaders *Loaders
	source  embeddedInTeam[T]
}

func (p teamNodes[T]) team(ref upstream.Ref) upstream.Ref {
	return upstream.Ref{Kind: upstream.KindTeam, ID: ref.Parent}
}

// Request implements nodeLoader.
func (p teamNodes[T]) Request(refs ...upstream.Ref) {
	for _, ref := range refs {
		Teams.Of(p.loaders).Request(p.team(ref))
	}
}

// Cached implements nodeLoader. These records never own others, so none is needed.
func (p teamNodes[T]) Cached(upstream.Ref) (Node, bool, error) { return nil, false, nil }

// Node implements nodeLoader.
func (p teamNodes[T]) Node(ref upstream.Ref) (Node, error) {
	team, err := Teams.Of(p.loaders).Load(p.team(ref))
	if err != nil {
		return nil, err
	}
	all, found := p.source.within(team), func(t T) bool { return t.Ref() == ref }
	i := slices.IndexFunc(all, found)
	if i < 0 && p.source.all != nil {
		if all, err = p.source.all(p.loaders, p.team(ref)); err != nil {
			return nil, err
		}
		i = slices.IndexFunc(all, found)
	}
	if i < 0 {
		return nil, upstream.RecordNotFound()
	}
	return all[i], nil
}
