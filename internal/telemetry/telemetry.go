// Package telemetry reports what the server does to its operators: a log line, metrics and a trace
// for each operation. They never contain tokens, e-mail addresses or the values of variables.
package telemetry

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Telemetry observes operations. It is safe for concurrent use. Create it with [New].
type Telemetry struct {
	log     *slog.Logger
	metrics *metrics     // nil if disabled
	tracer  trace.Tracer // nil if disabled

	inFlight atomic.Int64
}

// Config is the configuration of a [Telemetry].
type Config struct {
	// Log gets a line for each operation, at level Info.
	Log *slog.Logger
	// Metrics enables metrics.
	Metrics bool
	// Traces, if not nil, receives spans.
	Traces trace.TracerProvider
	// Version is the server's version.
	Version string
}

// New returns a [Telemetry].
func New(cfg Config) *Telemetry {
	t := &Telemetry{log: cfg.Log}
	if cfg.Metrics {
		t.metrics = newMetrics(cfg.Version, t.InFlight)
	}
	if cfg.Traces != nil {
		t.tracer = cfg.Traces.Tracer("github.com/funnelgraph/funnelgraph")
	}
	return t
}

// InFlight returns the number of requests in flight.
func (t *Telemetry) InFlight() int { return int(t.inFlight.Load()) }

// operation records a request to the endpoint and its operation.
type operation struct {
	id    string
	began time.Time

	mu sync.Mutex
	sharedRecord
	// incomplete reports that the response is incomplete so far, or that it was cancelled.
	incomplete bool
	calls      calls
	shared     bool // another request has executed the operation
	replayed   bool // an earlier request with the same idempotency key has
}

// sharedRecord is the part of the record that requests with a shared response have in common.
type sharedRecord struct {
	client string
	// name is the operation's name in the document, and kind is "query" or "mutation".
	name, kind, document string
	// errorCounts counts errors by code. executed reports that the operation was executed, and
	// hasData that its data is not only null.
	errorCounts       map[string]int
	executed, hasData bool
	limits            []string // the exceeded limits
}

// calls counts the REST calls of an operation by the origin of their responses.
type calls struct{ network, coalesced, cache int }

type operationKey struct{}

func operationOf(ctx context.Context) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	return o
}

// RequestID is the header of a request's id. Clients may send it, and every response has it.
const RequestID = "X-Request-Id"

// Handler observes requests to the GraphQL endpoint.
func (t *Telemetry) Handler(next http.Handler) http.Handler {
	var propagator propagation.TraceContext
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &operation{id: requestID(r), began: time.Now()}
		w.Header()[RequestID] = []string{o.id}
		ctx := context.WithValue(r.Context(), operationKey{}, o)
		var span trace.Span
		if t.tracer != nil {
			ctx, span = t.tracer.Start(propagator.Extract(ctx, propagation.HeaderCarrier(r.Header)), "GraphQL", trace.WithSpanKind(trace.SpanKindServer))
		}
		t.inFlight.Add(1)
		answer := &meteredWriter{ResponseWriter: w, ctx: ctx, status: http.StatusOK, panics: true}
		defer func() { t.finish(ctx, o, answer, span) }()
		next.ServeHTTP(answer, r.WithContext(ctx))
		answer.panics = false
	})
}

// requestID returns the id that the client sent, or the id of its trace, or else a random id. It
// ignores ids that are e-mail addresses or the client's token, which some clients send.
func requestID(r *http.Request) string {
	if id := r.Header.Get(RequestID); id != "" && len(id) <= maxRequestID && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_.:/+=", c)
	}) && !strings.HasSuffix(r.Header.Get("Authorization"), " "+id) {
		return id
	}
	if parent := r.Header.Get("Traceparent"); parent != "" { // version-trace-span-flags
		if parts := strings.Split(parent, "-"); len(parts) >= 4 && len(parts[1]) == 32 {
			if id, err := trace.TraceIDFromHex(parts[1]); err == nil {
				return id.String()
			}
		}
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// maxRequestID is the maximum length of a request's id, in bytes.
const maxRequestID = 128

// Apply makes an executor report its responses. client returns the name of an operation's client;
// empty if it has none.
func (t *Telemetry) Apply(e *executor.Executor, client func(context.Context) string) {
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		if o := operationOf(ctx); o != nil && graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
			o.mu.Lock()
			o.client = client(ctx) // it may end without a response
			o.identify(ctx)
			o.mu.Unlock()
		}
		return next(ctx)
	})
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		if o := operationOf(ctx); o != nil && response != nil {
			o.record(ctx, response, client(ctx))
		}
		return response
	})
}

