package gqlhttp

import (
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
)

// content is an encoded response, which several requests may share. Its compressed forms and its
// hash are computed once. It is safe for concurrent use.
type content struct {
	status int
	body   []byte
	// cacheable reports that clients may cache it: it is the response to a query, without errors.
	cacheable bool
	// freshUntil is when clients must ask again; the zero time if they must each time.
	freshUntil time.Time
	// cacheTags is the header Cache-Tag; empty if shared caches must not store the response.
	cacheTags string
	// cacheStatus is the header Cache-Status (RFC 9211) if parts of it have expired.
	cacheStatus string

	mu               sync.Mutex
	compressedBodies map[*contentcoding.Coding][]byte
	sum              string
}

// compressed returns the body compressed with a coding.
func (c *content) compressed(coding *contentcoding.Coding) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	packed, ok := c.compressedBodies[coding]
	if !ok {
		packed = coding.Compress(c.body)
		if c.compressedBodies == nil {
			c.compressedBodies = make(map[*contentcoding.Coding][]byte, 1)
		}
		c.compressedBodies[coding] = packed
	}
	return packed
}

// etag returns the strong validator of the body with a media type and a coding. Each combination
// is a representation of its own (RFC 9110, section 8.8.3.3).
func (c *content) etag(media string, coding *contentcoding.Coding) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sum == "" {
		hash := sha256.New()
		_, _ = hash.Write([]byte(media + "\x00")) // never fails
		_, _ = hash.Write(c.body)
		c.sum = base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16])
	}
	if coding != nil {
		return `"` + c.sum + "-" + coding.Name + `"`
	}
	return `"` + c.sum + `"`
}
