// Package redis lets servers that run side by side share what they know, through a
// Redis or Valkey server: how fast ClickFunnels may be called, what it has answered, and
// persisted documents. All of that is for the better only. While the server is slow or
// gone, each goes on as if it were alone.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	redigo "github.com/gomodule/redigo/redis"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// prefix is before all keys. It changes when what is kept under them does.
	prefix = "funnelgraph:2:"
	// patience is how long an answer of Redis is waited for.
	patience = 100 * time.Millisecond
	// pause is how long Redis is left alone after it has failed a few times.
	pause = 2 * time.Second
	// leaseTTL is how long a lease lasts that is not renewed.
	leaseTTL = 5 * time.Second
	// documentTTL is how long a persisted document is kept after it was last sent.
	documentTTL = 24 * time.Hour
	// MaxTTL is the longest time that answers may be kept for.
	MaxTTL = 24 * time.Hour
	// epochs outlive all answers that were kept before them.
	epochTTL = 2 * MaxTTL
)

//go:embed lease.lua
var leaseScript string

// Client is what replicas share. It is safe for concurrent use.
type Client struct {
	id      string
	pool    atomic.Pointer[redigo.Pool]
	conns   *semaphore.Weighted // the pool's own limit panics when it is closed meanwhile
	breaker circuitbreaker.CircuitBreaker[any]
	lease   *redigo.Script

	failures atomic.Int64

	mu sync.Mutex
	// untold are the workspaces of whose writes Redis could not be told.
	untold map[string]bool
}

// Check returns an error of one line if a URL cannot be used. It repeats nothing of the
// URL, which may hold a password.
func Check(url string) error {
	dial := redigo.DialContextFunc(func(context.Context, string, string) (net.Conn, error) { return nil, errAway })
	if _, err := redigo.DialURL(url, dial); !errors.Is(err, errAway) {
		return errors.New("it looks like redis://user:password@host:6379/0, or rediss:// with TLS")
	}
	return nil
}

// maxConns is how many connections there are at most: few enough for 256 replicas, as Redis
// bears 10,000 by default.
const maxConns = 32

func newPool(url string) *redigo.Pool {
	return &redigo.Pool{
		DialContext: func(ctx context.Context) (redigo.Conn, error) {
			return redigo.DialURLContext(ctx, url, redigo.DialClientName("funnelgraph"),
				redigo.DialReadTimeout(patience), redigo.DialWriteTimeout(patience), redigo.DialTLSHandshakeTimeout(time.Second))
		},
		MaxIdle: maxConns, IdleTimeout: time.Minute,
	}
}

// Connect returns what replicas share at a URL, until the context ends. It does not wait until
// the server can be reached.
func Connect(ctx context.Context, url string) (*Client, error) {
	if err := Check(url); err != nil {
		return nil, err
	}
	r := &Client{id: rand.Text(), conns: semaphore.NewWeighted(maxConns), lease: redigo.NewScript(1, leaseScript), untold: make(map[string]bool)}
	r.pool.Store(newPool(url))
	r.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(pause).WithSuccessThreshold(1).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			// The connections of before may all be dead.
			_ = r.pool.Swap(newPool(url)).Close()
			if e.OldState == circuitbreaker.ClosedState {
				slog.Warn("Redis does not answer: until it does, this server goes by what it knows itself")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) { slog.Info("Redis answers again") }).
		Build()
	go r.watch(ctx)
	return r, nil
}

// watch pings Redis from time to time, and tells it of the writes that it could not be told
// of, until the context ends.
func (r *Client) watch(ctx context.Context) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		up := r.do(ctx, func(conn redigo.Conn) error {
			_, err := conn.Do("PING")
			return err
		})
		if up == nil {
			r.tell(ctx)
		}
		select {
		case <-ctx.Done():
			_ = r.pool.Load().Close()
			return
		case <-ticker.C:
		}
	}
}

// Failures is how often Redis has not answered, or not in time.
func (r *Client) Failures() int64 { return r.failures.Load() }

// Metrics returns what is to be known of Redis by those who run the server.
func (r *Client) Metrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "funnelgraph_redis_failures_total", Help: "How often Redis has not answered, or not in time.",
		}, func() float64 { return float64(r.failures.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "funnelgraph_redis_up", Help: "1 while Redis answers; 0 while this server goes by what it knows itself.",
		}, func() float64 {
			if r.pool.Load() == nil || !r.breaker.IsClosed() {
				return 0
			}
			return 1
		}),
	}
}

