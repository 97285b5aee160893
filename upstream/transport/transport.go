package transport

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// Config configures a [Transport]. Each field's zero value stands for its default.
type Config struct {
	// CallTimeout bounds each attempt at a call, by default 30 s.
	CallTimeout time.Duration
	// Attempts is the maximum number of attempts at a call, by default [DefaultAttempts]. Calls are
	// retried only where that is safe and useful.
	Attempts int
	// FilteredReads is how many filtered reads may be in flight for a credential and host, by
	// default [DefaultFilteredReads]. A negative value means no limit.
	FilteredReads int
	// MaxBody bounds the body of each response, in bytes, by default 16 MiB.
	MaxBody int64
	// CacheTTL is how long responses are cached, for the same credential only. 0 disables the
	// cache. See [Request.Fresh]. CacheTTLs are those of other kinds, see [Request.Kind].
	CacheTTL  time.Duration
	CacheTTLs map[string]time.Duration
	// CacheStale is how long an expired response replaces one that ClickFunnels cannot give, because it
	// is down.
	CacheStale time.Duration
	// CacheSize bounds the cache's memory, in bytes, by default 64 MiB.
	CacheSize uint64
	// Replicas, if not nil, is the state that this server shares with its replicas.
	Replicas Replicas
	// RoundTripper makes the HTTP requests, by default [NewRoundTripper]. It must report connections
	// to [httptrace.ClientTrace], as net/http's transport does: a write that fails before it has a
	// connection was certainly not carried out.
	RoundTripper http.RoundTripper
}

// Transport makes calls. It is safe for concurrent use. Make one with [New].
type Transport struct {
	// send makes calls through the cache, if there is one, and the coalescer. It does not use an
	// [http.Client], which would follow redirects and carry the token to another host.
	send      func(context.Context, *Request) (Response, error)
	retrier   *retrier
	coalescer *coalescer
	cache     *cache // nil without a cache
}

// New returns a transport. attempted, if not nil, is called after each attempt over the network. It
// must be safe for concurrent use, and delays the call until it returns.
func New(cfg Config, attempted func(Attempt)) *Transport {
	if cfg.RoundTripper == nil {
		cfg.RoundTripper = NewRoundTripper()
	}
	retrier := newRetrier(cfg, attempted)
	coalescer := &coalescer{retrier: retrier}
	t := &Transport{send: coalescer.do, retrier: retrier, coalescer: coalescer}
	if cfg.CacheTTL > 0 || len(cfg.CacheTTLs) > 0 {
		ttl := func(kind string) time.Duration {
			if of, ok := cfg.CacheTTLs[kind]; ok {
				return of
			}
			return cfg.CacheTTL
		}
		t.cache = newCache(coalescer, ttl, cfg.CacheStale, cmp.Or(cfg.CacheSize, 64<<20), cfg.Replicas)
		t.send = t.cache.do
	}
	return t
}

// Do makes a call and reads the whole response, whatever its status. With an error, only the fields
// Origin and Uncertain of the response are valid. The error names no URL. It is a [*RefusedError], a
// [*BodyTooLargeError], [ErrOverBudget], [ErrInvalidRequest], an error of the context, or the
// network's.
func (t *Transport) Do(ctx context.Context, r *Request) (Response, error) {
	a, err := t.send(ctx, r)
	a.Origin = cmp.Or(a.Origin, FromNetwork)
	return a, err
}

// Forget removes the cached responses of a credential from the memory of this server.
func (t *Transport) Forget(of Credential) {
	if t.cache != nil {
		t.cache.responses.RemoveIf(func(key cacheKey) bool { return key.credential == of })
	}
}

// Evict makes later reads of a [Request.Host] go over the network, here and on the replicas: those whose
// responses have one of the tags, or all if tags is nil.
func (t *Transport) Evict(ctx context.Context, host string, tags []string) {
	if t.cache == nil {
		t.EndSharing(host)
		return
	}
	t.cache.evict(ctx, host, tags)
}

// EndSharing makes later reads of a host join no earlier ones.
func (t *Transport) EndSharing(host string) {
	t.coalescer.forget(func(key flightKey) bool { return key.host == host })
}

// Changes returns a number that grows with each write and each eviction that this server knows of. Data
// that was read before it grew can be out of date.
func (t *Transport) Changes() uint64 { return t.coalescer.changes.Load() }

// AllowRetry reports whether the caller itself may repeat a call, and takes that from the host's
// retry budget.
func (t *Transport) AllowRetry(r *Request) bool { return t.retrier.allowRetry(r) }

// Attempt is one attempt at a call over the network.
type Attempt struct {
	// Host is the host of the [Request].
	Host string
	// Status is the status of the response, 0 without one.
	Status int
	// Waited is the time in the concurrency limiter's queue. Took is the time after that.
	Waited, Took time.Duration
}

// Stats is a snapshot of a transport's activity.
type Stats struct {
	// InFlight is the number of calls in flight. Waiting is the number of calls that wait for the
	// concurrency limiter.
	InFlight, Waiting int
	// Lanes is the number of concurrency limiters in use, one for each credential and host.
	Lanes int
	// Dead is the number of hosts whose circuit breaker is open for at least one credential.
	Dead int
	// Cached is the number of cached responses. CachedBytes is their approximate memory, in bytes.
	Cached      int
	CachedBytes uint64
}

// Stats returns the transport's activity.
func (t *Transport) Stats() Stats {
	s := t.retrier.limiters.stats()
	s.Dead = t.retrier.health.countOpen()
	if t.cache != nil {
		entries, bytes := t.cache.responses.Size()
		s.Cached, s.CachedBytes = entries, uint64(bytes) //nolint:gosec // not negative
	}
	return s
}
