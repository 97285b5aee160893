// Package loader deduplicates, batches and parallelizes the REST calls of an operation. Its
// caches live for one operation, so that no caller sees another's data and none goes stale.
//
// There are three kinds of loads:
//
//   - [Records] loads records by id. Loads that need the same kind, workspace and level of the
//     query share a batch.
//   - [Lists] loads pages of lists, each once.
//   - [Children] loads the lists of many parents in shared calls.
//
// A batch is sent when no resolver is expected to join it any more: see [Loaders.Expect].
package loader

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Loaders loads the records and pages of one operation, each once. It is safe for concurrent use.
//
// All calls run on the operation's context, not on the context of the field that came first:
// another field may wait for the same result.
type Loaders struct {
	*operation
	// ctx derives from the operation's context. It carries the span and the chain of calls of the
	// field that loads.
	ctx context.Context //nolint:containedctx // Loaders live as long as it does
	// call is the resolver call that loads, nil outside of resolvers.
	call *resolverCall
}

// operation is the state that all loaders of an operation share.
type operation struct {
	client *upstream.Client
	kinds  map[upstream.Kind]nodeSource

	// givenSubdomains are the subdomains that the caller named, by workspace id. They apply to
	// this operation only, so that a wrong one affects no other.
	givenSubdomains sync.Map

	expected expectations

	// locateChains holds the number of sequential calls after which a workspace's subdomain was
	// known, by workspace id, if this operation had to fetch it.
	locateChains sync.Map
	// writeChain is the number of sequential calls up to and including the last write.
	writeChain atomic.Int64

	mu      sync.Mutex
	created map[any]any // *Records by *Resource, *Lists by *List, and so on
}

// New returns the loaders of one operation. They call with the client's token, and their calls
// end with the context.
func New(ctx context.Context, c *upstream.Client) *Loaders {
	return &Loaders{operation: &operation{client: c, kinds: kinds}, ctx: ctx}
}

// WithFieldSpan returns the same loaders, whose calls belong to a field's span.
func (l *Loaders) WithFieldSpan(f *upstream.FieldSpan) *Loaders {
	return l.withContext(upstream.WithFieldSpan(l.ctx, f))
}

// withContext returns the same loaders with a context that derives from the operation's.
func (l *Loaders) withContext(ctx context.Context) *Loaders {
	if ctx == l.ctx { // the usual case
		return l
	}
	return &Loaders{l.operation, ctx, l.call}
}

// forBatch returns the same loaders for a batch or a page, which resolvers share. Its own loads
// wait for no resolver.
func (l *Loaders) forBatch(ctx context.Context) *Loaders {
	return &Loaders{operation: l.operation, ctx: ctx}
}

// After returns the same loaders for calls that depend on a chain of n sequential calls (see
// [upstream.AfterChain]). They also depend on the operation's last write.
func (l *Loaders) After(n int) *Loaders {
	return l.withContext(upstream.AfterChain(l.ctx, max(n, int(l.writeChain.Load()))))
}

// Chained reports whether the operation counts its sequential calls.
func (l *Loaders) Chained() bool {
	_, ok := upstream.ChainOf(l.ctx)
	return ok
}

// branch returns the same loaders for one of several concurrent branches.
func (l *Loaders) branch() *Loaders {
	if n, ok := upstream.ChainOf(l.ctx); ok {
		return l.withContext(upstream.AfterChain(l.ctx, n))
	}
	return l
}

// awaitChain makes the next call depend on the call that brought a record.
func (l *Loaders) awaitChain(row any) {
	if r, ok := row.(upstream.Chained); ok && l.Chained() {
		upstream.AwaitChain(l.ctx, r.Chain())
	}
}

// getOrCreate returns the operation's value for a key. It creates the value when first used,
// since most operations use few of all resources.
func getOrCreate[L any](l *Loaders, key any, create func() L) L {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.created[key]; ok {
		return known.(L)
	}
	if l.created == nil {
		l.created = make(map[any]any)
	}
	made := create()
	l.created[key] = made
	return made
}

type contextKey struct{}

// With returns a context that carries the loaders.
func With(ctx context.Context, l *Loaders) context.Context {
	return context.WithValue(ctx, contextKey{}, l)
}

