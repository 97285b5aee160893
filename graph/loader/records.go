package loader

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// settle is how long a batch stays open after the last newcomer. What one list,
// one `nodes` or one object's aliases ask for is handed over whole, so this
// only waits for other parts of the query that are about to ask as well; a
// kind that REST cannot batch does not wait at all.
const (
	settle    = 250 * time.Microsecond
	maxSettle = 5 * time.Millisecond
)

// never is for dataloader's own timer: batches are dispatched by [Records],
// since a timer that fires in the middle of a hand-over would split it.
const never = time.Hour

// row is what every record is.
type row[T any] interface {
	*T
	Ref() upstream.Ref
	IDs() []string
}

// Resource is a kind of record and how it is fetched by id. It is the same for
// all operations.
type Resource[T any] struct {
	// one fetches a record by its member path.
	one func(*Loaders, upstream.Ref) (*T, error)
	// many fetches records of one parent by their raw ids, at most
	// [upstream.PageSize], in any order, and may leave some out. It is nil
	// where REST has no such call.
	many func(l *Loaders, parent string, ids []string) ([]*T, error)

	address func(*T) (upstream.Ref, []string)
}

func newResource[T any, P row[T]](one func(*Loaders, upstream.Ref) (*T, error), many func(*Loaders, string, []string) ([]*T, error)) *Resource[T] {
	return &Resource[T]{one: one, many: many, address: func(t *T) (upstream.Ref, []string) { return P(t).Ref(), P(t).IDs() }}
}

// From returns the records of the operation that the context belongs to.
func (r *Resource[T]) From(ctx context.Context) *Records[T] { return r.Of(From(ctx)) }

// Of returns the records of an operation.
func (r *Resource[T]) Of(l *Loaders) *Records[T] {
	return loaderOf(l, r, func() *Records[T] { return &Records[T]{Resource: r, loaders: l} })
}

func (r *Resource[T]) in(l *Loaders) nodes { return r.Of(l) }

// Records fetches records of one kind by id for an operation, each once, together
// where REST can. Each parent has a queue of its own: a workspace that is slow to
// answer holds up nobody else. It is safe for concurrent use.
type Records[T any] struct {
	*Resource[T]
	loaders *Loaders
	queues  sync.Map // of *queue[T], by the parent's id

	mu sync.Mutex
	// seen are the rows of lists, not yet known by their ids: most operations
	// never ask for one.
	seen [][]*T
}

// Load returns a record.
func (r *Records[T]) Load(ref upstream.Ref) (*T, error) { return r.request(ref)[0]() }

// LoadAll returns records in the order of their refs, each with its own error
// or nil.
func (r *Records[T]) LoadAll(refs []upstream.Ref) ([]*T, []error) {
	rows, errs := make([]*T, len(refs)), make([]error, len(refs))
	for i, thunk := range r.request(refs...) {
		rows[i], errs[i] = thunk()
	}
	return rows, errs
}

// Request asks for records without waiting for them.
func (r *Records[T]) Request(refs ...upstream.Ref) { r.request(refs...) }

// Know makes records known that came by a list, each under all of its ids.
func (r *Records[T]) Know(rows []*T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, rows)
}

// index lets records that came by lists be found by their ids.
func (r *Records[T]) index() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rows := range r.seen {
		for _, t := range rows {
			r.prime(t)
		}
	}
	r.seen = nil
}

func (r *Records[T]) prime(t *T) {
	ref, ids := r.address(t)
	q := r.queue(ref.Parent)
	for _, ref.ID = range ids {
		if ref.ID != "" {
			q.loader.Prime(r.loaders.ctx, ref, t)
		}
	}
}

func (r *Records[T]) request(refs ...upstream.Ref) []dataloader.Thunk[*T] {
	r.index()
	thunks := make([]dataloader.Thunk[*T], len(refs))
	if len(refs) == 1 {
		r.queue(refs[0].Parent).request(refs, []int{0}, thunks)
		return thunks
	}
	byParent := make(map[string][]int)
	for i, ref := range refs {
		byParent[ref.Parent] = append(byParent[ref.Parent], i)
	}
	for parent, indices := range byParent {
		r.queue(parent).request(refs, indices, thunks)
	}
	return thunks
}

func (r *Records[T]) queue(parent string) *queue[T] {
	if q, ok := r.queues.Load(parent); ok {
		return q.(*queue[T])
	}
	q := &queue[T]{Records: r, cache: dataloader.NewCache[upstream.Ref, *T]()}
	options := []dataloader.Option[upstream.Ref, *T]{dataloader.WithCache[upstream.Ref, *T](q.cache), dataloader.WithWait[upstream.Ref, *T](never)}
	if r.many == nil {
		options = append(options, dataloader.WithBatchCapacity[upstream.Ref, *T](1))
	}
	q.loader = dataloader.NewBatchedLoader(r.batch, options...)
	first, _ := r.queues.LoadOrStore(parent, q)
	return first.(*queue[T])
}

