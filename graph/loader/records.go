package loader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// row is the constraint for records.
type row[T any] interface {
	*T
	Ref() upstream.Ref
	IDs() []string
}

// Resource says how records of one kind are fetched by id. It is shared by all operations.
type Resource[T any] struct {
	// fetchOne fetches a record by its member path.
	fetchOne func(*Loaders, upstream.Ref) (*T, error)
	// fetchMany fetches up to [upstream.PageSize] records of one parent by their raw ids. It may
	// return them in any order and leave some out. It is nil if REST has no such call.
	fetchMany func(l *Loaders, parent string, ids []string) ([]*T, error)

	addressOf func(*T) (upstream.Ref, []string)
	kind      upstream.Kind

	// ownerOf is nil for records that name their workspace. Otherwise it returns the record that
	// this one belongs to; ownerDepth is the number of owners up to one that names its workspace.
	ownerOf    func(*T) upstream.Ref
	ownerDepth int
}

func newResource[T any, P row[T]](one func(*Loaders, upstream.Ref) (*T, error), many func(*Loaders, string, []string) ([]*T, error)) *Resource[T] {
	return &Resource[T]{
		fetchOne: one, fetchMany: many, kind: upstream.TypeOf[T]().Kind(),
		addressOf: func(t *T) (upstream.Ref, []string) { return P(t).Ref(), P(t).IDs() },
	}
}

// ownedBy says that a record belongs to an owner in the same workspace, which has the given
// number of owners itself.
func (r *Resource[T]) ownedBy(owner func(*T) upstream.Ref, owners int) *Resource[T] {
	r.ownerOf, r.ownerDepth = owner, 1+owners
	return r
}

// From returns the records of the context's operation.
func (r *Resource[T]) From(ctx context.Context) *Records[T] { return r.Of(From(ctx)) }

// Of returns the records of the loaders' operation.
func (r *Resource[T]) Of(l *Loaders) *Records[T] {
	return &Records[T]{r, l, getOrCreate(l, r, func() *recordCache[T] { return new(recordCache[T]) })}
}

func (r *Resource[T]) nodeLoader(l *Loaders) nodeLoader { return r.Of(l) }

func (r *Resource[T]) batches() bool { return r.fetchMany != nil }

// Records loads records of one kind by id for an operation. Each record is fetched once, in
// batches where REST allows it. Each parent has a batcher of its own, so that a slow workspace
// does not delay the others. It is safe for concurrent use.
type Records[T any] struct {
	resource *Resource[T]
	loaders  *Loaders
	*recordCache[T]
}

// recordCache holds the records of one kind that an operation has loaded.
type recordCache[T any] struct {
	queues sync.Map // parent id → *batcher

	mu sync.Mutex
	// unindexed holds rows of lists that are not yet indexed by id. Most operations never need
	// the index.
	unindexed [][]*T
}

// on returns the same records with other loaders of the same operation.
func (r *Records[T]) on(l *Loaders) *Records[T] { return &Records[T]{r.resource, l, r.recordCache} }

// Load returns a record by its raw or public id. It waits until the record's batch is fetched.
func (r *Records[T]) Load(ref upstream.Ref) (*T, error) {
	thunk := r.request(ref)[0]
	if r.resource.fetchMany != nil {
		r.loaders.SettleCall()
	}
	return r.wait(thunk)
}

// wait waits for the record of a thunk.
func (r *Records[T]) wait(thunk thunk) (*T, error) {
	value, err := thunk()
	if err != nil {
		return nil, err
	}
	t := value.(*T)
	r.loaders.awaitChain(t)
	return t, nil
}

// LoadAll returns records in the order of their refs, each with its own error or nil.
func (r *Records[T]) LoadAll(refs []upstream.Ref) ([]*T, []error) {
	rows, errs := make([]*T, len(refs)), make([]error, len(refs))
	thunks := r.request(refs...)
	if r.resource.fetchMany != nil && len(refs) > 0 {
		r.loaders.SettleCall()
	}
	for i, thunk := range thunks {
		rows[i], errs[i] = r.wait(thunk)
	}
	return rows, errs
}

// Request adds records to their batches without waiting for them.
func (r *Records[T]) Request(refs ...upstream.Ref) { r.request(refs...) }

// Prime caches rows of a list, each under all of its ids.
func (r *Records[T]) Prime(rows []*T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unindexed = append(r.unindexed, rows)
}

// index makes primed rows available by their ids.
func (r *Records[T]) index() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rows := range r.unindexed {
		for _, t := range rows {
			r.primeRecord(t)
		}
	}
	r.unindexed = nil
}

func (r *Records[T]) primeRecord(t *T) {
	ref, ids := r.resource.addressOf(t)
	q := r.queue(ref.Parent)
	for _, ref.ID = range ids {
		if ref.ID != "" {
			q.prime(ref, t)
		}
	}
}

func (r *Records[T]) request(refs ...upstream.Ref) []thunk {
	r.index()
	thunks := make([]thunk, len(refs))
	ctx := r.loaders.branch().ctx // a copy: the loaders' own chain of calls grows while the thunks are waited for
	byParent := make(map[string][]int)
	for i, ref := range refs {
		byParent[ref.Parent] = append(byParent[ref.Parent], i)
	}
	for parent, indices := range byParent {
		if q := r.queue(parent); q.add(ctx, refs, indices, thunks) {
			r.loaders.join(parent, r.resource.kind, q.send)
		}
	}
	return thunks
}