func (r *Client) fail() {
	r.failures.Add(1)
	r.breaker.RecordFailure()
}

var errAway = errors.New("replicas cannot be reached")

// do has f ask Redis, if that is of any use. It waits for a connection no longer than patience,
// and for each answer.
func (r *Client) do(ctx context.Context, f func(redigo.Conn) error) error {
	if !r.breaker.TryAcquirePermit() {
		return errAway
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
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
	case ctx.Err() != nil && r.breaker.IsClosed(): // given up by whoever asked
	default:
		r.fail()
	}
	return err
}

// Lease implements [upstream.Replicas].
func (r *Client) Lease(lane, id string, ask upstream.Ask) (grant upstream.Grant, err error) {
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

// Epoch implements [upstream.Replicas].
func (r *Client) Epoch(ctx context.Context, workspace string) (string, error) {
	var epoch int64
	err := r.do(ctx, func(conn redigo.Conn) (err error) {
		epoch, err = redigo.Int64(conn.Do("GET", prefix+"epoch:"+workspace))
		return err
	})
	if err != nil && !errors.Is(err, redigo.ErrNil) {
		return "", err
	}
	return strconv.FormatInt(epoch, 10), nil
}

// Written implements [upstream.Replicas].
func (r *Client) Written(ctx context.Context, workspace string) {
	err := r.do(context.WithoutCancel(ctx), func(conn redigo.Conn) error {
		key := prefix + "epoch:" + workspace
		if _, err := conn.Do("INCR", key); err != nil {
			return err
		}
		_, err := conn.Do("EXPIRE", key, int64(epochTTL.Seconds()))
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		delete(r.untold, workspace)
	case len(r.untold) < maxUntold:
		r.untold[workspace] = true
	}
}

// maxUntold bounds the memory for writes that Redis could not be told of.
const maxUntold = 10_000

// tell tells Redis of the writes that it could not be told of.
func (r *Client) tell(ctx context.Context) {
	r.mu.Lock()
	untold := slices.Collect(maps.Keys(r.untold))
	r.mu.Unlock()
	for _, workspace := range untold {
		r.Written(ctx, workspace)
	}
}

// Answer implements [upstream.Replicas].
func (r *Client) Answer(ctx context.Context, key string) (answer []byte, rest time.Duration, ok bool) {
	key = prefix + "answer:" + key
	err := r.do(ctx, func(conn redigo.Conn) (err error) {
		if answer, err = redigo.Bytes(conn.Do("GET", key)); err != nil {
			return err
		}
		ms, err := redigo.Int64(conn.Do("PTTL", key))
		rest = time.Duration(ms) * time.Millisecond
		return err
	})
	return answer, rest, err == nil && rest > 0
}

// Keep implements [upstream.Replicas].
func (r *Client) Keep(key string, answer []byte, ttl time.Duration) {
	r.set(context.Background(), "answer:"+key, answer, ttl)
}

func (r *Client) set(ctx context.Context, key string, value any, ttl time.Duration) {
	_ = r.do(ctx, func(conn redigo.Conn) error {
		_, err := conn.Do("SET", prefix+key, value, "PX", ttl.Milliseconds())
		return err
	})
}

// Documents returns a cache of persisted documents that replicas share, in front of which
// is one of this server's own.
func (r *Client) Documents(local graphql.Cache[string]) graphql.Cache[string] {
	return &shelf{r, local}
}

type shelf struct {
	redis *Client
	local graphql.Cache[string]
}

// Get implements [graphql.Cache].
func (d *shelf) Get(ctx context.Context, hash string) (document string, ok bool) {
	if document, ok = d.local.Get(ctx, hash); ok || len(hash) != hex.EncodedLen(sha256.Size) {
		return document, ok
	}
	err := d.redis.do(ctx, func(conn redigo.Conn) (err error) {
		document, err = redigo.String(conn.Do("GET", prefix+"document:"+hash))
		return err
	})
	// Whoever can write to Redis shall not be able to change what a hash stands for.
	if sum := sha256.Sum256([]byte(document)); err != nil || hex.EncodeToString(sum[:]) != hash {
		return "", false
	}
	d.local.Add(ctx, hash, document)
	return document, true
}

// Add implements [graphql.Cache].
func (d *shelf) Add(ctx context.Context, hash, document string) {
	d.local.Add(ctx, hash, document)
	if _, kept := d.local.Get(ctx, hash); !kept {
		return // it is too long
	}
	d.redis.set(ctx, "document:"+hash, document, documentTTL)
}
