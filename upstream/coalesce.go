package upstream

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// coalescer is a [http.RoundTripper] that makes one call of identical GETs in
// flight, from whichever client requests they come. Calls are identical when
// the Authorization header and the URL are: what one credential is answered
// never reaches another. A finished call is not remembered, and a write of the
// same credential ends the sharing of the calls before it.
//
// Each caller can give up without harm to the others; when the last one has,
// the call is cancelled. The bodies of answers are [heldBody]s; a GET's answer is
// shared as well, so that its header must not be modified either.
type coalescer struct {
	calls *caller

	mu      sync.Mutex
	flights map[flightKey]*flight
}

type flightKey struct {
	authorization, host, path, query string
	once                             bool // its failure is not that of calls that are repeated
}

// flight is one call and those who wait for it or read its answer.
type flight struct {
	waiters int  // guarded by coalescer.mu
	flying  bool // guarded by coalescer.mu
	cancel  context.CancelFunc
	// span is that of the call as the first one made it.
	span trace.SpanContext
	// until is the latest time to which anybody waits; zero is for ever. It is
	// guarded by coalescer.mu.
	until time.Time

	done chan struct{} // closed when what follows is set
	resp *http.Response
	body *buffer
	err  error
}

var errPanic = errors.New("panic in a REST call")

func newCoalescer(calls *caller) *coalescer {
	return &coalescer{calls: calls, flights: make(map[flightKey]*flight)}
}

// RoundTrip implements [http.RoundTripper].
func (c *coalescer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		// A read that begins after a write joins no call from before it.
		authorization := req.Header.Get("Authorization")
		c.part(authorization)
		defer c.part(authorization)
		until, _ := req.Context().Deadline()
		resp, body, err := c.calls.do(req, func() time.Time { return until })
		if err == nil {
			resp.Body = hold(body.Bytes(), body.free)
		}
		return resp, err
	}
	key := flightKey{req.Header.Get("Authorization"), req.URL.Host, req.URL.Path, req.URL.RawQuery, isOnce(req.Context())}
	f := c.join(key, req)
	leave := func() { c.leave(key, f) }
	select {
	case <-f.done:
	case <-req.Context().Done():
		leave()
		return nil, context.Cause(req.Context())
	}
	if f.err != nil {
		leave()
		return nil, f.err
	}
	resp := *f.resp
	resp.Request = req
	resp.Body = hold(f.body.Bytes(), leave)
	return &resp, nil
}

// join returns the flight for the request, beginning it if there is none.
func (c *coalescer) join(key flightKey, req *http.Request) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, _ := req.Context().Deadline()
	f := c.flights[key]
	if f == nil {
		f = &flight{flying: true, until: until, done: make(chan struct{}), span: spanOf(req.Context()).SpanContext()}
		c.flights[key] = f
		// The flight outlives its first caller.
		var ctx context.Context
		ctx, f.cancel = context.WithCancel(context.WithoutCancel(req.Context()))
		go c.fly(key, f, req.WithContext(ctx))
		f.waiters++
		return f
	}
	cameFrom(req.Context(), FromOther)
	if span := spanOf(req.Context()); f.span.IsValid() && span.IsRecording() {
		span.AddLink(trace.Link{SpanContext: f.span})
	}
	if until.IsZero() || !f.until.IsZero() && until.After(f.until) {
		f.until = until
	}
	f.waiters++
	return f
}

func (c *coalescer) fly(key flightKey, f *flight, req *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("panic in a REST call", "value", v, "stack", string(debug.Stack()))
			f.err = errPanic
		}
		c.mu.Lock()
		c.land(key, f)
		f.flying = false
		unread := f.waiters == 0
		c.mu.Unlock()
		close(f.done)
		if unread {
			f.body.free()
		}
	}()
	f.resp, f.body, f.err = c.calls.do(req, func() time.Time { //nolint:bodyclose // it is closed
		c.mu.Lock()
		defer c.mu.Unlock()
		return f.until
	})
}

// leave is called once by each who joined, when done with the answer.
func (c *coalescer) leave(key flightKey, f *flight) {
	c.mu.Lock()
	f.waiters--
	last, flying := f.waiters == 0, f.flying
	if last {
		c.land(key, f)
	}
	c.mu.Unlock()
	if last {
		f.cancel()
		if !flying {
			f.body.free()
		}
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