func (o *operation) record(ctx context.Context, response *graphql.Response, client string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.client = client
	o.executed = o.executed || response.Data != nil
	o.hasData = o.hasData || response.Data != nil && (len(response.Errors) == 0 || hasValue(response.Data))
	o.incomplete = response.HasNext != nil && *response.HasNext || errors.Is(ctx.Err(), context.Canceled)
	for _, err := range response.Errors {
		o.countError(err)
	}
	o.identify(ctx)
}

// identify records which operation the context belongs to. The mutex is held.
func (o *operation) identify(ctx context.Context) {
	if o.document != "" || !graphql.HasOperationContext(ctx) {
		return
	}
	op := graphql.GetOperationContext(ctx)
	o.document = op.RawQuery
	if op.Operation != nil {
		o.kind, o.name = string(op.Operation.Operation), op.Operation.Name
	}
}

// hasValue reports whether a field of an object is not null.
func hasValue(object []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return false
	}
	for d.PeekKind() == '"' {
		if d.SkipValue() != nil {
			return false
		}
		if d.PeekKind() != 'n' {
			return true
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

func (o *operation) countError(err *gqlerror.Error) {
	if o.errorCounts == nil {
		o.errorCounts = make(map[string]int, 1)
	}
	code, _ := err.Extensions["code"].(string)
	o.errorCounts[code]++
	limit, _ := err.Extensions["limit"].(string)
	if limit == "" && code == string(upstream.OverBudget) {
		limit = "calls"
	}
	if limit != "" && !slices.Contains(o.limits, limit) {
		o.limits = append(o.limits, limit)
	}
}

// Shared records that the request of ctx gets the response of the request of by.
func (t *Telemetry) Shared(ctx, by context.Context) {
	o, other := operationOf(ctx), operationOf(by)
	if o == nil || other == nil {
		return
	}
	other.mu.Lock()
	same := other.sharedRecord
	same.errorCounts, same.limits = maps.Clone(same.errorCounts), slices.Clone(same.limits)
	other.mu.Unlock()
	o.mu.Lock()
	o.sharedRecord, o.shared = same, true
	o.mu.Unlock()
	if span, made := trace.SpanFromContext(ctx), trace.SpanContextFromContext(by); span.IsRecording() && made.IsSampled() {
		span.AddLink(trace.Link{SpanContext: made})
	}
}

// Replayed records that the operation of ctx gets the first response with its idempotency key.
func (t *Telemetry) Replayed(ctx context.Context, client string) {
	if o := operationOf(ctx); o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.client, o.replayed = client, true
		o.identify(ctx)
	}
}

// Observer counts and traces the REST calls of each operation.
func (t *Telemetry) Observer() upstream.Observer {
	observer := upstream.Observer{Tracer: t.tracer, Called: func(ctx context.Context, c upstream.Call) {
		if o := operationOf(ctx); o != nil {
			o.mu.Lock()
			switch c.Origin {
			case transport.FromNetwork:
				o.calls.network++
			case transport.FromOther:
				o.calls.coalesced++
			case transport.FromCache:
				o.calls.cache++
			}
			o.mu.Unlock()
		}
		if t.metrics != nil {
			t.metrics.called(c)
		}
	}}
	if t.metrics != nil {
		observer.Attempted = t.metrics.attempted
	}
	return observer
}

// outcome returns the outcome of an operation, as in the log and the metrics.
func (o *operation) outcome(answer *meteredWriter) string {
	switch status := answer.status; {
	// A client that disconnects after the complete response has been answered.
	case answer.failed, answer.ctx.Err() != nil && (o.incomplete || !answer.begun):
		return "canceled"
	case answer.panics, status >= http.StatusInternalServerError, !o.executed && o.errorCounts[string(upstream.Internal)] > 0:
		return "failed"
	case !o.executed && (status >= http.StatusBadRequest || len(o.errorCounts) > 0), len(o.limits) > 0 && !o.hasData:
		return "refused"
	case len(o.errorCounts) == 0:
		return "ok"
	case o.hasData:
		return "partial"
	}
	return "failed"
}

// finish reports a finished request.
func (t *Telemetry) finish(ctx context.Context, o *operation, answer *meteredWriter, span trace.Span) {
	defer t.inFlight.Add(-1)
	took := time.Since(o.began)
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := o.outcome(answer)
	if t.metrics != nil {
		t.metrics.finish(o, outcome, took, answer)
	}
	if span != nil {
		t.trace(o, outcome, answer.status, span)
	}
	if !t.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	for _, text := range []struct{ key, value string }{{"type", o.kind}, {"name", o.name}, {"hash", o.hash()}, {"client", o.client}} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.key, text.value))
		}
	}
	attrs = append(attrs, slog.String("outcome", outcome), slog.Int("status", answer.status), slog.Float64("ms", float64(took.Microseconds())/1000), slog.Int64("bytes", answer.bytes))
	switch {
	case o.shared:
		attrs = append(attrs, slog.Bool("shared", true))
	case o.replayed:
		attrs = append(attrs, slog.Bool("replayed", true))
	default:
		attrs = append(attrs, slog.Int("calls", o.calls.network), slog.Int("coalesced", o.calls.coalesced), slog.Int("cached", o.calls.cache))
	}
	if len(o.errorCounts) > 0 {
		attrs = append(attrs, slog.String("errors", o.errors()))
	}
	t.log.LogAttrs(ctx, slog.LevelInfo, "operation", attrs...)
}