// queue is where the keys of one parent come together.
type queue[T any] struct {
	*Records[T]
	cache  *dataloader.InMemoryCache[upstream.Ref, *T]
	loader *dataloader.Loader[upstream.Ref, *T]

	// gate keeps a dispatch out of a hand-over.
	gate     sync.RWMutex
	arrivals atomic.Int64
	settling atomic.Bool
}

// request hands the refs of the indices over, whole, and sets their thunks.
func (q *queue[T]) request(refs []upstream.Ref, indices []int, thunks []dataloader.Thunk[*T]) {
	missing := false
	q.gate.RLock()
	for _, i := range indices {
		if _, known := q.cache.Get(q.loaders.ctx, refs[i]); !known {
			missing = true
		}
		thunks[i] = q.loader.Load(q.loaders.ctx, refs[i])
	}
	q.gate.RUnlock()
	if missing && q.many != nil {
		q.dispatch()
	}
}

// dispatch closes the open batch as soon as nobody has joined it for a moment.
// Whoever calls it has put its keys in before, so that the batch it finds being
// settled holds them.
func (q *queue[T]) dispatch() {
	q.arrivals.Add(1)
	if !q.settling.CompareAndSwap(false, true) {
		return
	}
	go func() {
		for end := time.Now().Add(maxSettle); time.Now().Before(end); {
			before := q.arrivals.Load()
			time.Sleep(settle)
			// On a busy machine, whoever could join may be waiting for a
			// processor: let them go first.
			runtime.Gosched()
			if q.arrivals.Load() == before {
				break
			}
		}
		q.settling.Store(false)
		q.gate.Lock()
		q.loader.Flush()
		q.gate.Unlock()
	}()
}

// batch fetches what has come together, all of one parent, side by side: raw ids
// a page at a time, all else by member path.
func (r *Records[T]) batch(_ context.Context, refs []upstream.Ref) []*dataloader.Result[*T] {
	b := batch[T]{Records: r, results: make([]*dataloader.Result[*T], len(refs))}
	var raw []int
	for i, ref := range refs {
		if r.many == nil || !upstream.IsRawID(ref.ID) {
			b.run([]int{i}, func() { b.one(i, ref) })
			continue
		}
		raw = append(raw, i)
	}
	for part := range slices.Chunk(raw, upstream.PageSize) {
		b.run(part, func() { b.many(refs[part[0]].Parent, part, refs) })
	}
	b.calls.Wait()
	return b.results
}

// batch is one run of [Records.batch].
type batch[T any] struct {
	*Records[T]
	calls   sync.WaitGroup
	results []*dataloader.Result[*T]
}

// run makes a call of its own goroutine, which answers for the keys of the
// indices: a panic there is their error, and nobody else's.
func (b *batch[T]) run(indices []int, call func()) {
	b.calls.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				for _, i := range indices {
					b.results[i] = &dataloader.Result[*T]{Error: fmt.Errorf("panic while loading: %v", v)}
				}
			}
		}()
		call()
	})
}

func (b *batch[T]) one(i int, ref upstream.Ref) {
	t, err := b.Resource.one(b.loaders, ref)
	if err != nil {
		b.results[i] = &dataloader.Result[*T]{Error: err}
		return
	}
	b.results[i] = &dataloader.Result[*T]{Data: t}
	b.prime(t)
}

// many fetches up to a page of one parent's records in one call. A single one
// goes by its member path, which finds what lists leave out, and so do those
// that the list did leave out.
func (b *batch[T]) many(parent string, indices []int, refs []upstream.Ref) {
	if len(indices) == 1 {
		b.one(indices[0], refs[indices[0]])
		return
	}
	ids := make([]string, len(indices))
	for k, i := range indices {
		ids[k] = refs[i].ID
	}
	rows, err := b.Resource.many(b.loaders, parent, ids)
	if err != nil {
		for _, i := range indices {
			b.results[i] = &dataloader.Result[*T]{Error: err}
		}
		return
	}
	found := make(map[string]*T, len(rows))
	for _, t := range rows {
		ref, _ := b.address(t)
		found[ref.ID] = t
		b.prime(t)
	}
	for _, i := range indices {
		if t, ok := found[refs[i].ID]; ok {
			b.results[i] = &dataloader.Result[*T]{Data: t}
			continue
		}
		b.run([]int{i}, func() { b.one(i, refs[i]) })
	}
}

// nodes are records of any kind.
type nodes interface {
	Request(refs ...upstream.Ref)
	Node(ref upstream.Ref) (Node, error)
}

// Node is a record of any kind.
type Node interface{ Ref() upstream.Ref }

// Node is [Records.Load] for whoever takes any kind.
func (r *Records[T]) Node(ref upstream.Ref) (Node, error) {
	t, err := r.Load(ref)
	if err != nil {
		return nil, err
	}
	return any(t).(Node), nil
}
