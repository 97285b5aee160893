package transport

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/lru"
)

// cache answers repeated GETs from stored responses for a while. A response never reaches another
// credential. Each has tags: of the records that it holds, and of the list that it is a part of. A change
// evicts the responses with its tags, for all credentials, including those of GETs in flight. Replicas share
// the cache and its evictions. Responses are stored after they have been decoded (see [Response.Decoded]).
// A cache is bounded in bytes and safe for concurrent use.
type cache struct {
	next *coalescer
	// ttl is how long a response of a kind is valid, and stale how long it replaces one that ClickFunnels
	// cannot give after that.
	ttl       func(kind string) time.Duration
	stale     time.Duration
	replicas  Replicas // nil without replicas
	uploads   chan struct{}
	responses *lru.Cache[cacheKey, cached]
	evicted   *evictions
}

type cacheKey struct {
	credential Credential
	url        string
}

// NextHeader is the only header that the cache keeps. It holds the cursor of the next page, if there
// is one (clickfunnels-api.md §3.1).
const NextHeader = "Pagination-Next"

// cached is a stored response with the status 200.
type cached struct {
	origin
	body []byte
	// began is the number of evictions when its call began.
	began uint64
}

// origin is what the shared state holds of a response beside its body.
type origin struct {
	Next string   `json:"next,omitempty"` // header NextHeader
	Tags []string `json:"tags"`           // nil if every change evicts it
	// Position is the last eviction before its call began.
	Position Position `json:"position"`
	// Came is when it came from ClickFunnels, and Expires when it is not valid any more.
	Came    time.Time `json:"came"`
	Expires time.Time `json:"expires"`
}

const (
	// entryBytes is the approximate overhead of an entry beyond its URL and body, and tagBytes of a tag
	// beyond its text.
	entryBytes = 512
	tagBytes   = 16
	// maxSharedBody is the largest body that replicas share, in bytes. maxUploads is how many
	// responses may be on their way to the shared state.
	maxSharedBody = 256 << 10
	maxUploads    = 64
)

// newCache returns a cache of at most size bytes in total.
func newCache(next *coalescer, ttl func(kind string) time.Duration, stale time.Duration, size uint64, replicas Replicas) *cache {
	return &cache{
		next: next, ttl: ttl, stale: stale, replicas: replicas, uploads: make(chan struct{}, maxUploads), evicted: newEvictions(),
		responses: lru.New(int(min(size, math.MaxInt)), func(key cacheKey, answer cached) int {
			bytes := entryBytes + len(key.url) + len(answer.Next) + len(answer.body)
			for _, tag := range answer.Tags {
				bytes += tagBytes + len(tag)
			}
			return bytes
		}),
	}
}

// do makes a call, or returns the stored response to an identical one.
func (c *cache) do(ctx context.Context, r *Request) (Response, error) {
	if r.Method != http.MethodGet {
		a, err := c.next.do(ctx, r)
		if mayHaveChanged(a, err) {
			c.evict(ctx, r.Host, r.changes(a, err))
		}
		return a, err
	}
	position, isShared := c.sync(ctx, r.Host)
	began := c.evicted.begin()
	key := cacheKey{r.Credential, r.URL}
	var known cached
	found := false
	if !r.Fresh {
		if known, found = c.lookup(ctx, key, r, isShared); found && time.Now().Before(known.Expires) {
			r.Allowance.used(c, r.Host, began, known.Expires)
			return known.response(), nil
		}
	}
	a, err := c.next.do(ctx, r)
	switch {
	case found && !r.Stored && isOutage(ctx, a, err) && c.evicted.isValid(r.Host, known.began, known.Tags):
		a.Free()
		a = known.response()
		a.IsStale = true
		r.Allowance.addStale(max(1, time.Since(known.Expires)))
		return a, nil
	case err == nil && a.Status == http.StatusOK && c.ttl(r.Kind) > 0:
		a.decoded = func() { r.Allowance.used(c, r.Host, began, c.store(key, r, a, began, position, isShared)) }
	default:
		r.Allowance.MustRevalidate()
	}
	return a, err
}

// isCurrent reports whether nothing of a host has been evicted since there were so many evictions. It is
// false if the evictions of other replicas are unknown.
func (c *cache) isCurrent(ctx context.Context, host string, began uint64) bool {
	if c.replicas != nil {
		if _, isShared := c.sync(ctx, host); !isShared {
			return false
		}
	}
	return c.evicted.isValid(host, began, nil)
}

// isOutage reports whether a call failed because ClickFunnels is down. It is not if it refused the call.
func isOutage(ctx context.Context, a Response, err error) bool {
	if err == nil {
		return a.Status >= http.StatusInternalServerError
	}
	refused, isRefused := errors.AsType[*RefusedError](err)
	_, isLarge := errors.AsType[*BodyTooLargeError](err)
	return !errors.Is(ctx.Err(), context.Canceled) && !isLarge && !errors.Is(err, ErrOverBudget) && !errors.Is(err, ErrInvalidRequest) && (!isRefused || refused.Reason == HostDown)
}

// changes returns the tags of what a write has changed; nil if that is unknown.
func (r *Request) changes(a Response, err error) []string {
	if err != nil || r.Tags == nil || a.Status < 200 || a.Status > 299 {
		return nil
	}
	return r.Tags(a.Body)
}

// response returns the response to a caller.
func (a cached) response() Response {
	return Response{Status: http.StatusOK, Header: http.Header{NextHeader: {a.Next}}, Body: a.body, Origin: FromCache, Age: max(0, time.Since(a.Came))}
}

