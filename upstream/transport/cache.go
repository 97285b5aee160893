package transport

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/hex"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/lru"
)

// cache answers repeated GETs from stored responses for a while. A response never reaches another
// credential. Any call that is not a GET invalidates the responses of its workspace for all
// credentials, including those of GETs in flight. Replicas share the cache and its invalidations.
// Responses are stored after they have been decoded (see [Response.Decoded]). A cache is bounded in bytes and safe for
// concurrent use.
type cache struct {
	next      *coalescer
	ttl       time.Duration
	replicas  Replicas // nil without replicas
	uploads   chan struct{}
	responses *lru.Cache[cacheKey, cached]

	mu sync.Mutex
	// epochs counts the invalidations of each workspace. Responses of earlier epochs are no longer
	// found, and are evicted as they age.
	epochs    map[string]uint64
	baseEpoch uint64 // of workspaces that are not in the map
}

type cacheKey struct {
	credential Credential
	epoch      uint64
	// shared is the epoch that replicas share.
	shared string
	url    string
}

// NextHeader is the only header that the cache keeps. It holds the cursor of the next page, if there
// is one (clickfunnels-api.md §3.1).
const NextHeader = "Pagination-Next"

// cached is a stored response with the status 200.
type cached struct {
	next string // header NextHeader
	body []byte
	// expires is when the response is no longer valid.
	expires time.Time
}

const (
	// entryBytes is the approximate overhead of an entry beyond its URL and body.
	entryBytes = 512
	// maxSharedBody is the largest body that replicas share, in bytes. maxUploads is how many
	// responses may be on their way to the shared state.
	maxSharedBody = 256 << 10
	maxUploads    = 64
	// maxEpochs bounds the number of workspaces with an epoch of their own.
	maxEpochs = 10_000
)

// newCache returns a cache that stores responses for ttl, with at most size bytes in total.
func newCache(next *coalescer, ttl time.Duration, size uint64, replicas Replicas) *cache {
	return &cache{
		next: next, ttl: ttl, replicas: replicas, uploads: make(chan struct{}, maxUploads), epochs: make(map[string]uint64),
		responses: lru.New(int(min(size, math.MaxInt)), func(key cacheKey, answer cached) int {
			return entryBytes + len(key.url) + len(answer.next) + len(answer.body)
		}),
	}
}

// do makes a call, or returns the stored response to an identical one.
func (c *cache) do(ctx context.Context, r *Request) (Response, error) {
	if r.Method != http.MethodGet {
		// The cache is invalidated again after the write: responses read in between may be of
		// either state.
		c.invalidate(ctx, r.Host)
		defer c.invalidate(ctx, r.Host)
		return c.next.do(ctx, r)
	}
	key := cacheKey{credential: r.Credential, epoch: c.epoch(r.Host), url: r.URL}
	useShared := false
	if c.replicas != nil {
		// If the shared state is unreachable, the server runs standalone.
		var err error
		key.shared, err = c.replicas.Epoch(ctx, r.Host)
		useShared = err == nil
	}
	if !r.Fresh {
		if known, ok := c.lookup(ctx, key, r, useShared); ok {
			return Response{Status: http.StatusOK, Header: http.Header{NextHeader: {known.next}}, Body: known.body, Origin: FromCache}, nil
		}
	}
	a, err := c.next.do(ctx, r)
	if err == nil && a.Status == http.StatusOK {
		a.decoded = func() { c.store(key, r, a, useShared) }
	}
	return a, err
}

// store stores a response, unless another caller of the same call already has.
func (c *cache) store(key cacheKey, r *Request, a Response, useShared bool) {
	if !r.Fresh {
		if known, ok := c.responses.Get(key); ok && time.Now().Before(known.expires) {
			return
		}
	}
	known := cached{a.Header.Get(NextHeader), bytes.Clone(a.Body), time.Now().Add(c.ttl)}
	c.responses.Set(key, known)
	if useShared && len(known.body) <= maxSharedBody {
		c.upload(key.sharedKey(), known, r.authorization())
	}
}

// upload sends a response to the shared state in the background. It does nothing if too many
// uploads are in progress.
func (c *cache) upload(name string, answer cached, authorization string) {
	select {
	case c.uploads <- struct{}{}:
		go func() {
			defer func() { <-c.uploads }()
			c.replicas.Keep(name, answer.seal(name, authorization), c.ttl)
		}()
	default:
	}
}

// lookup returns a response stored here or in the shared state.
func (c *cache) lookup(ctx context.Context, key cacheKey, r *Request, useShared bool) (cached, bool) {
	if known, ok := c.responses.Get(key); ok {
		if time.Now().Before(known.expires) {
			return known, true
		}
		c.responses.Remove(key)
	}
	if !useShared {
		return cached{}, false
	}
	name := key.sharedKey()
	sealed, rest, ok := c.replicas.Answer(ctx, name)
	if !ok {
		return cached{}, false
	}
	answer, ok := unseal(sealed, name, r.authorization())
	if ok {
		answer.expires = time.Now().Add(min(rest, c.ttl))
		c.responses.Set(key, answer)
	}
	return answer, ok
}

// sharedKey returns the key in the shared state. It is a hash, because the URL can hold filter
// values.
func (k cacheKey) sharedKey() string {
	sum := Digest(string(k.credential[:]), k.shared, k.url)
	return hex.EncodeToString(sum[:])
}

// sealCipher returns the cipher for the responses of one credential.
func sealCipher(authorization string) cipher.AEAD { return StateCipher("answers", authorization) }

// seal encrypts a response for the shared state. The name is authenticated with it.
func (a cached) seal(name, authorization string) []byte {
	return sealCipher(authorization).Seal(nil, nil, slices.Concat([]byte(a.next), []byte{'\n'}, a.body), []byte(name)) //nolint:gosec // the nonce is its own
}

// unseal returns false unless the response was sealed with the credential, under the same name.
func unseal(sealed []byte, name, authorization string) (cached, bool) {
	text, err := sealCipher(authorization).Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return cached{}, false
	}
	next, body, ok := bytes.Cut(text, []byte{'\n'})
	return cached{next: string(next), body: body}, ok
}

func (c *cache) epoch(workspace string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch, ok := c.epochs[workspace]; ok {
		return epoch
	}
	return c.baseEpoch
}

// invalidate removes all stored responses of a workspace.
func (c *cache) invalidate(ctx context.Context, workspace string) {
	if c.replicas != nil {
		c.replicas.Written(ctx, workspace)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.epochs[workspace]; !known && len(c.epochs) == maxEpochs {
		// Start over with an epoch that no workspace has used.
		for _, epoch := range c.epochs {
			c.baseEpoch = max(c.baseEpoch, epoch)
		}
		c.baseEpoch++
		clear(c.epochs)
	}
	epoch, known := c.epochs[workspace]
	if !known {
		epoch = c.baseEpoch
	}
	c.epochs[workspace] = epoch + 1
}
