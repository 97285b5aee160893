// Package replicas lets servers that run side by side share what they know, through a
// Redis or Valkey server: how fast ClickFunnels may be called, what it has answered, and
// persisted documents. All of that is for the better only. While the server is slow or
// gone, each goes on as if it were alone.
package replicas

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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"

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
	// own is how long a replica remembers what it has written itself, until it hears
	// of it.
	own = 2 * time.Second
)

//go:embed lease.lua
var leaseScript string

// Redis is what replicas share. It is safe for concurrent use.
type Redis struct {
	id      string
	client  atomic.Pointer[rueidis.Client]
	breaker circuitbreaker.CircuitBreaker[any]
	lease   *rueidis.Lua

	failures atomic.Int64

	mu sync.Mutex
	// written are the workspaces that this replica has written to a moment ago, with
	// their epoch.
	written map[string]written
	// untold are those of which Redis could not be told.
	untold map[string]bool
}

type written struct {
	epoch int64
	at    time.Time
}

// Check returns an error of one line if a URL cannot be used. It repeats nothing of the
// URL, which may hold a password.
func Check(url string) error {
	_, err := options(url)
	return err
}

func options(url string) (rueidis.ClientOption, error) {
	o, err := rueidis.ParseURL(url)
	if err != nil {
		return o, errors.New("it looks like redis://user:password@host:6379/0, or rediss:// with TLS")
	}
	o.Dialer = net.Dialer{Timeout: time.Second, KeepAlive: time.Second}
	o.ConnWriteTimeout = time.Second
	o.DisableRetry = true
	o.ClientName = "funnelgraph"
	// Little is in flight at a time: the defaults are for much more.
	o.RingScaleEachConn = 8
	o.ReadBufferEachConn, o.WriteBufferEachConn = 64<<10, 64<<10
	o.CacheSizeEachConn = 4 << 20
	return o, nil
}

// Connect returns what replicas share at a URL. It does not wait until the server can be
// reached, and goes on trying until the context ends.
func Connect(ctx context.Context, url string) (*Redis, error) {
	o, err := options(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		id: rand.Text(), lease: rueidis.NewLuaScript(leaseScript),
		written: make(map[string]written), untold: make(map[string]bool),
	}
	r.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(pause).WithSuccessThreshold(1).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			if e.OldState == circuitbreaker.ClosedState {
				slog.Warn("Redis does not answer: until it does, this server goes by what it knows itself")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) { slog.Info("Redis answers again") }).
		Build()
	// A start does not wait for long, and what comes first is better known together.
	connected := make(chan struct{})
	go r.connect(ctx, o, connected)
	select {
	case <-connected:
	case <-time.After(2 * time.Second):
	}
	return r, nil
}

// connect connects, however often it takes, and looks after the server until the context
// ends.
func (r *Redis) connect(ctx context.Context, o rueidis.ClientOption, connected chan<- struct{}) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		client, err := rueidis.NewClient(o)
		if err == nil {
			r.client.Store(&client)
			break
		}
		r.fail()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
	close(connected)
	for {
		select {
		case <-ctx.Done():
			(*r.client.Load()).Close()
			return
		case <-ticker.C:
			r.tell(ctx)
		}
	}
}

// Failures is how often Redis has not answered, or not in time.
func (r *Redis) Failures() int64 { return r.failures.Load() }

// Metrics returns what is to be known of Redis by those who run the server.
func (r *Redis) Metrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "funnelgraph_redis_failures_total", Help: "How often Redis has not answered, or not in time.",
		}, func() float64 { return float64(r.failures.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "funnelgraph_redis_up", Help: "1 while Redis answers; 0 while this server goes by what it knows itself.",
		}, func() float64 {
			if r.client.Load() == nil || !r.breaker.IsClosed() {
				return 0
			}
			return 1
		}),
	}
}

func (r *Redis) fail() {
	r.failures.Add(1)
	r.breaker.RecordFailure()
}

var errAway = errors.New("replicas cannot be reached")

// do has f ask Redis, if that is of any use, and for no longer than patience.
func (r *Redis) do(ctx context.Context, f func(context.Context, rueidis.Client) error) error {
	client := r.client.Load()
	if client == nil || !r.breaker.TryAcquirePermit() {
		return errAway
	}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f(asked, *client)
	switch {
	case err == nil || rueidis.IsRedisNil(err):
		r.breaker.RecordSuccess()
	case ctx.Err() != nil && r.breaker.IsClosed(): // given up by whoever asked
	default:
		r.fail()
	}
	return err
}

