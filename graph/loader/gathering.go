package loader

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/graph-gophers/dataloader/v7"
)

// settle is how long a batch stays open after the last newcomer. What one list,
// one `nodes` or one object's aliases ask for is handed over whole, so this
// only waits for other parts of the query that are about to ask as well; what
// REST cannot batch does not wait at all.
const (
	settle    = 250 * time.Microsecond
	maxSettle = 5 * time.Millisecond
)

// never is for dataloader's own timer: batches are dispatched by [gathering],
// since a timer that fires in the middle of a hand-over would split it.
const never = time.Hour

// gathering is a dataloader of which a batch is closed as soon as nobody has joined
// it for a moment. It is safe for concurrent use.
type gathering[K comparable, V any] struct {
	ctx    context.Context //nolint:containedctx // the operation's
	cache  *dataloader.InMemoryCache[K, V]
	loader *dataloader.Loader[K, V]
	// batches says that keys are fetched together, and not each by itself at once.
	batches bool

	// gate keeps a dispatch out of a hand-over.
	gate     sync.RWMutex
	arrivals atomic.Int64
	settling atomic.Bool
}

func newGathering[K comparable, V any](ctx context.Context, fetch dataloader.BatchFunc[K, V], batches bool) *gathering[K, V] {
	g := &gathering[K, V]{ctx: ctx, cache: dataloader.NewCache[K, V](), batches: batches}
	options := []dataloader.Option[K, V]{dataloader.WithCache[K, V](g.cache), dataloader.WithWait[K, V](never)}
	if !batches {
		options = append(options, dataloader.WithBatchCapacity[K, V](1))
	}
	g.loader = dataloader.NewBatchedLoader(fetch, options...)
	return g
}

// prime makes a value known, unless its key is already.
func (g *gathering[K, V]) prime(key K, value V) { g.loader.Prime(g.ctx, key, value) }

// request hands the keys of the indices over, whole, and sets their thunks. A batch is
// fetched on the context of the first newcomer to it, which is to be the operation's.
func (g *gathering[K, V]) request(ctx context.Context, keys []K, indices []int, thunks []dataloader.Thunk[V]) {
	missing := false
	g.gate.RLock()
	for _, i := range indices {
		if _, known := g.cache.Get(ctx, keys[i]); !known {
			missing = true
		}
		thunks[i] = g.loader.Load(ctx, keys[i])
	}
	g.gate.RUnlock()
	if missing && g.batches {
		g.dispatch()
	}
}

// dispatch closes the open batch as soon as nobody has joined it for a moment.
// Whoever calls it has put its keys in before, so that the batch it finds being
// settled holds them.
func (g *gathering[K, V]) dispatch() {
	g.arrivals.Add(1)
	if !g.settling.CompareAndSwap(false, true) {
		return
	}
	go func() {
		for end := time.Now().Add(maxSettle); time.Now().Before(end); {
			before := g.arrivals.Load()
			time.Sleep(settle)
			// On a busy machine, whoever could join may be waiting for a
			// processor: let them go first.
			runtime.Gosched()
			if g.arrivals.Load() == before {
				break
			}
		}
		g.settling.Store(false)
		g.gate.Lock()
		g.loader.Flush()
		g.gate.Unlock()
	}()
}
