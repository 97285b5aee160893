// Package telemetry shows those who run the server what it does: a log line, metrics and
// a trace for each operation. None of them holds a token, an e-mail address or the value
// of a variable.
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
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Telemetry watches operations. It is safe for concurrent use; make one with [New].
type Telemetry struct {
	log     *slog.Logger
	metrics *metrics     // nil if nobody can ask for them
	tracer  trace.Tracer // nil if nothing is traced

	inFlight atomic.Int64
}

// Config is what a [Telemetry] is made from.
type Config struct {
	// Log gets a line for each operation, at level Info.
	Log *slog.Logger
	// Metrics says that there are to be metrics.
	Metrics bool
	// Traces, if not nil, gets spans.
	Traces trace.TracerProvider
	// Version is the server's.
	Version string
}

// New returns what watches operations.
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

// InFlight returns how many requests are being answered.
func (t *Telemetry) InFlight() int { return int(t.inFlight.Load()) }

// operation is what is known of a request to the endpoint, and of the operation in it.
type operation struct {
	id    string
	began time.Time

	mu sync.Mutex
	about
	// cut says that there was to be more of the answer, or that it was given up.
	cut    bool
	calls  calls
	shared bool // with another request, which has executed it
}

// about is what an operation and its answer are for all who are answered the same.
type about struct {
	client string
	// name is the one that the client has given the operation, kind is "query" or
	// "mutation".
	name, kind, document string
	// failed counts errors by their codes; ran says that the operation was executed, and
	// useful that there is more in its data than null.
	failed      map[string]int
	ran, useful bool
	limits      []string // those that were exceeded
}

// calls counts the REST calls of an operation by where their answers came from.
type calls struct{ network, coalesced, cache int }

type operationKey struct{}

func operationOf(ctx context.Context) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	return o
}

// RequestID is the header by which a client names a request, and is told the name it was
// given.
const RequestID = "X-Request-Id"

// Handler watches requests to the GraphQL endpoint.
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
		defer func() { t.done(ctx, o, answer, span) }()
		next.ServeHTTP(answer, r.WithContext(ctx))
		answer.panics = false
	})
}

// requestID is what the client calls the request, or the trace that it belongs to, or
// else a name made just now. It is no e-mail address and not the client's token, which some
// send as a name.
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

// maxRequestID is the longest name of a request, in bytes.
const maxRequestID = 128

// Apply has an executor tell of what it answers. client returns the name of an
// operation's caller, empty if it has none.
func (t *Telemetry) Apply(e *executor.Executor, client func(context.Context) string) {
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		if o := operationOf(ctx); o != nil && response != nil {
			o.answered(ctx, response, client(ctx))
		}
		return response
	})
}

func (o *operation) answered(ctx context.Context, response *graphql.Response, client string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.client = client
	o.ran = o.ran || response.Data != nil
	o.useful = o.useful || response.Data != nil && (len(response.Errors) == 0 || hasValue(response.Data))
	o.cut = response.HasNext != nil && *response.HasNext || errors.Is(ctx.Err(), context.Canceled)
	for _, err := range response.Errors {
		o.fail(err)
	}
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

func (o *operation) fail(err *gqlerror.Error) {
	if o.failed == nil {
		o.failed = make(map[string]int, 1)
	}
	code, _ := err.Extensions["code"].(string)
	o.failed[code]++
	limit, _ := err.Extensions["limit"].(string)
	if limit == "" && code == string(upstream.OverBudget) {
		limit = "calls"
	}
	if limit != "" && !slices.Contains(o.limits, limit) {
		o.limits = append(o.limits, limit)
	}
}

// Shared tells that a request is answered what another one is, by the contexts of both.
func (t *Telemetry) Shared(ctx, by context.Context) {
	o, other := operationOf(ctx), operationOf(by)
	if o == nil || other == nil {
		return
	}
	other.mu.Lock()
	same := other.about
	same.failed, same.limits = maps.Clone(same.failed), slices.Clone(same.limits)
	other.mu.Unlock()
	o.mu.Lock()
	o.about, o.shared = same, true
	o.mu.Unlock()
	if span, made := trace.SpanFromContext(ctx), trace.SpanContextFromContext(by); span.IsRecording() && made.IsSampled() {
		span.AddLink(trace.Link{SpanContext: made})
	}
}

// Observer counts and traces the REST calls of each operation.
func (t *Telemetry) Observer() upstream.Observer {
	observer := upstream.Observer{Tracer: t.tracer, Called: func(ctx context.Context, c upstream.Call) {
		if o := operationOf(ctx); o != nil {
			o.mu.Lock()
			switch c.Origin {
			case upstream.FromNetwork:
				o.calls.network++
			case upstream.FromOther:
				o.calls.coalesced++
			case upstream.FromCache:
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

// outcome is how an operation went.
func (o *operation) outcome(answer *meteredWriter) string {
	switch status := answer.status; {
	// Who goes as soon as all is there has been answered.
	case answer.failed, answer.ctx.Err() != nil && (o.cut || !answer.begun):
		return "canceled"
	case answer.panics, status >= http.StatusInternalServerError, !o.ran && o.failed[string(upstream.Internal)] > 0:
		return "failed"
	case !o.ran && (status >= http.StatusBadRequest || len(o.failed) > 0), len(o.limits) > 0 && !o.useful:
		return "refused"
	case len(o.failed) == 0:
		return "ok"
	case o.useful:
		return "partial"
	}
	return "failed"
}

// done tells of a request that has been answered.
func (t *Telemetry) done(ctx context.Context, o *operation, answer *meteredWriter, span trace.Span) {
	defer t.inFlight.Add(-1)
	took := time.Since(o.began)
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := o.outcome(answer)
	if t.metrics != nil {
		t.metrics.done(o, outcome, took, answer)
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
	if o.shared {
		attrs = append(attrs, slog.Bool("shared", true))
	} else {
		attrs = append(attrs, slog.Int("calls", o.calls.network), slog.Int("coalesced", o.calls.coalesced), slog.Int("cached", o.calls.cache))
	}
	if len(o.failed) > 0 {
		attrs = append(attrs, slog.String("errors", o.errors()))
	}
	t.log.LogAttrs(ctx, slog.LevelInfo, "operation", attrs...)
}

// hash returns the document's: SHA-256, as of persisted documents. It is empty if there is
// no document.
func (o *operation) hash() string {
	if o.document == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(o.document))
	return hex.EncodeToString(sum[:])
}

// errors lists the codes of errors, with how many there are of each.
func (o *operation) errors() string {
	var all []string
	for _, code := range slices.Sorted(maps.Keys(o.failed)) {
		all = append(all, code+":"+strconv.Itoa(o.failed[code]))
	}
	return strings.Join(all, ",")
}

func (t *Telemetry) trace(o *operation, outcome string, status int, span trace.Span) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if o.kind != "" {
		span.SetName(o.kind) // and not the operation's own, of which there may be any number
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

// meteredWriter counts what is answered.
type meteredWriter struct {
	http.ResponseWriter

	ctx    context.Context //nolint:containedctx // the request's
	status int
	bytes  int64
	// begun says that there was a client when the answer began, failed that it could not
	// be written, and panics that whatever writes it has not come to its end.
	begun, failed, panics bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *meteredWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.status, w.begun = status, w.ctx.Err() == nil
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter]. What it writes has a header by then.
func (w *meteredWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	w.failed = w.failed || err != nil
	return n, err
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (w *meteredWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