// From returns the loaders in the context, nil if it carries none.
func From(ctx context.Context) *Loaders {
	l, _ := ctx.Value(contextKey{}).(*Loaders)
	return l
}

// GiveSubdomain names a workspace's subdomain, which saves the call to find it. If the caller
// names two different ones, neither is used.
func (l *Loaders) GiveSubdomain(workspaceID, subdomain string) {
	if had, given := l.givenSubdomains.LoadOrStore(workspaceID, subdomain); given && had != subdomain {
		l.givenSubdomains.Store(workspaceID, "")
	}
}

// learnSubdomain applies the subdomain that was given for a public id to the raw id as well. The
// raw id is known once a record from that subdomain names it.
func (l *Loaders) learnSubdomain(p upstream.Place, workspaceID string) {
	if p.Subdomain != "" && !upstream.IsRawID(p.WorkspaceID) && upstream.IsRawID(workspaceID) {
		l.givenSubdomains.LoadOrStore(workspaceID, p.Subdomain)
	}
}

// Located reports whether a workspace's subdomain is known, so that it need not be fetched first.
func (l *Loaders) Located(workspaceID string) bool {
	_, ok := l.locate(workspaceID)
	return ok
}

func (l *Loaders) locate(workspaceID string) (upstream.Place, bool) {
	// A subdomain from ClickFunnels takes precedence over the caller's.
	p, ok := l.client.Locate(upstream.Place{WorkspaceID: workspaceID})
	if !ok && l.client.TrustsCaller() {
		if subdomain, given := l.givenSubdomains.Load(workspaceID); given && subdomain != "" {
			return upstream.Place{WorkspaceID: workspaceID, Subdomain: subdomain.(string)}, true
		}
	}
	return p, ok
}

// host returns the workspace's host. If the workspace has to be fetched for it, the query's
// fields get the same record.
func (l *Loaders) host(workspaceID string) (upstream.Place, error) {
	if p, ok := l.locate(workspaceID); ok {
		if n, ok := l.locateChains.Load(workspaceID); ok {
			upstream.AwaitChain(l.ctx, n.(int))
		}
		return p, nil
	}
	w, err := Workspaces.Of(l).Load(upstream.Ref{Kind: upstream.KindWorkspace, ID: workspaceID})
	if err != nil {
		return upstream.Place{}, err
	}
	return l.client.PlaceOf(w)
}

// WorkspaceID returns the id that identifies a workspace in refs: the raw id if it is known, else
// the given public id. It fetches the workspace if its subdomain is unknown.
func (l *Loaders) WorkspaceID(id string) (string, error) {
	if upstream.IsRawID(id) {
		return id, nil
	}
	p, err := l.host(id)
	return p.WorkspaceID, err
}

// ScopedWorkspaces returns the raw ids of the workspaces in the client's scope, nil if it names none.
func (l *Loaders) ScopedWorkspaces() []string { return l.client.ScopedWorkspaces() }

// Scoped reports whether the client may not see everything that its token reaches.
func (l *Loaders) Scoped() bool { return l.client.Scoped() }

// Write makes a change in a workspace, or on the accounts host if workspace is empty. It then
// drops everything that the operation has loaded, so that later loads see the change. The record
// that the change returns, if any, is primed.
func Write[T any](l *Loaders, records *Resource[T], workspace string, change func(context.Context, *upstream.Client, upstream.Place) (*T, error)) (*T, error) {
	var p upstream.Place
	if workspace != "" {
		var err error
		if p, err = l.host(workspace); err != nil {
			return nil, err
		}
	}
	row, err := change(l.ctx, l.client, p)
	if n, ok := upstream.ChainOf(l.ctx); ok {
		l.writeChain.Store(int64(n))
	}
	l.mu.Lock()
	l.created = nil
	l.mu.Unlock()
	if err == nil && row != nil {
		records.Of(l).Prime([]*T{row})
	}
	return row, err
}

// SeesTeam reports whether the client may see a team with this raw id. The team need not exist.
func (l *Loaders) SeesTeam(id string) bool { return l.client.SeesTeam(id) }