// Lease implements [upstream.Replicas].
func (r *Redis) Lease(lane, id string, ask upstream.Ask) (grant upstream.Grant, err error) {
	float := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	number := strconv.Itoa
	err = r.do(context.Background(), func(ctx context.Context, client rueidis.Client) error {
		values, err := r.lease.Exec(ctx, client, []string{prefix + "lane:" + lane}, []string{
			r.id + "." + id, number(ask.Need), number(ask.Want), number(ask.Running), float(ask.Limit), number(ask.Most),
			float(ask.Ease), float(ask.Grow), number(int(ask.Took.Milliseconds())), number(int(ask.Rest.Milliseconds())), number(int(leaseTTL.Milliseconds())),
			number(int(ask.LongestRest.Milliseconds())),
		}).ToArray()
		if err != nil {
			return err
		}
		if len(values) != 5 {
			return errors.New("an answer of another length")
		}
		calls, err1 := values[0].AsInt64()
		limit, err2 := values[1].AsFloat64()
		eased, err3 := values[2].AsInt64()
		rest, err4 := values[3].AsInt64()
		replicas, err5 := values[4].AsInt64()
		grant = upstream.Grant{
			Calls: int(calls), Limit: limit, Eased: time.Duration(eased) * time.Millisecond,
			Rest: time.Duration(rest) * time.Millisecond, Replicas: int(replicas),
		}
		return errors.Join(err1, err2, err3, err4, err5)
	})
	return grant, err
}

// Epoch implements [upstream.Replicas].
func (r *Redis) Epoch(ctx context.Context, workspace string) (string, error) {
	var epoch int64
	err := r.do(ctx, func(ctx context.Context, client rueidis.Client) (err error) {
		// Redis says when it changes, so that this mostly asks nobody.
		get := client.B().Get().Key(prefix + "epoch:" + workspace)
		if r.breaker.IsClosed() {
			epoch, err = client.DoCache(ctx, get.Cache(), time.Minute).AsInt64()
		} else { // what this process knows itself does not say that Redis is back
			epoch, err = client.Do(ctx, get.Build()).AsInt64()
		}
		return err
	})
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if mine, ok := r.written[workspace]; ok {
		if time.Since(mine.at) > own {
			delete(r.written, workspace)
		} else {
			epoch = max(epoch, mine.epoch)
		}
	}
	return strconv.FormatInt(epoch, 10), nil
}

// Written implements [upstream.Replicas].
func (r *Redis) Written(ctx context.Context, workspace string) {
	var epoch int64
	err := r.do(context.WithoutCancel(ctx), func(ctx context.Context, client rueidis.Client) (err error) {
		key := prefix + "epoch:" + workspace
		answers := client.DoMulti(ctx, client.B().Incr().Key(key).Build(), client.B().Expire().Key(key).Seconds(int64(epochTTL.Seconds())).Build())
		epoch, err = answers[0].AsInt64()
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if len(r.untold) < maxUntold {
			r.untold[workspace] = true
		}
		return
	}
	delete(r.untold, workspace)
	now := time.Now()
	for known, mine := range r.written {
		if now.Sub(mine.at) > own {
			delete(r.written, known)
		}
	}
	r.written[workspace] = written{epoch, now}
}

// maxUntold bounds the memory for writes that Redis could not be told of.
const maxUntold = 10_000

// tell tells Redis of the writes that it could not be told of.
func (r *Redis) tell(ctx context.Context) {
	r.mu.Lock()
	untold := slices.Collect(maps.Keys(r.untold))
	r.mu.Unlock()
	for _, workspace := range untold {
		r.Written(ctx, workspace)
	}
}

// Answer implements [upstream.Replicas].
func (r *Redis) Answer(ctx context.Context, key string) (answer []byte, rest time.Duration, ok bool) {
	key = prefix + "answer:" + key
	err := r.do(ctx, func(ctx context.Context, client rueidis.Client) (err error) {
		answers := client.DoMulti(ctx, client.B().Get().Key(key).Build(), client.B().Pttl().Key(key).Build())
		if answer, err = answers[0].AsBytes(); err != nil {
			return err
		}
		ms, err := answers[1].AsInt64()
		rest = time.Duration(ms) * time.Millisecond
		return err
	})
	return answer, rest, err == nil && rest > 0
}

// Keep implements [upstream.Replicas].
func (r *Redis) Keep(key string, answer []byte, ttl time.Duration) {
	_ = r.do(context.Background(), func(ctx context.Context, client rueidis.Client) error {
		return client.Do(ctx, client.B().Set().Key(prefix+"answer:"+key).Value(rueidis.BinaryString(answer)).Px(ttl).Build()).Error()
	})
}

// Documents returns a cache of persisted documents that replicas share, in front of which
// is one of this server's own.
func (r *Redis) Documents(local graphql.Cache[string]) graphql.Cache[string] { return &shelf{r, local} }

type shelf struct {
	redis *Redis
	local graphql.Cache[string]
}

// Get implements [graphql.Cache].
func (d *shelf) Get(ctx context.Context, hash string) (document string, ok bool) {
	if document, ok = d.local.Get(ctx, hash); ok || len(hash) != hex.EncodedLen(sha256.Size) {
		return document, ok
	}
	err := d.redis.do(ctx, func(ctx context.Context, client rueidis.Client) (err error) {
		document, err = client.Do(ctx, client.B().Get().Key(prefix+"document:"+hash).Build()).ToString()
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
	_ = d.redis.do(ctx, func(ctx context.Context, client rueidis.Client) error {
		return client.Do(ctx, client.B().Set().Key(prefix+"document:"+hash).Value(document).Px(documentTTL).Build()).Error()
	})
}
