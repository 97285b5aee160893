package loader

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// BatchKey identifies a batch: loads of one kind of record, in one workspace, at one level of the
// query, share their REST calls.
type BatchKey struct {
	Workspace string // raw or public id
	Kind      upstream.Kind
	Level     int
	// Deferred says that the load belongs to a deferred fragment. Batches of other loads do not
	// wait for it.
	Deferred bool
}

// expectations counts the loads that an operation has announced and not yet made, by their batch.
// A batch is sent when none of its announced loads is outstanding. No timer guesses when a batch
// is full.
//
// A load is announced with [Loaders.Expect] before its resolver runs, and settled with
// [Loaders.Settle] when it has joined its batch or will not be made. expectations is safe for
// concurrent use.
type expectations struct {
	mu      sync.Mutex
	count   map[BatchKey]int
	waiting []pendingBatch
	watched bool // whether end runs when the operation's context ends
}

// pendingBatch is a batch that is not sent yet, and the keys under which loads may join it.
type pendingBatch struct {
	keys     []BatchKey
	deferred bool // whether a deferred fragment waits for it
	send     func()
}

// Expect announces loads. Each key must be passed to [Loaders.Settle] once.
func (l *Loaders) Expect(keys ...BatchKey) {
	l.expected.mu.Lock()
	defer l.expected.mu.Unlock()
	l.expected.add(keys)
}

// ExpectMore announces loads if one of their batches is needed anyway: another load is expected
// for it, or it is pending. Batches that only deferred fragments wait for do not count. It
// reports whether it announced the loads; only then must they be settled.
func (l *Loaders) ExpectMore(keys ...BatchKey) bool {
	e := &l.expected
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.ContainsFunc(keys, e.isOpen) {
		return false
	}
	e.add(keys)
	return true
}

func (e *expectations) add(keys []BatchKey) {
	if e.count == nil {
		e.count = make(map[BatchKey]int)
	}
	for _, key := range keys {
		e.count[key]++
	}
}

func (e *expectations) isOpen(key BatchKey) bool {
	return e.count[key] > 0 || slices.ContainsFunc(e.waiting, func(p pendingBatch) bool {
		return !p.deferred && slices.Contains(p.keys, key)
	})
}

// Settle withdraws announced loads: they have joined their batches, or will not be made. It sends
// the batches that are now complete.
func (l *Loaders) Settle(keys ...BatchKey) {
	e := &l.expected
	e.mu.Lock()
	for _, key := range keys {
		if e.count[key] > 1 {
			e.count[key]--
		} else {
			delete(e.count, key)
		}
	}
	complete := e.complete()
	e.mu.Unlock()
	for _, p := range complete {
		p.send()
	}
}

// join sends a batch as soon as no load is expected for any of its keys, or when the operation's
// context ends.
func (e *expectations) join(ctx context.Context, p pendingBatch) {
	e.mu.Lock()
	e.waiting = append(e.waiting, p)
	complete := e.complete()
	if len(e.waiting) > 0 && !e.watched {
		e.watched = true
		context.AfterFunc(ctx, e.end)
	}
	e.mu.Unlock()
	for _, p := range complete {
		p.send()
	}
}

// end sends all pending batches, whose calls then fail with the context, and forgets all expected
// loads.
func (e *expectations) end() {
	e.mu.Lock()
	waiting := e.waiting
	e.waiting, e.count, e.watched = nil, nil, false
	e.mu.Unlock()
	for _, p := range waiting {
		p.send()
	}
}

// complete removes the batches that can be sent and returns them.
func (e *expectations) complete() []pendingBatch {
	var complete []pendingBatch
	e.waiting = slices.DeleteFunc(e.waiting, func(p pendingBatch) bool {
		expected := slices.ContainsFunc(p.keys, func(key BatchKey) bool { return e.count[key] > 0 })
		if !expected {
			complete = append(complete, p)
		}
		return !expected
	})
	return complete
}

// resolverCall is one call of a resolver, as the loaders see it.
type resolverCall struct {
	level      int
	workspaces []string
	expected   []BatchKey
	deferred   bool
	settled    sync.Once
}