// sync applies the evictions of other replicas. It returns the position of the last one, and whether the
// shared state can be used. Otherwise the server runs standalone.
func (c *cache) sync(ctx context.Context, host string) (Position, bool) {
	if c.replicas == nil {
		return Position{}, false
	}
	after := c.evicted.position(host)
	next, isWhole, err := c.replicas.Evictions(ctx, host, after)
	switch {
	case err == nil:
		return c.evicted.sync(host, after, next, isWhole, func() { c.forget(host) })
	case ctx.Err() == nil: // the caller waits for it
		c.evicted.miss(host)
	}
	return Position{}, false
}

// forget stops later reads of a host from joining calls that have begun.
func (c *cache) forget(host string) {
	c.next.forget(func(key flightKey) bool { return key.host == host })
}

// evict evicts the responses of a host with one of the tags, or all if tags is nil.
func (c *cache) evict(ctx context.Context, host string, tags []string) {
	c.forget(host)
	defer c.forget(host) // once more, for reads that began before the eviction was known
	var at Position
	isShared := true
	if c.replicas != nil {
		var err error
		at, err = c.replicas.Evict(context.WithoutCancel(ctx), host, tags)
		isShared = err == nil
	}
	c.evicted.add(host, tags, at, isShared)
}

// store stores a response, unless another caller of the same call already has, or it was evicted. It returns
// when the response expires; the zero time if it was evicted.
func (c *cache) store(key cacheKey, r *Request, a Response, began uint64, position Position, isShared bool) (expires time.Time) {
	if !r.Fresh {
		known, ok := c.responses.Get(key)
		if ok && known.began <= began && time.Now().Before(known.Expires) && c.evicted.isValid(r.Host, known.began, known.Tags) {
			return known.Expires
		}
	}
	var tags []string
	if r.Tags != nil {
		tags = r.Tags(a.Body)
	}
	if !c.evicted.isValid(r.Host, began, tags) {
		return time.Time{}
	}
	now, ttl := time.Now(), c.ttl(r.Kind)
	known := cached{origin{a.Header.Get(NextHeader), tags, position, now, now.Add(ttl)}, bytes.Clone(a.Body), began}
	c.responses.Set(key, known)
	if isShared && len(known.body) <= maxSharedBody {
		c.upload(key.sharedKey(), known, r.authorization(), ttl+c.stale)
	}
	return known.Expires
}

// upload sends a response to the shared state in the background. It does nothing if too many
// uploads are in progress.
func (c *cache) upload(name string, answer cached, authorization string, lasts time.Duration) {
	select {
	case c.uploads <- struct{}{}:
		go func() {
			defer func() { <-c.uploads }()
			c.replicas.Keep(name, answer.seal(name, authorization), lasts)
		}()
	default:
	}
}

// lookup returns a response stored here or in the shared state. It can have expired, but not be evicted.
func (c *cache) lookup(ctx context.Context, key cacheKey, r *Request, isShared bool) (cached, bool) {
	oldest := time.Now().Add(-c.stale)
	if known, ok := c.responses.Get(key); ok {
		if known.Expires.After(oldest) && c.evicted.isValid(r.Host, known.began, known.Tags) {
			if time.Now().Before(known.Expires) || !isShared {
				return known, true
			}
		} else {
			c.responses.Remove(key)
		}
	}
	if !isShared {
		return cached{}, false
	}
	answer, ok := c.lookupShared(ctx, key, r)
	if !ok || !answer.Expires.After(oldest) {
		known, ok := c.responses.Get(key)
		return known, ok && known.Expires.After(oldest) && c.evicted.isValid(r.Host, known.began, known.Tags)
	}
	answer.Expires = earlier(answer.Expires, time.Now().Add(c.ttl(r.Kind))) // in case of another clock
	c.responses.Set(key, answer)
	return answer, true
}

// lookupShared returns a response stored in the shared state. It can have expired, but not be evicted.
func (c *cache) lookupShared(ctx context.Context, key cacheKey, r *Request) (answer cached, ok bool) {
	began, name := c.evicted.begin(), key.sharedKey()
	sealed, ok := c.replicas.Answer(ctx, name)
	if !ok {
		return answer, false
	}
	answer, ok = unseal(sealed, name, r.authorization())
	answer.began = began
	return answer, ok && c.evicted.isValidShared(r.Host, began, answer.Position, answer.Tags)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sharedKey returns the key in the shared state. It is a hash, because the URL can hold filter
// values.
func (k cacheKey) sharedKey() string {
	sum := Digest(string(k.credential[:]), k.url)
	return hex.EncodeToString(sum[:])
}

// sealCipher returns the cipher for the responses of one credential.
func sealCipher(authorization string) cipher.AEAD { return StateCipher("answers", authorization) }

// seal encrypts a response for the shared state. The name is authenticated with it.
func (a cached) seal(name, authorization string) []byte {
	head, err := json.Marshal(a.origin)
	if err != nil {
		panic(err) // texts, numbers and times always marshal
	}
	return sealCipher(authorization).Seal(nil, nil, slices.Concat(head, []byte{'\n'}, a.body), []byte(name)) //nolint:gosec // the nonce is its own
}

// unseal returns false unless the response was sealed with the credential, under the same name.
func unseal(sealed []byte, name, authorization string) (answer cached, ok bool) {
	text, err := sealCipher(authorization).Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return cached{}, false
	}
	head, body, ok := bytes.Cut(text, []byte{'\n'})
	answer.body = body
	return answer, ok && json.Unmarshal(head, &answer.origin) == nil
}
