// Package redis is the client of the Redis or Valkey server through which replicas share the
// concurrency limits for ClickFunnels, cached responses, persisted documents, idempotency keys, ended
// sessions and the events of webhooks. While Redis is slow or unreachable, each replica runs standalone. Only requests with
// an idempotency key or with the code of an app then fail, because they must not be executed twice.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	redigo "github.com/gomodule/redigo/redis"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

const (
	// prefix begins all keys. It changes when the format of the values does.
	prefix = "funnelgraph:3:"
	// timeout limits the wait for a connection, and for a response of Redis.
	timeout = 100 * time.Millisecond
	// breakerDelay is how long the circuit breaker stays open, and the interval between pings.
	breakerDelay = 2 * time.Second
	// leaseTTL is the lifetime of a lease that is not renewed.
	leaseTTL = 5 * time.Second
	// documentTTL is the lifetime of a persisted document after it was last sent.
	documentTTL = 24 * time.Hour
	// MaxTTL is the maximum lifetime of cached responses.
	MaxTTL = 24 * time.Hour
	// evictionTTL is the lifetime of the evictions of a host after the last one. They must outlive all
	// responses cached before them. maxEvictions is how many are kept.
	evictionTTL  = 2 * MaxTTL
	maxEvictions = 1000
)

//go:embed lease.lua
var leaseScript string

// Client is a Redis client that implements [transport.Replicas]. It is safe for concurrent use.
type Client struct {
	id      string
	pool    atomic.Pointer[redigo.Pool]
	conns   *semaphore.Weighted // limits connections, because the pool's own limit panics if the pool is closed meanwhile
	breaker circuitbreaker.CircuitBreaker[any]
	lease   *redigo.Script

	failures atomic.Int64

	mu sync.Mutex
	// unsentWrites are the numbers of evictions that could not be sent to Redis, by host.
	unsentWrites map[string]int
	// unsentReleases are the records of idempotency keys that could not be released, with the
	// names of the keys.
	unsentReleases map[string]string
	// unsentEnds are the ended sessions that could not be sent to Redis, and when they would have
	// expired.
	unsentEnds map[string]time.Time
}

// Check returns an error of one line if a URL is invalid. The error does not repeat the URL, which
// may contain a password.
func Check(url string) error {
	dial := redigo.DialContextFunc(func(context.Context, string, string) (net.Conn, error) { return nil, errUnavailable })
	if _, err := redigo.DialURL(url, dial); !errors.Is(err, errUnavailable) {
		return errors.New("it must look like redis://user:password@host:6379/0, or rediss:// with TLS")
	}
	return nil
}

// maxConns is the maximum number of connections. It allows 256 replicas, because Redis accepts
// 10,000 clients by default.
const maxConns = 32

func newPool(url string) *redigo.Pool {
	return &redigo.Pool{
		DialContext: func(ctx context.Context) (redigo.Conn, error) {
			return redigo.DialURLContext(ctx, url, redigo.DialClientName("funnelgraph"),
				redigo.DialReadTimeout(timeout), redigo.DialWriteTimeout(timeout), redigo.DialTLSHandshakeTimeout(time.Second))
		},
		MaxIdle: maxConns, IdleTimeout: time.Minute,
	}
}

// Connect returns a client for the Redis server at a URL, which works until the context ends. It
// does not wait until the server can be reached.
func Connect(ctx context.Context, url string) (*Client, error) {
	if err := Check(url); err != nil {
		return nil, err
	}
	r := &Client{id: rand.Text(), conns: semaphore.NewWeighted(maxConns), lease: redigo.NewScript(1, leaseScript), unsentWrites: make(map[string]int), unsentReleases: make(map[string]string), unsentEnds: make(map[string]time.Time)}
	r.pool.Store(newPool(url))
	r.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(breakerDelay).WithSuccessThreshold(1).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			// The old connections may all be dead.
			_ = r.pool.Swap(newPool(url)).Close()
			if e.OldState == circuitbreaker.ClosedState {
				slog.Warn("Redis does not respond: this server runs standalone until it does")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) { slog.Info("Redis responds again") }).
		Build()
	go r.watch(ctx)
	return r, nil
}

// watch pings Redis periodically and resends what could not be sent, until the context ends.
func (r *Client) watch(ctx context.Context) {
	ticker := time.NewTicker(breakerDelay)
	defer ticker.Stop()
	for {
		up := r.do(ctx, func(conn redigo.Conn) error {
			_, err := conn.Do("PING")
			return err
		})
		if up == nil {
			r.resendWrites(ctx)
			r.resendReleases(ctx)
			r.resendEnds(ctx)
		}
		select {
		case <-ctx.Done():
			_ = r.pool.Load().Close()
			return
		case <-ticker.C:
		}
	}
}

