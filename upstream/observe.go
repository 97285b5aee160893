package upstream

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Observer is notified of a client's calls. Each field may be nil. Its functions must be safe for
// concurrent use, and delay the call until they return.
type Observer struct {
	// Called is called after each call, with the context of the call. That includes calls answered
	// from the cache or by another caller's call.
	Called func(context.Context, Call)
	// Attempted is called after each attempt over the network. A call can take several attempts.
	Attempted func(transport.Attempt)
	// Tracer, if not nil, creates the spans of calls, and of the fields that make them, in
	// operations whose own span is recorded.
	Tracer trace.Tracer
}

// Stats returns the activity of all clients that were made from the same [New] client.
func (c *Client) Stats() transport.Stats { return c.transport.Stats() }

// observe makes a call, and records it in the trace, the span and the observer.
func (c *Client) observe(ctx context.Context, r *request) (transport.Response, error) {
	recorder, chain := TraceOf(ctx), chainClockOf(ctx)
	call := Call{
		Method: r.Method, Host: c.template.label(r.subdomain), Accounts: r.subdomain == Accounts, Began: time.Now(),
		segments: r.segments, query: r.query,
	}
	if chain != nil {
		call.Chain = int(chain.calls.Load()) + 1
	}
	r.Span = nil
	if tracer := c.observer.Tracer; tracer != nil {
		parent, field := spanParentOf(ctx, tracer)
		if field != nil { // the field's span is the parent, not the operation's
			defer field.endCall()
		}
		if trace.SpanFromContext(parent).IsRecording() {
			_, r.Span = tracer.Start(parent, r.Method+" "+call.Path(), trace.WithSpanKind(trace.SpanKindClient))
			defer r.Span.End()
		}
	}
	a, err := c.transport.Do(ctx, &r.Request)
	call.Took, call.Status, call.Origin = time.Since(call.Began), a.Status, a.Origin
	call.Age, call.IsStale = a.Age, a.IsStale
	if recorder != nil {
		recorder.add(call)
	}
	if chain != nil {
		chain.advance(call.Chain)
	}
	if r.Span != nil {
		// Attributes that follow from others are omitted, because each one adds to the cost of a
		// span.
		r.Span.SetAttributes(attribute.String("http.request.method", call.Method), attribute.String("server.address", call.Host), attribute.Int("http.response.status_code", call.Status))
		if call.Origin != transport.FromNetwork {
			r.Span.SetAttributes(attribute.String("funnelgraph.origin", string(call.Origin)))
		}
		if err != nil || call.Status >= http.StatusBadRequest {
			r.Span.SetStatus(codes.Error, "")
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
