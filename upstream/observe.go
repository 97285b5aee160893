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
)

// Observer is told what a client does. Each of its functions may be nil; they are called
// by many goroutines at a time, and hold up the call that they are told of.
type Observer struct {
	// Called is told of each call that has come to an end, wherever its answer came from,
	// with the context in which it was made.
	Called func(context.Context, Call)
	// Attempted is told of each attempt at a call over the network, of which a call can
	// take several.
	Attempted func(Attempt)
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
	// Dead is how many hosts are not called for a while, since they do not answer.
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

type originKey struct{}

// cameFrom notes where the answer to a call comes from, if anybody wants to know.
func cameFrom(ctx context.Context, origin Origin) {
	if o, _ := ctx.Value(originKey{}).(*Origin); o != nil {
		*o = origin
	}
}

// roundTrip makes a call, and tells of it whoever wants to know.
func (c *Client) roundTrip(req *http.Request, subdomain string, segments []string) (*http.Response, error) {
	ctx := req.Context()
	t, span, path := TraceOf(ctx), trace.Span(nil), ""
	if parent := parentOf(ctx); parent.IsRecording() {
		path = pathTemplate(segments)
		ctx, span = parent.TracerProvider().Tracer(tracerName).Start(trace.ContextWithSpan(ctx, parent), req.Method+" "+path, trace.WithSpanKind(trace.SpanKindClient))
		defer span.End()
	}
	if t == nil && span == nil && c.observer.Called == nil {
		return c.transport.RoundTrip(req)
	}
	origin := FromNetwork
	call := Call{Method: req.Method, Host: req.URL.Host, Accounts: subdomain == accounts, Began: time.Now(), segments: segments, query: req.URL.RawQuery}
	resp, err := c.transport.RoundTrip(req.WithContext(context.WithValue(ctx, originKey{}, &origin)))
	call.Took, call.Origin = time.Since(call.Began), origin
	if c.template.perWorkspace && !strings.HasPrefix(call.Host, subdomain+".") {
		call.Host += "/" + subdomain
	}
	if err == nil {
		call.Status = resp.StatusCode
	}
	if t != nil {
		t.add(call)
	}
	if span != nil {
		span.SetAttributes(attribute.String("http.request.method", call.Method), attribute.String("server.address", call.Host),
			attribute.String("url.template", path), attribute.Int("http.response.status_code", call.Status), attribute.String("funnelgraph.origin", string(origin)))
		if err != nil || call.Status >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	if c.observer.Called != nil {
		c.observer.Called(ctx, call)
	}
	return resp, err
}

// tracerName is the instrumentation scope of the spans of calls.
const tracerName = "github.com/funnelgraph/funnelgraph/upstream"

// FieldSpan is a field of an operation that may have to wait for calls, for which it then has
// a span of its own. It is safe for concurrent use; make one with [WithField].
type FieldSpan struct {
	ctx   context.Context //nolint:containedctx // the field's, which holds the operation's span
	name  func() string
	began time.Time

	mu    sync.Mutex
	span  trace.Span // nil until there is a call
	ended bool
}

type fieldKey struct{}

// WithField returns a context for a field that is being resolved, and what is to be called
// when it is. name returns how its span is called. The context is to be one with a span
// that is being recorded.
func WithField(ctx context.Context, name func() string) (context.Context, func()) {
	f := &FieldSpan{ctx: ctx, name: name, began: time.Now()}
	return AskedBy(ctx, f), f.end
}

// AskedBy returns a context for the calls that a field asks for; f may be nil.
func AskedBy(ctx context.Context, f *FieldSpan) context.Context {
	return context.WithValue(ctx, fieldKey{}, f)
}

// FieldOf returns the field that the context belongs to, nil if it is none.
func FieldOf(ctx context.Context) *FieldSpan {
	f, _ := ctx.Value(fieldKey{}).(*FieldSpan)
	return f
}

// parentOf returns the span that a call belongs to: that of the field that has asked for
// it first, or else that of the operation.
func parentOf(ctx context.Context) trace.Span {
	if f := FieldOf(ctx); f != nil {
		if span := f.waits(); span != nil {
			return span
		}
	}
	return trace.SpanFromContext(ctx)
}

// waits returns the field's span, which begins when the field has; nil if the field has
// been resolved: its span has ended, and nothing below it would be seen.
func (f *FieldSpan) waits() trace.Span {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	if f.span == nil {
		_, f.span = trace.SpanFromContext(f.ctx).TracerProvider().Tracer(tracerName).Start(f.ctx, f.name(), trace.WithTimestamp(f.began))
	}
	return f.span
}

func (f *FieldSpan) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.span != nil {
		f.span.End()
	}
}
