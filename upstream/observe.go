package upstream

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
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
	s := c.calls.lanes.stats()
	s.Dead = c.calls.hosts.dead()
	if c.cache != nil {
		s.Cached, s.CachedBytes = c.cache.answers.EstimatedSize(), c.cache.answers.WeightedSize()
	}
	return s
}

// watched is a call, and who is to be told of it.
type watched struct {
	Call

	by        *shared
	subdomain string
	trace     *Trace      // nil if it is not written down
	chain     *chainClock // nil if nobody counts
	span      trace.Span  // nil if it has none
	field     *FieldSpan  // that has asked for it; nil if its span belongs to the operation
}

type watchedKey struct{}

// watch returns a call that begins now, and the context to make it with.
func (s *shared) watch(ctx context.Context, method, subdomain string, segments []string) (*watched, context.Context) {
	w := &watched{by: s, subdomain: subdomain, trace: TraceOf(ctx), chain: chainClockOf(ctx)}
	w.Call = Call{Method: method, Accounts: subdomain == accounts, Origin: FromNetwork, Began: time.Now(), segments: segments}
	if w.chain != nil {
		w.Chain = int(w.chain.calls.Load()) + 1
	}
	if tracer := s.observer.Tracer; tracer != nil {
		parent, field := parentOf(ctx, tracer)
		if w.field = field; trace.SpanFromContext(parent).IsRecording() {
			_, w.span = tracer.Start(parent, method+" "+w.Path(), trace.WithSpanKind(trace.SpanKindClient))
		}
	}
	return w, context.WithValue(ctx, watchedKey{}, w)
}

// spanOf returns the span of the call that is being made, one that records nothing if it has
// none.
func spanOf(ctx context.Context) trace.Span {
	if w, _ := ctx.Value(watchedKey{}).(*watched); w != nil && w.span != nil {
		return w.span
	}
	return noop.Span{}
}

// cameFrom notes where the answer to a call comes from.
func cameFrom(ctx context.Context, origin Origin) {
	if w, _ := ctx.Value(watchedKey{}).(*watched); w != nil {
		w.Origin = origin
	}
}

// roundTrip makes the call, and tells of it.
func (w *watched) roundTrip(req *http.Request) (*http.Response, error) {
	defer w.end()
	w.Host, w.query = req.URL.Host, req.URL.RawQuery
	resp, err := w.by.transport.RoundTrip(req)
	w.Took = time.Since(w.Began)
	if w.by.template.perWorkspace && !strings.HasPrefix(w.Host, w.subdomain+".") {
		w.Host += "/" + w.subdomain
	}
	if err == nil {
		w.Status = resp.StatusCode
	}
	if w.trace != nil {
		w.trace.add(w.Call)
	}
	if w.chain != nil {
		w.chain.advance(w.Chain)
	}
	if w.span != nil {
		// What goes without saying is left out: a span costs by its attributes.
		w.span.SetAttributes(attribute.String("http.request.method", w.Method), attribute.String("server.address", w.Host), attribute.Int("http.response.status_code", w.Status))
		if w.Origin != FromNetwork {
			w.span.SetAttributes(attribute.String("funnelgraph.origin", string(w.Origin)))
		}
		if err != nil || w.Status >= http.StatusBadRequest {
			w.span.SetStatus(codes.Error, "")
		}
	}
	if w.by.observer.Called != nil {
		w.by.observer.Called(req.Context(), w.Call)
	}
	return resp, err
}

// end ends the call's span.
func (w *watched) end() {
	if w.span != nil {
		w.span.End()
	}
	if w.field != nil {
		w.field.answered()
	}
}

// FieldSpan is the span of a field of an operation, which it has if it asks for calls: one for
// all objects that the field is asked of. It ends when the last of them has been resolved and
// the last of the calls, for which others may wait, has been answered. It is safe for
// concurrent use; make one with [NewFieldSpan].
type FieldSpan struct {
	operation context.Context //nolint:containedctx // with its span
	name      string
	began     time.Time

	mu    sync.Mutex
	own   context.Context //nolint:containedctx // with the field's span; nil until there is a call
	calls int             // under way
	until time.Time       // when the last object was resolved or the last call answered by now
	ended bool
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
		f.until = time.Now()
	}
}

// answered tells that a call has been answered.
func (f *FieldSpan) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls--
	f.until = time.Now()
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
		f.until = time.Now()
	}
	trace.SpanFromContext(f.own).End(trace.WithTimestamp(f.until))
}

type fieldKey struct{}

// AskedBy returns a context for the calls that a field asks for.
func AskedBy(ctx context.Context, f *FieldSpan) context.Context {
	return context.WithValue(ctx, fieldKey{}, f)
}

// parentOf returns a context with the span that a call belongs to: that of the field that has
// asked for it first, with the field, or else that of the operation.
func parentOf(ctx context.Context, tracer trace.Tracer) (context.Context, *FieldSpan) {
	if f, _ := ctx.Value(fieldKey{}).(*FieldSpan); f != nil {
		if own := f.asks(tracer); own != nil {
			return own, f
		}
	}
	return ctx, nil
}

// asks tells that a call begins, and returns a context with the field's span, which begins when
// the field has; nil if it has ended.
func (f *FieldSpan) asks(tracer trace.Tracer) context.Context {
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