func (r *Records[T]) queue(parent string) *batcher {
	if q, ok := r.queues.Load(parent); ok {
		return q.(*batcher)
	}
	first, _ := r.queues.LoadOrStore(parent, newBatcher(r.loaders.ctx, r.batch, r.resource.fetchMany != nil))
	return first.(*batcher)
}

// batch fetches a batch of one parent's records concurrently: raw ids a page at a time, public
// ids by their member paths.
func (r *Records[T]) batch(ctx context.Context, refs []upstream.Ref) []*loaded {
	var calls sync.WaitGroup
	b := batch[T]{records: r.on(r.loaders.forBatch(ctx)), calls: &calls, results: make([]*loaded, len(refs))}
	var raw []int
	for i, ref := range refs {
		if r.resource.fetchMany == nil || !upstream.IsRawID(ref.ID) {
			b.run([]int{i}, func(b *batch[T]) { b.fetchOne(i, ref) })
			continue
		}
		raw = append(raw, i)
	}
	// Sorted, equal sets of records make equal calls, which other requests can share.
	slices.SortFunc(raw, func(i, j int) int { return cmp.Compare(refs[i].ID, refs[j].ID) })
	for page := range slices.Chunk(raw, upstream.PageSize) {
		b.run(page, func(b *batch[T]) { b.fetchMany(refs[page[0]].Parent, page, refs) })
	}
	calls.Wait()
	return b.results
}

// batch is one run of [Records.batch].
type batch[T any] struct {
	records *Records[T]
	calls   *sync.WaitGroup
	results []*loaded
}

// run makes a call on a goroutine of its own. A panic becomes the error of the keys with the
// given indices, and of no others.
func (b *batch[T]) run(indices []int, call func(*batch[T])) {
	branch := *b
	branch.records = b.records.on(b.records.loaders.branch())
	b.calls.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				for _, i := range indices {
					b.results[i] = &loaded{Error: fmt.Errorf("panic while loading: %v", v)}
				}
			}
		}()
		call(&branch)
	})
}

func (b *batch[T]) fetchOne(i int, ref upstream.Ref) {
	r, l := b.records, b.records.loaders
	for range r.resource.ownerDepth {
		// The calls for owners are charged first: whether the record exists or its owners are
		// cached makes no difference. A refusal by the call budget therefore reveals neither.
		l.client.CountSkippedCall(l.ctx)
	}
	t, err := r.resource.fetchOne(l, ref)
	if err == nil && r.resource.ownerOf != nil {
		_, err = l.verifiedOwner(r.resource.ownerOf(t))
	}
	if err != nil {
		transport.AllowanceOf(l.ctx).Failed(true) // it is missing, hidden, or has been reported
		b.results[i] = &loaded{Error: err}
		return
	}
	b.results[i] = &loaded{Data: t}
	r.primeRecord(t)
}

// fetchMany fetches up to a page of one parent's records in one call. It uses the member path for
// a single record, and for records that the list left out: the member path also finds records
// that lists omit.
func (b *batch[T]) fetchMany(parent string, indices []int, refs []upstream.Ref) {
	if len(indices) == 1 {
		b.fetchOne(indices[0], refs[indices[0]])
		return
	}
	ids := make([]string, len(indices))
	for k, i := range indices {
		ids[k] = refs[i].ID
	}
	r, l := b.records, b.records.loaders
	rows, err := r.resource.fetchMany(l, parent, ids)
	if err = l.client.ConcealRefusal(err); err != nil {
		for _, i := range indices {
			b.results[i] = &loaded{Error: err}
		}
		return
	}
	found := make(map[string]*T, len(rows))
	for _, t := range rows {
		ref, _ := r.resource.addressOf(t)
		found[ref.ID] = t
		r.primeRecord(t)
	}
	for _, i := range indices {
		if t, ok := found[refs[i].ID]; ok {
			b.results[i] = &loaded{Data: t}
			continue
		}
		b.run([]int{i}, func(b *batch[T]) { b.fetchOne(i, refs[i]) })
	}
}

// nodeLoader loads records of one kind as [Node]s.
type nodeLoader interface {
	Request(refs ...upstream.Ref)
	// Cached returns a record that was loaded before, by id or in a list. cached is false if
	// there is none.
	Cached(ref upstream.Ref) (node Node, cached bool, err error)
	Node(ref upstream.Ref) (Node, error)
}

// Node is a record of any kind.
type Node interface{ Ref() upstream.Ref }

// Cached implements nodeLoader.
func (r *Records[T]) Cached(ref upstream.Ref) (Node, bool, error) {
	r.index()
	q := r.queue(ref.Parent)
	if _, cached := q.cache.Get(r.loaders.ctx, ref); !cached {
		return nil, false, nil
	}
	node, err := r.Node(ref)
	return node, true, err
}

// Node is [Records.Load] with a result of any kind.
func (r *Records[T]) Node(ref upstream.Ref) (Node, error) {
	t, err := r.Load(ref)
	if err != nil {
		return nil, err
	}
	return any(t).(Node), nil
}
