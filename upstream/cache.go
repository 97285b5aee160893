package upstream

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/lru"
)

// cache answers a GET for a while as the same one was answered before. An answer is
// never given to another credential. Any call that is not a GET empties it
// for its workspace, for every credential, and for the GETs under way. It is bounded
// in bytes and safe for concurrent use. Replicas share it, and empty it for each
// other. An answer is kept once it has been decoded.
type cache struct {
	next      *coalescer
	ttl       time.Duration
	replicas  Replicas // nil if there are none
	uploads   chan struct{}
	responses *lru.Cache[cacheKey, cached]

	mu sync.Mutex
	// epochs count the emptyings of each workspace: what belongs to an earlier
	// epoch is not found any more, and goes as it ages.
	epochs    map[string]uint64
	baseEpoch uint64 // the epoch of workspaces that are not in the map
}

type cacheKey struct {
	credential credential
	epoch      uint64
	// shared is the replicas' epoch.
	shared string
	url    string
}

// cached is what is kept of an answer, whose status was 200.
type cached struct {
	next string // the header Pagination-Next
	body []byte
	// until is when its time is over.
	expires time.Time
}

const (
	// entryBytes is about what an entry takes beside its URL and body.
	entryBytes = 512
	// maxShared bounds an answer that replicas share, in bytes, and maxSharing how many
	// are on their way to them.
	maxSharedBody = 256 << 10
	maxUploads    = 64
	// maxEpochs bounds the memory for workspaces that were written to.
	maxEpochs = 10_000
)

// newCache returns a cache that keeps answers for ttl, of at most size bytes
// together.
func newCache(next *coalescer, ttl time.Duration, size uint64, replicas Replicas) *cache {
	return &cache{
		next: next, ttl: ttl, replicas: replicas, uploads: make(chan struct{}, maxUploads), epochs: make(map[string]uint64),
		responses: lru.New(int(min(size, math.MaxInt)), func(key cacheKey, answer cached) int {
			return entryBytes + len(key.url) + len(answer.next) + len(answer.body)
		}),
	}
}

// do makes a call, or returns what the same one was answered before.
func (c *cache) do(ctx context.Context, r *request) (response, error) {
	if r.method != http.MethodGet {
		// Once more when it is done: what was read in between may be of either
		// side.
		c.invalidate(ctx, r.host)
		defer c.invalidate(ctx, r.host)
		return c.next.do(ctx, r)
	}
	key := cacheKey{credential: r.credential, epoch: c.epoch(r.host), url: r.url}
	useShared := false
	if c.replicas != nil {
		// Replicas that cannot be reached are replicas that there are not.
		var err error
		key.shared, err = c.replicas.Epoch(ctx, r.host)
		useShared = err == nil
	}
	if !r.fresh {
		if known, ok := c.lookup(ctx, key, r, useShared); ok {
			r.origin = FromCache
			return response{status: http.StatusOK, header: http.Header{nextHeader: {known.next}}, body: known.body}, nil
		}
	}
	a, err := c.next.do(ctx, r)
	if err == nil && a.status == http.StatusOK {
		a.decoded = func() { c.store(key, r, a, useShared) }
	}
	return a, err
}

// keep keeps an answer, unless one that waited for the same call has kept it.
func (c *cache) store(key cacheKey, r *request, a response, useShared bool) {
	if !r.fresh {
		if known, ok := c.responses.Get(key); ok && time.Now().Before(known.expires) {
			return
		}
	}
	known := cached{a.header.Get(nextHeader), bytes.Clone(a.body), time.Now().Add(c.ttl)}
	c.responses.Set(key, known)
	if useShared && len(known.body) <= maxSharedBody {
		c.upload(key.sharedKey(), known, r.authorization())
	}
}

// share has replicas know an answer, at some time, if there is not too much of that
// already.
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

// find returns what is kept, here or by a replica.
func (c *cache) lookup(ctx context.Context, key cacheKey, r *request, useShared bool) (cached, bool) {
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

// name is the key's among replicas. It tells nothing of the URL, which can hold what a
// filter asks for.
func (k cacheKey) sharedKey() string {
	sum := digest(string(k.credential[:]), k.shared, k.url)
	return hex.EncodeToString(sum[:])
}

// sealing returns the cipher for what one credential is answered, so that whoever can
// read the replicas' store has to know the token to read an answer.
func sealCipher(authorization string) cipher.AEAD {
	key := digest("answers", authorization)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only a key of another length is an error
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (a cached) seal(name, authorization string) []byte {
	return sealCipher(authorization).Seal(nil, nil, slices.Concat([]byte(a.next), []byte{'\n'}, a.body), []byte(name)) //nolint:gosec // the nonce is its own
}

// unseal reports false for what was not sealed with the credential, under the name.
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

// empty lets nothing be found any more of what a workspace answered.
func (c *cache) invalidate(ctx context.Context, workspace string) {
	if c.replicas != nil {
		c.replicas.Written(ctx, workspace)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.epochs[workspace]; !known && len(c.epochs) == maxEpochs {
		// Begin anew, with an epoch that no workspace has had.
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
