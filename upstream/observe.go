package upstream

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Observer is told what a client does. Each of its fields may be nil; functions are called
// by many goroutines at a time, and hold up the call that they are told of.
type Observer struct {
	// Called is told of each call that has come to an end, wherever its answer came from,
	// with the context in which it was made.
	Called func(context.Context, Call)
	// Attempted is told of each attempt at a call over the network, of which a call can
	// take several.
	Attempted func(Attempt)
	// Tracer, if not nil, makes the spans of calls and of the fields that ask for them,
	// in operations whose own span is being recorded.
	Tracer trace.Tracer
}

// Attempt is one attempt at a call over the network.
type Attempt struct {
	// Accounts says that it went to the host of teams and workspaces, and to no
	// workspace's own.
	Accounts bool
	// Status is that of the answer, 0 without one.
	Status int
	// Waited is how long it waited for the pace, and Took how long it took then.
	Waited, Took time.Duration
}

// Stats is what a client is doing at a moment.
type Stats struct {
	// InFlight is how many calls are under way, and Waiting how many wait for the pace.
	InFlight, Waiting int
	// Lanes is how many pairs of token and host are being called.
	Lanes int
	// Dead is how many hosts do not answer at least one token, and are not called with it
	// for a while.
	Dead int
	// Cached is how many answers are kept, and CachedBytes about how much memory they take.
	Cached      int
	CachedBytes uint64
}

// Stats returns what all clients that share a configuration are doing.
func (c *Client) Stats() Stats {
	s := c.retrier.limiters.stats()
	s.Dead = c.retrier.health.countOpen()
	if c.cache != nil {
		entries, bytes := c.cache.responses.Size()
		s.Cached, s.CachedBytes = entries, uint64(bytes) //nolint:gosec // not negative
	}
	return s
}

// watch makes a call, and tells observers of it.
func (c *Client) observe(ctx context.Context, r *request) (response, error) {
	recorder, chain := TraceOf(ctx), chainClockOf(ctx)
	call := Call{
		Method: r.method, Host: c.template.label(r.subdomain), Accounts: r.subdomain == accounts, Began: time.Now(),
		segments: r.segments, query: r.query,
	}
	if chain != nil {
		call.Chain = int(chain.calls.Load()) + 1
	}
	r.origin, r.span = FromNetwork, nil
	if tracer := c.observer.Tracer; tracer != nil {
		parent, field := spanParentOf(ctx, tracer)
		if field != nil { // whose span is the parent, and not the operation's
			defer field.endCall()
		}
		if trace.SpanFromContext(parent).IsRecording() {
			_, r.span = tracer.Start(parent, r.method+" "+call.Path(), trace.WithSpanKind(trace.SpanKindClient))
			defer r.span.End()
		}
	}
	a, err := c.send(ctx, r)
	call.Took, call.Status, call.Origin = time.Since(call.Began), a.status, r.origin
	if recorder != nil {
		recorder.add(call)
	}
	if chain != nil {
		chain.advance(call.Chain)
	}
	if r.span != nil {
		// What goes without saying is left out: a span costs by its attributes.
		r.span.SetAttributes(attribute.String("http.request.method", call.Method), attribute.String("server.address", call.Host), attribute.Int("http.response.status_code", call.Status))
		if call.Origin != FromNetwork {
			r.span.SetAttributes(attribute.String("funnelgraph.origin", string(call.Origin)))
		}
		if err != nil || call.Status >= http.StatusBadRequest {
			r.span.SetStatus(codes.Error, "")
		}
	}
	if c.observer.Called != nil {
		c.observer.Called(ctx, call)
	}
	return a, err
}

// FieldSpan is the span of a field of an operation, which it has if it asks for calls: one for
// all objects that the field is asked of. It ends when the last of them has been resolved and
// the last of the calls, for which others may wait, has been answered. It is safe for
// concurrent use; make one with [NewFieldSpan].
type FieldSpan struct {
	operation context.Context //nolint:containedctx // with its span
	name      string
	began     time.Time

	mu        sync.Mutex
	own       context.Context //nolint:containedctx // with the field's span; nil until there is a call
	calls     int             // under way
	lastEvent time.Time       // when the last object was resolved or the last call answered by now
	ended     bool
}

// NewFieldSpan returns the span of a field that begins to be resolved now. The context is one
// with the span of the operation.
func NewFieldSpan(ctx context.Context, name string) *FieldSpan {
	return &FieldSpan{operation: ctx, name: name, began: time.Now()}
}

// Resolved tells that the field of an object has been resolved.
func (f *FieldSpan) Resolved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own != nil {
		f.lastEvent = time.Now()
	}
}

// answered tells that a call has been answered.
func (f *FieldSpan) endCall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls--
	f.lastEvent = time.Now()
}

// End ends the span as of when it should, or now if a call is under way. What the field still
// asks for belongs to the operation.
func (f *FieldSpan) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.own == nil {
		return
	}
	if f.calls > 0 { // and nobody waits for it
		f.lastEvent = time.Now()
	}
	trace.SpanFromContext(f.own).End(trace.WithTimestamp(f.lastEvent))
}

type fieldKey struct{}

// AskedBy returns a context for the calls that a field asks for.
func AskedBy(ctx context.Context, f *FieldSpan) context.Context {
	return context.WithValue(ctx, fieldKey{}, f)
}

// parentOf returns a context with the span that a call belongs to: that of the field that has
// asked for it first, with the field, or else that of the operation.
func spanParentOf(ctx context.Context, tracer trace.Tracer) (context.Context, *FieldSpan) {
	if f, _ := ctx.Value(fieldKey{}).(*FieldSpan); f != nil {
		if own := f.startCall(tracer); own != nil {
			return own, f
		}
	}
	return ctx, nil
}

// asks tells that a call begins, and returns a context with the field's span, which begins when
// the field has; nil if it has ended.
func (f *FieldSpan) startCall(tracer trace.Tracer) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	f.calls++
	if f.own == nil {
		f.own, _ = tracer.Start(f.operation, f.name, trace.WithTimestamp(f.began))
	}
	return f.own
}
