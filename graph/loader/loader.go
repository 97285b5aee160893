// Package loader is where a request's REST calls are deduplicated, batched and
// run side by side. Its dataloaders live for one operation: what one caller may
// see is never another's answer, and nothing grows stale.
package loader

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Loaders fetches what one operation asks for, each record and each page once.
// It is safe for concurrent use.
//
// All calls run on the operation's context and not on that of the field that
// asked first: another field may be waiting for the same answer.
type Loaders struct {
	*operation
	// ctx is the operation's. Where it is traced, it says which field asks.
	ctx context.Context //nolint:containedctx // Loaders live as long as it does
	// turn is the resolver's call that loads; nil for what no resolver asks for.
	call *resolverCall
}

// operation is what all fields of one have in common.
type operation struct {
	client *upstream.Client
	kinds  map[upstream.Kind]nodeSource

	// given are the subdomains that the caller named, by workspace id. They
	// count for this operation only: a wrong one harms nobody else.
	givenSubdomains sync.Map

	expected expectations

	// located says of workspaces that the operation had to fetch in order to locate them
	// how long the chain of calls to that was.
	locateChains sync.Map
	// written is how long the chain of calls to the last write was.
	writeChain atomic.Int64

	mu      sync.Mutex
	created map[any]any // *Records by their *Resource, *Lists by their *List
}

// New returns the loaders of one operation, which call with the client's token
// and end with the context.
func New(ctx context.Context, c *upstream.Client) *Loaders {
	return &Loaders{operation: &operation{client: c, kinds: kinds}, ctx: ctx}
}

// AskedBy returns the same loaders, for what a field asks for.
func (l *Loaders) WithFieldSpan(f *upstream.FieldSpan) *Loaders {
	return l.withContext(upstream.AskedBy(l.ctx, f))
}

// on returns the same loaders, for calls on a context that is made of the operation's.
func (l *Loaders) withContext(ctx context.Context) *Loaders {
	if ctx == l.ctx { // nearly always
		return l
	}
	return &Loaders{l.operation, ctx, l.call}
}

// alone returns the same loaders, for a batch or a page, which resolvers share: its own loads
// wait for nothing that is expected of resolvers.
func (l *Loaders) forBatch(ctx context.Context) *Loaders {
	return &Loaders{operation: l.operation, ctx: ctx}
}

// After returns the same loaders, for what depends on a chain of n calls; see
// [upstream.AfterChain]. It also depends on what the operation has written.
func (l *Loaders) After(n int) *Loaders {
	return l.withContext(upstream.AfterChain(l.ctx, max(n, int(l.writeChain.Load()))))
}

// Chained reports whether the operation counts how many calls depend on each other.
func (l *Loaders) Chained() bool {
	_, ok := upstream.ChainOf(l.ctx)
	return ok
}

// branch returns the same loaders, for one of several branches that run side by side.
func (l *Loaders) branch() *Loaders {
	if n, ok := upstream.ChainOf(l.ctx); ok {
		return l.withContext(upstream.AfterChain(l.ctx, n))
	}
	return l
}

// await makes the next call depend on the one that brought a record.
func (l *Loaders) awaitChain(row any) {
	if r, ok := row.(upstream.Chained); ok && l.Chained() {
		upstream.AwaitChain(l.ctx, r.Chain())
	}
}

// loaderOf returns what an operation has of a key, making it at the first time:
// most operations touch few of all resources.
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

// From returns the loaders of the operation that the context belongs to.
func From(ctx context.Context) *Loaders {
	l, _ := ctx.Value(contextKey{}).(*Loaders)
	return l
}

// Give names a workspace's subdomain, which saves the call that finds it out.
// If two different ones are given, neither is believed.
func (l *Loaders) GiveSubdomain(workspaceID, subdomain string) {
	if had, given := l.givenSubdomains.LoadOrStore(workspaceID, subdomain); given && had != subdomain {
		l.givenSubdomains.Store(workspaceID, "")
	}
}

// learn believes the subdomain that was given for a public id for the raw one,
// too, once a record that came from there names it.
func (l *Loaders) learnSubdomain(p upstream.Place, workspaceID string) {
	if p.Subdomain != "" && !upstream.IsRawID(p.WorkspaceID) && upstream.IsRawID(workspaceID) {
		l.givenSubdomains.LoadOrStore(workspaceID, p.Subdomain)
	}
}

// Located reports whether a workspace's own subdomain can be called without
// fetching the workspace first.
func (l *Loaders) Located(workspaceID string) bool {
	_, ok := l.locate(workspaceID)
	return ok
}

func (l *Loaders) locate(workspaceID string) (upstream.Place, bool) {
	// What ClickFunnels said goes before what the caller says.
	p, ok := l.client.Locate(upstream.Place{WorkspaceID: workspaceID})
	if !ok && l.client.BelievesCaller() {
		if subdomain, given := l.givenSubdomains.Load(workspaceID); given && subdomain != "" {
			return upstream.Place{WorkspaceID: workspaceID, Subdomain: subdomain.(string)}, true
		}
	}
	return p, ok
}

// place returns where a workspace's records are found. A workspace that has to
// be fetched for it is the same record that the query's fields get.
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

// WorkspaceID returns the id by which a workspace's records are known: its raw
// one wherever that is known or has to be fetched anyway.
func (l *Loaders) WorkspaceID(id string) (string, error) {
	if upstream.IsRawID(id) {
		return id, nil
	}
	p, err := l.host(id)
	return p.WorkspaceID, err
}

// Scoped reports whether there is anything that the caller must not see.
func (l *Loaders) Scoped() bool { return l.client.Scoped() }

// Write carries out a change in a workspace, or on the accounts if that is empty, and has
// the operation forget what it has read: what is asked for from then on sees the change.
// The record that the change has returned, if it has, is known.
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

// SeesTeam reports whether a team with this raw id, if there is one, may be seen.
func (l *Loaders) SeesTeam(id string) bool { return l.client.SeesTeam(id) }
