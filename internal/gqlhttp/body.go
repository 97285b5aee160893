package gqlhttp

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// body is a request's body. Its last byte can be left unread for a while: net/http
// begins to watch a connection, for its client going away, when a handler has read
// the body's end. That takes a goroutine, a system call and three deadlines, which
// is about a tenth of what a shared answer costs, and most of these are there
// before a client can have gone. It is used by one goroutine.
type body struct {
	buffer bytes.Buffer
	rest   io.Reader // what is unread
}

var bodies = sync.Pool{New: func() any { return new(body) }}

// free gives the body back; what it has returned must not be used any more.
func (b *body) free() {
	b.buffer.Reset()
	b.rest = nil
	bodies.Put(b)
}

// begin reads a request's body but for the last byte, which it presumes to be the
// brace that ends a JSON object. ok is false if nothing can be presumed: the
// length is unknown or above the limit in bytes, or the body cannot be read.
func (b *body) begin(w http.ResponseWriter, r *http.Request, limit int64) (presumed []byte, ok bool) {
	n := r.ContentLength
	if n < 2 || n > limit {
		b.rest = http.MaxBytesReader(w, r.Body, limit)
		return nil, false
	}
	b.rest = r.Body // of n bytes
	b.buffer.Grow(int(n))
	if read, err := b.buffer.ReadFrom(io.LimitReader(r.Body, n-1)); err != nil || read < n-1 {
		return nil, false
	}
	return append(b.buffer.Bytes(), '}'), true
}

// end reads what is unread, and returns the whole body.
func (b *body) end() ([]byte, error) {
	_, err := b.buffer.ReadFrom(b.rest)
	return b.buffer.Bytes(), err
}