// hash returns the SHA-256 hash of the document, as for persisted documents. It is empty if there
// is no document.
func (o *operation) hash() string {
	if o.document == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(o.document))
	return hex.EncodeToString(sum[:])
}

// errors lists the error codes with the number of errors of each.
func (o *operation) errors() string {
	var all []string
	for _, code := range slices.Sorted(maps.Keys(o.errorCounts)) {
		all = append(all, code+":"+strconv.Itoa(o.errorCounts[code]))
	}
	return strings.Join(all, ",")
}

func (t *Telemetry) trace(o *operation, outcome string, status int, span trace.Span) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if o.kind != "" {
		span.SetName(o.kind) // not the operation's name, because the number of names is unbounded
		span.SetAttributes(attribute.String("graphql.operation.type", o.kind), attribute.String("graphql.document.hash", o.hash()))
	}
	if o.name != "" {
		span.SetAttributes(attribute.String("graphql.operation.name", o.name))
	}
	if o.client != "" {
		span.SetAttributes(attribute.String("funnelgraph.client", o.client))
	}
	span.SetAttributes(attribute.String("funnelgraph.request_id", o.id), attribute.String("funnelgraph.outcome", outcome), attribute.Bool("funnelgraph.shared", o.shared),
		attribute.Int("http.response.status_code", status))
	if outcome != "ok" {
		span.SetStatus(codes.Error, o.errors())
	}
}

// meteredWriter records the response to a request.
type meteredWriter struct {
	http.ResponseWriter

	ctx    context.Context //nolint:containedctx // the request's
	status int
	bytes  int64
	// begun reports that the client was connected when the response began, failed that writing
	// it failed, and panics that the handler has not returned.
	begun, failed, panics bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *meteredWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.status, w.begun = status, w.ctx.Err() == nil
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter]. The handlers below always call WriteHeader first.
func (w *meteredWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	w.failed = w.failed || err != nil
	return n, err
}

// Unwrap gives [http.ResponseController] access to the wrapped writer.
func (w *meteredWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
