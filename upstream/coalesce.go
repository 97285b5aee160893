package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// coalescer is a [http.RoundTripper] that makes one call of identical GETs in
// flight, from whichever client requests they come. Calls are identical when
// the Authorization header and the URL are: what one credential is answered
// never reaches another. A finished call is not remembered, and a write of the
// same credential ends the sharing of the calls before it.
//
// Each caller can give up without harm to the others; when the last one has,
// the call is cancelled.
type coalescer struct {
	next    http.RoundTripper
	maxBody int64

	mu      sync.Mutex
	flights map[flightKey]*flight
}

type flightKey struct{ authorization, url string }

// flight is one call and those who wait for it.
type flight struct {
	waiters int // guarded by coalescer.mu
	cancel  context.CancelFunc

	done chan struct{} // closed when what follows is set
	resp *http.Response
	body string
	err  error
}

func newCoalescer(next http.RoundTripper, maxBody int64) *coalescer {
	return &coalescer{next: next, maxBody: maxBody, flights: make(map[flightKey]*flight)}
}

// RoundTrip implements [http.RoundTripper].
func (c *coalescer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		// A read that begins after a write joins no call from before it.
		authorization := req.Header.Get("Authorization")
		c.part(authorization)
		defer c.part(authorization)
		return c.next.RoundTrip(req)
	}
	f, leave := c.join(req)
	defer leave()
	select {
	case <-f.done:
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
	if f.err != nil {
		return nil, f.err
	}
	resp := *f.resp
	resp.Header = f.resp.Header.Clone()
	resp.Request = req
	resp.Body = &sharedBody{Reader: strings.NewReader(f.body), text: f.body}
	return &resp, nil
}

// join returns the flight for the request, beginning it if there is none.
func (c *coalescer) join(req *http.Request) (f *flight, leave func()) {
	key := flightKey{req.Header.Get("Authorization"), req.URL.String()}
	c.mu.Lock()
	defer c.mu.Unlock()
	f = c.flights[key]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flights[key] = f
		// The flight outlives its first caller's cancellation, not its
		// deadline: no stream of newcomers keeps a dead call alive.
		ctx := context.WithoutCancel(req.Context())
		if deadline, ok := req.Context().Deadline(); ok {
			ctx, f.cancel = context.WithDeadline(ctx, deadline)
		} else {
			ctx, f.cancel = context.WithCancel(ctx)
		}
		go c.fly(key, f, req.Clone(ctx))
	}
	f.waiters++
	return f, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.waiters--; f.waiters == 0 {
			c.land(key, f)
			f.cancel()
		}
	}
}

func (c *coalescer) fly(key flightKey, f *flight, req *http.Request) {
	defer func() {
		c.mu.Lock()
		c.land(key, f)
		c.mu.Unlock()
		close(f.done)
	}()
	f.resp, f.err = c.next.RoundTrip(req) //nolint:bodyclose // closed below, once read
	if f.err == nil {
		f.body, f.err = readBody(f.resp.Body, c.maxBody)
		_ = f.resp.Body.Close()
	}
}

// land lets nobody join the flight any more. c.mu is held.
func (c *coalescer) land(key flightKey, f *flight) {
	if c.flights[key] == f {
		delete(c.flights, key)
	}
}

// part lets nobody join the flights of a credential any more; who has joined is
// still answered.
func (c *coalescer) part(authorization string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.flights, func(key flightKey, _ *flight) bool { return key.authorization == authorization })
}

// sharedBody is a body that has been read already.
type sharedBody struct {
	*strings.Reader
	text string
}

// Close implements [io.Closer].
func (*sharedBody) Close() error { return nil }

// buffers are for reading bodies, whose length is mostly not known before.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxBuffer is the largest buffer that is kept for reuse, in bytes.
const maxBuffer = 1 << 20

var errBodyTooLarge = errors.New("body exceeds the limit")

// readBody reads a body to its end, at most limit bytes.
func readBody(body io.Reader, limit int64) (string, error) {
	if shared, ok := body.(*sharedBody); ok {
		return shared.text, nil
	}
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxBuffer {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if _, err := b.ReadFrom(io.LimitReader(body, limit+1)); err != nil {
		return "", err
	}
	if int64(b.Len()) > limit {
		return "", errBodyTooLarge
	}
	return b.String(), nil
}
