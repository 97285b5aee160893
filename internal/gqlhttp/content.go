package gqlhttp

import (
	"crypto/sha256"
	"encoding/base64"
	"sync"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
)

// content is an encoded response, which several requests may share. Its compressed forms and its
// hash are computed once. It is safe for concurrent use.
type content struct {
	status int
	body   []byte
	// whole reports that it is the response to a query, without errors.
	whole bool

	mu     sync.Mutex
	packed map[*contentcoding.Coding][]byte
	sum    string
}

// pack returns the body compressed with a coding.
func (c *content) pack(coding *contentcoding.Coding) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	packed, ok := c.packed[coding]
	if !ok {
		packed = coding.Pack(c.body)
		if c.packed == nil {
			c.packed = make(map[*contentcoding.Coding][]byte, 1)
		}
		c.packed[coding] = packed
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