// Failures returns the number of failed requests to Redis, including timeouts.
func (r *Client) Failures() int64 { return r.failures.Load() }

// Metrics returns the Prometheus metrics of the client.
func (r *Client) Metrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "funnelgraph_redis_failures_total", Help: "Requests to Redis that failed or timed out.",
		}, func() float64 { return float64(r.failures.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "funnelgraph_redis_up", Help: "1 while Redis responds; 0 while this server runs standalone.",
		}, func() float64 {
			if r.pool.Load() == nil || !r.breaker.IsClosed() {
				return 0
			}
			return 1
		}),
	}
}

func (r *Client) recordFailure() {
	r.failures.Add(1)
	r.breaker.RecordFailure()
}

var errUnavailable = errors.New("no connection to Redis")

// do calls f with a connection, unless the circuit breaker is open.
func (r *Client) do(ctx context.Context, f func(redigo.Conn) error) error {
	if !r.breaker.TryAcquirePermit() {
		return errUnavailable
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := r.conns.Acquire(waiting, 1)
	if err == nil {
		var conn redigo.Conn
		if conn, err = r.pool.Load().GetContext(waiting); err == nil {
			err = f(conn)
			_ = conn.Close()
		}
		r.conns.Release(1)
	}
	switch {
	case err == nil || errors.Is(err, redigo.ErrNil):
		r.breaker.RecordSuccess()
	case ctx.Err() != nil && r.breaker.IsClosed(): // the caller has given up, so Redis has not failed
	default:
		r.recordFailure()
	}
	return err
}

// Lease implements [transport.Replicas].
func (r *Client) Lease(lane, id string, ask transport.Ask) (grant transport.Grant, err error) {
	err = r.do(context.Background(), func(conn redigo.Conn) error {
		values, err := redigo.Values(r.lease.Do(conn, prefix+"lane:"+lane,
			r.id+"."+id, ask.Need, ask.Want, ask.Running, ask.Limit, ask.Most,
			ask.Ease, ask.Grow, ask.Took.Milliseconds(), ask.Rest.Milliseconds(), leaseTTL.Milliseconds(), ask.LongestRest.Milliseconds()))
		if err != nil {
			return err
		}
		var eased, rest int64
		_, err = redigo.Scan(values, &grant.Calls, &grant.Limit, &eased, &rest, &grant.Replicas)
		grant.Eased, grant.Rest = time.Duration(eased)*time.Millisecond, time.Duration(rest)*time.Millisecond
		return err
	})
	return grant, err
}

// evictScript appends an eviction to the stream of a host, with the position of the one before.
const evictScript = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], '*', 'previous', last and last[1] or '0-0', 'by', ARGV[1], 'tags', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return id`

// everything stands for all tags.
const everything = "*"

// Evict implements [transport.Replicas]. An eviction that fails is sent again later, for all responses.
func (r *Client) Evict(ctx context.Context, host string, tags []string) (at transport.Position, err error) {
	text := strings.Join(tags, " ")
	if tags == nil {
		text = everything
	}
	r.mu.Lock()
	unsent := r.unsentWrites[host]
	r.mu.Unlock()
	err = r.do(context.WithoutCancel(ctx), func(conn redigo.Conn) error {
		id, err := redigo.String(conn.Do("EVAL", evictScript, 1, prefix+"evictions:"+host, r.id, text, maxEvictions, evictionTTL.Milliseconds()))
		if err == nil {
			at, err = positionOf(id)
		}
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && tags == nil && r.unsentWrites[host] == unsent:
		delete(r.unsentWrites, host)
	case err != nil && (unsent > 0 || len(r.unsentWrites) < maxUnsentWrites):
		r.unsentWrites[host]++
	}
	return at, err
}

// positionOf parses the id of an entry of a stream.
func positionOf(id string) (at transport.Position, err error) {
	first, second, _ := strings.Cut(id, "-")
	if at.Time, err = strconv.ParseUint(first, 10, 64); err == nil {
		at.Number, err = strconv.ParseUint(second, 10, 64)
	}
	return at, err
}

// Evictions implements [transport.Replicas]. It first sends own evictions that could not be sent.
func (r *Client) Evictions(ctx context.Context, host string, after transport.Position) (next []transport.Eviction, isWhole bool, err error) {
	r.mu.Lock()
	isUnsent := r.unsentWrites[host] > 0
	r.mu.Unlock()
	if isUnsent {
		if _, err := r.Evict(ctx, host, nil); err != nil {
			return nil, false, err
		}
	}
	// With the one at the position, which Redis may have lost.
	next, err = r.evictionsFrom(ctx, host, fmt.Sprintf("%d-%d", after.Time, after.Number))
	switch {
	case err != nil:
		return nil, false, err
	case after == transport.Position{}:
		return next, true, nil
	case len(next) > 0 && next[0].Position == after:
		return next[1:], true, nil
	}
	next, err = r.evictionsFrom(ctx, host, "-")
	return next, false, err
}

// evictionsFrom returns the evictions of a host from the id of an entry on.
func (r *Client) evictionsFrom(ctx context.Context, host, id string) (evictions []transport.Eviction, err error) {
	err = r.do(ctx, func(conn redigo.Conn) error {
		rows, err := redigo.Values(conn.Do("XRANGE", prefix+"evictions:"+host, id, "+"))
		for _, row := range rows {
			if err != nil {
				break
			}
			var each transport.Eviction
			if each, err = r.evictionOf(row); err == nil {
				evictions = append(evictions, each)
			}
		}
		return err
	})
	return evictions, err
}

// evictionOf parses an entry of the stream of a host.
func (r *Client) evictionOf(row any) (e transport.Eviction, err error) {
	id, fields, err := streamEntry(row)
	if err != nil {
		return e, err
	}
	if e.Position, err = positionOf(id); err != nil {
		return e, err
	}
	e.Previous, err = positionOf(fields["previous"])
	e.IsOwn = fields["by"] == r.id
	if text := fields["tags"]; text != everything {
		e.Tags = strings.Fields(text)
	}
	return e, err
}

// maxUnsentWrites bounds the memory for evictions that could not be sent to Redis.
const maxUnsentWrites = 10_000

// resendWrites resends evictions that could not be sent to Redis.
func (r *Client) resendWrites(ctx context.Context) {
	r.mu.Lock()
	unsent := slices.Collect(maps.Keys(r.unsentWrites))
	r.mu.Unlock()
	for _, workspace := range unsent {
		_, _ = r.Evict(ctx, workspace, nil)
	}
}

// Answer implements [transport.Replicas].
func (r *Client) Answer(ctx context.Context, key string) (answer []byte, ok bool) {
	err := r.do(ctx, func(conn redigo.Conn) (err error) {
		answer, err = redigo.Bytes(conn.Do("GET", prefix+"answer:"+key))
		return err
	})
	return answer, err == nil
}

// Keep implements [transport.Replicas].
func (r *Client) Keep(key string, answer []byte, ttl time.Duration) {
	_ = r.set(context.Background(), "answer:"+key, answer, ttl)
}

func (r *Client) set(ctx context.Context, key string, value any, ttl time.Duration) error {
	return r.do(ctx, func(conn redigo.Conn) error {
		_, err := conn.Do("SET", prefix+key, value, "PX", ttl.Milliseconds())
		return err
	})
}

// Documents returns a cache of persisted documents that replicas share. local is this server's own
// cache in front of it.
func (r *Client) Documents(local graphql.Cache[string]) graphql.Cache[string] {
	return &documentCache{r, local}
}

type documentCache struct {
	redis *Client
	local graphql.Cache[string]
}

// Get implements [graphql.Cache].
func (d *documentCache) Get(ctx context.Context, hash string) (document string, ok bool) {
	if document, ok = d.local.Get(ctx, hash); ok || len(hash) != hex.EncodedLen(sha256.Size) {
		return document, ok
	}
	err := d.redis.do(ctx, func(conn redigo.Conn) (err error) {
		document, err = redigo.String(conn.Do("GET", prefix+"document:"+hash))
		return err
	})
	// Verify the hash, so that write access to Redis does not allow replacing documents.
	if sum := sha256.Sum256([]byte(document)); err != nil || hex.EncodeToString(sum[:]) != hash {
		return "", false
	}
	d.local.Add(ctx, hash, document)
	return document, true
}

// Add implements [graphql.Cache].
func (d *documentCache) Add(ctx context.Context, hash, document string) {
	d.local.Add(ctx, hash, document)
	if _, kept := d.local.Get(ctx, hash); !kept {
		return // it is too long
	}
	_ = d.redis.set(ctx, "document:"+hash, document, documentTTL)
}