// ForResolver returns the same loaders for one call of a resolver at a level of the query.
// workspaces are the known ids of the workspaces of its objects. expected are the batches that
// the call was announced for; they are settled when the call first waits for a load, or with
// [Loaders.SettleCall]. deferred says that the call belongs to a deferred fragment.
func (l *Loaders) ForResolver(level int, workspaces []string, expected []BatchKey, deferred bool) *Loaders {
	return &Loaders{l.operation, l.ctx, &resolverCall{level: level, workspaces: workspaces, expected: expected, deferred: deferred}}
}

// SettleCall settles the batches that the resolver call was announced for. Only the first call
// has an effect.
func (l *Loaders) SettleCall() {
	if l.call != nil {
		l.call.settled.Do(func() { l.Settle(l.call.expected...) })
	}
}

// join sends a batch of one kind of record of a workspace when it is complete. Outside a resolver
// call it sends the batch at once.
func (l *Loaders) join(workspace string, kind upstream.Kind, send func()) {
	if l.call == nil {
		send()
		return
	}
	var keys []BatchKey
	for _, id := range append([]string{workspace}, l.call.workspaces...) {
		keys = append(keys, BatchKey{Workspace: id, Kind: kind, Level: l.call.level})
		if l.call.deferred {
			keys = append(keys, BatchKey{id, kind, l.call.level, true})
		}
	}
	l.expected.join(l.ctx, pendingBatch{keys, l.call.deferred, send})
}

// never is the wait of dataloader's own timer, which is not used.
const never = time.Hour

// batcher is a dataloader that sends a batch only on [batcher.send]. Its values are records or
// lists of one type. The dataloader is instantiated once for all of them, because one instance
// per type takes 4 s of CPU to compile. It is safe for concurrent use.
type batcher struct {
	ctx    context.Context //nolint:containedctx // the operation's
	cache  *dataloader.InMemoryCache[upstream.Ref, any]
	loader *dataloader.Loader[upstream.Ref, any]
	// batches says that keys are fetched together. Otherwise each key is fetched at once, by
	// itself.
	batches bool

	// mu prevents a batch from being sent while keys are added.
	mu sync.Mutex
	// open holds the keys of the open batch.
	open map[upstream.Ref]bool
}

// thunk waits for a value.
type thunk = dataloader.Thunk[any]

// loaded is the result of a load.
type loaded = dataloader.Result[any]

func newBatcher(ctx context.Context, fetch dataloader.BatchFunc[upstream.Ref, any], batches bool) *batcher {
	b := &batcher{ctx: ctx, cache: dataloader.NewCache[upstream.Ref, any](), batches: batches}
	options := []dataloader.Option[upstream.Ref, any]{dataloader.WithCache[upstream.Ref, any](b.cache), dataloader.WithWait[upstream.Ref, any](never)}
	if !batches {
		options = append(options, dataloader.WithBatchCapacity[upstream.Ref, any](1))
	}
	b.loader = dataloader.NewBatchedLoader(fetch, options...)
	return b
}

// prime caches a value, unless its key is cached already.
func (b *batcher) prime(key upstream.Ref, value any) { b.loader.Prime(b.ctx, key, value) }

// add adds keys[i] to the open batch for each of the indices, and sets thunks[i]. It reports
// whether the caller must have the batch sent: the batch holds one of the keys, added now or
// before.
//
// The batch is fetched on the context of the first caller to add to it, so ctx must derive from
// the operation's context.
func (b *batcher) add(ctx context.Context, keys []upstream.Ref, indices []int, thunks []thunk) bool {
	waits := false
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range indices {
		if _, cached := b.cache.Get(ctx, keys[i]); !cached && b.batches {
			if b.open == nil {
				b.open = make(map[upstream.Ref]bool)
			}
			b.open[keys[i]] = true
		}
		waits = waits || b.open[keys[i]]
		thunks[i] = b.loader.Load(ctx, keys[i])
	}
	return waits
}

// send fetches the open batch.
func (b *batcher) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = nil
	b.loader.Flush()
}
