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

// Observer is notified of a client's calls. Each field may be nil. Its functions must be safe for
// concurrent use, and delay the call until they return.
type Observer struct {
	// Called is called after each call, with the context of the call. That includes calls answered
	// from the cache or by another caller's call.
	Called func(context.Context, Call)
	// Attempted is called after each attempt over the network. A call can take several attempts.
	Attempted func(Attempt)
	// Tracer, if not nil, creates the spans of calls, and of the fields that make them, in
	// operations whose own span is recorded.
	Tracer trace.Tracer
}

// Attempt is one attempt at a call over the network.
type Attempt struct {
	// Accounts reports whether it went to the accounts host and not to a workspace's host.
	Accounts bool
	// Status is the status of the response, 0 without one.
	Status int
	// Waited is the time in the concurrency limiter's queue. Took is the time after that.
	Waited, Took time.Duration
}

// Stats is a snapshot of a client's activity.
type Stats struct {
	// InFlight is the number of calls in flight. Waiting is the number of calls that wait for the
	// concurrency limiter.
	InFlight, Waiting int
	// Lanes is the number of concurrency limiters in use, one for each token and host.
	Lanes int
	// Dead is the number of hosts whose circuit breaker is open for at least one token.
	Dead int
	// Cached is the number of cached responses. CachedBytes is their approximate memory, in bytes.
	Cached      int
	CachedBytes uint64
}

// Stats returns the activity of all clients that were made from the same [New] client.
func (c *Client) Stats() Stats {
	s := c.retrier.limiters.stats()
	s.Dead = c.retrier.health.countOpen()
	if c.cache != nil {
		entries, bytes := c.cache.responses.Size()
		s.Cached, s.CachedBytes = entries, uint64(bytes) //nolint:gosec // not negative
	}
	return s
}

// observe makes a call, and records it in the trace, the span and the observer.
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
		if field != nil { // the field's span is the parent, not the operation's
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
		// Attributes that follow from others are omitted, because each one adds to the cost of a
		// span.
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

// FieldSpan is the span of a field that makes calls. One span covers all objects whose field is
// resolved. It ends when the last object's field has been resolved and the last call has returned.
// It is safe for concurrent use. Make one with [NewFieldSpan].
type FieldSpan struct {
	operation context.Context //nolint:containedctx // with its span
	name      string
	began     time.Time

	mu        sync.Mutex
	own       context.Context //nolint:containedctx // with the field's span; nil until there is a call
	calls     int             // in flight
	lastEvent time.Time       // the last return of a call or resolution of an object
	ended     bool
}

// NewFieldSpan returns the span of a field whose resolution starts now. ctx must contain the
// operation's span.
func NewFieldSpan(ctx context.Context, name string) *FieldSpan {
	return &FieldSpan{operation: ctx, name: name, began: time.Now()}
}

// Resolved records that the field of one object has been resolved.
func (f *FieldSpan) Resolved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own != nil {
		f.lastEvent = time.Now()
	}
}

// endCall records the end of a call.
func (f *FieldSpan) endCall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls--
	f.lastEvent = time.Now()
}

// End ends the span: at its last event, or now if a call is in flight. Later calls belong to the
// operation's span.
func (f *FieldSpan) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.own == nil {
		return
	}
	if f.calls > 0 { // the result is not used
		f.lastEvent = time.Now()
	}
	trace.SpanFromContext(f.own).End(trace.WithTimestamp(f.lastEvent))
}

type fieldKey struct{}

// WithFieldSpan returns a context for the calls of a field.
func WithFieldSpan(ctx context.Context, f *FieldSpan) context.Context {
	return context.WithValue(ctx, fieldKey{}, f)
}

// spanParentOf returns a context with the parent span of a call. That is the span of the first
// field that requested it, which is also returned, or else the operation's span.
func spanParentOf(ctx context.Context, tracer trace.Tracer) (context.Context, *FieldSpan) {
	if f, _ := ctx.Value(fieldKey{}).(*FieldSpan); f != nil {
		if own := f.startCall(tracer); own != nil {
			return own, f
		}
	}
	return ctx, nil
}

// startCall records the start of a call. It returns a context with the field's span, which starts
// with the field. It returns nil if the span has ended.
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
