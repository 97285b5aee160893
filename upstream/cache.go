package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// cache is a [http.RoundTripper] that answers a GET for a while as the same one
// was answered before. What one credential was answered is never another's. Any
// call that is not a GET empties it for its workspace, for every credential,
// and for the GETs under way. It is bounded in bytes and safe for concurrent
// use.
type cache struct {
	next     http.RoundTripper
	template urlTemplate
	answers  *otter.Cache[cacheKey, cached]

	mu sync.Mutex
	// epochs count the emptyings of each workspace: what belongs to an earlier
	// epoch is not found any more, and goes as it ages.
	epochs map[string]uint64
	past   uint64 // the epoch of workspaces that are not in the map
}

type cacheKey struct {
	credential credential
	epoch      uint64
	url        string
}

// cached is what is kept of an answer, whose status was 200.
type cached struct {
	next string // the header Pagination-Next
	body []byte
}

const (
	// entryBytes is about what an entry takes beside its URL and body.
	entryBytes = 512
	// maxEpochs bounds the memory for workspaces that were written to.
	maxEpochs = 10_000
)

// newCache returns a cache that keeps answers for ttl, of at most size bytes
// together.
func newCache(next http.RoundTripper, template urlTemplate, ttl time.Duration, size uint64) *cache {
	return &cache{next: next, template: template, epochs: make(map[string]uint64), answers: otter.Must(&otter.Options[cacheKey, cached]{
		MaximumWeight: size,
		Weigher: func(key cacheKey, answer cached) uint32 {
			return uint32(entryBytes + len(key.url) + len(answer.next) + len(answer.body)) //nolint:gosec // a body is far below 4 GiB
		},
		ExpiryCalculator: otter.ExpiryWriting[cacheKey, cached](ttl),
	})}
}

type freshKey struct{}

// Fresh returns a context whose calls are not answered from the cache. What they
// are answered is kept for others.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

// RoundTrip implements [http.RoundTripper].
func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	url := req.URL.String()
	workspace := c.template.subdomain(req.URL)
	if req.Method != http.MethodGet {
		// Once more when it is done: what was read in between may be of either
		// side.
		c.empty(workspace)
		defer c.empty(workspace)
		return c.next.RoundTrip(req)
	}
	key := cacheKey{sha256.Sum256([]byte(req.Header.Get("Authorization"))), c.epoch(workspace), url}
	if req.Context().Value(freshKey{}) == nil {
		if known, ok := c.answers.GetIfPresent(key); ok {
			header := make(http.Header, 1)
			if known.next != "" {
				header.Set(nextHeader, known.next)
			}
			return &http.Response{
				Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: header, Body: hold(known.body, nil), ContentLength: int64(len(known.body)), Request: req,
			}, nil
		}
	}
	resp, err := c.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusOK {
		c.answers.Set(key, cached{resp.Header.Get(nextHeader), bytes.Clone(resp.Body.(*heldBody).bytes)})
	}
	return resp, err
}

func (c *cache) epoch(workspace string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch, ok := c.epochs[workspace]; ok {
		return epoch
	}
	return c.past
}

// empty lets nothing be found any more of what a workspace answered.
func (c *cache) empty(workspace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.epochs[workspace]; !known && len(c.epochs) == maxEpochs {
		// Begin anew, with an epoch that no workspace has had.
		for _, epoch := range c.epochs {
			c.past = max(c.past, epoch)
		}
		c.past++
		clear(c.epochs)
	}
	epoch, known := c.epochs[workspace]
	if !known {
		epoch = c.past
	}
	c.epochs[workspace] = epoch + 1
}
