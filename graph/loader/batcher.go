package loader

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// BatchKey names a batch: loads of one kind of record, in one workspace, at one level of
// the query share their calls.
type BatchKey struct {
	Workspace string // its raw or public id
	Kind      upstream.Kind
	Level     int
	// Later says that a deferred fragment loads, for which nothing else has to wait.
	Deferred bool
}

// expectations are the loads that an operation is still to make. A batch is sent when no
// more loads are expected for it, so that no timer has to guess when it is full. They are
// safe for concurrent use.
type expectations struct {
	mu      sync.Mutex
	count   map[BatchKey]int
	waiting []pendingBatch
	watched bool // whether waiting batches are sent when the operation ends
}

// pending is a batch that is not yet sent, and the keys under which loads may join it.
type pendingBatch struct {
	keys     []BatchKey
	deferred bool // whether a deferred fragment waits for it
	send     func()
}

// Expect announces loads. Each key has to be given to [Loaders.Settle] once.
func (l *Loaders) Expect(keys ...BatchKey) {
	l.expected.mu.Lock()
	defer l.expected.mu.Unlock()
	l.expected.add(keys)
}

// ExpectMore is [Loaders.Expect] if other loads are expected for one of the keys, or if a
// batch for it waits, deferred fragments aside. It reports whether it announced the loads.
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

// Settle withdraws announced loads: they have joined their batches, or will not be made.
// It sends the batches that are complete.
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

// join sends a batch as soon as no more loads are expected for any of the keys, or when
// the operation's context ends.
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

// end sends all waiting batches, whose calls fail, and expects no more loads.
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

// turn is one call of a resolver.
type resolverCall struct {
	level      int
	workspaces []string
	expected   []BatchKey
	deferred   bool
	settled    sync.Once
}

// ForResolver returns the same loaders for one call of a resolver at a level of the query.
// workspaces are the ids of the workspaces that its objects belong to, as far as they are
// known. expected are the batches that the call is expected to join; it joins none after
// it has waited for one. later says that it belongs to a deferred fragment.
func (l *Loaders) ForResolver(level int, workspaces []string, expected []BatchKey, later bool) *Loaders {
	return &Loaders{l.operation, l.ctx, &resolverCall{level: level, workspaces: workspaces, expected: expected, deferred: later}}
}

// Arrive settles what the resolver was expected to load. It may be called more than once.
func (l *Loaders) SettleCall() {
	if l.call != nil {
		l.call.settled.Do(func() { l.Settle(l.call.expected...) })
	}
}

// join sends a batch of records of a workspace when it is complete, at once if no
// resolver's level says what may follow.
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

// never is for dataloader's own timer, which is not used.
const never = time.Hour

// batcher is a dataloader whose batches are sent by [batcher.send] alone. Its values are
// records or lists of one type: a dataloader for each type would take 4 s of CPU to
// compile. It is safe for concurrent use.
type batcher struct {
	ctx    context.Context //nolint:containedctx // the operation's
	cache  *dataloader.InMemoryCache[upstream.Ref, any]
	loader *dataloader.Loader[upstream.Ref, any]
	// batches reports whether keys are fetched together, and not each by itself at once.
	batches bool

	// mu keeps a batch from being sent while keys are added.
	mu sync.Mutex
	// open are the keys of the open batch.
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

// prime makes a value known, unless its key is already.
func (b *batcher) prime(key upstream.Ref, value any) { b.loader.Prime(b.ctx, key, value) }

// add adds the keys of the indices to the open batch, sets their thunks, and reports
// whether the batch has to be sent: it holds one of the keys, which others may have added.
// It is fetched on the context of the first caller to add to it, which is to be made of
// the operation's.
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
