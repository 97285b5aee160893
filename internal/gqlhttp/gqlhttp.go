// Package gqlhttp implements the GraphQL-over-HTTP specification: POST with a JSON body, and GET
// for queries.
//
// gqlgen's own transports come close. They differ from the specification in the responses to
// requests that cannot be executed. They also read bodies of any size, and repeat a malformed
// body, which may contain secrets, in the error.
package gqlhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/internal/documents"
	"github.com/funnelgraph/funnelgraph/internal/flight"
	"github.com/funnelgraph/funnelgraph/internal/idempotency"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Media types of a response. With the newer one, the HTTP status reports requests that could not
// be executed. With the older one, clients expect 200.
const (
	legacyJSON  = "application/json"
	graphqlJSON = "application/graphql-response+json"
)

// The maximum number of errors in the response to an invalid document, since a small one can have
// thousands, and in the response to an executed operation.
const (
	maxErrors      = 10
	maxFieldErrors = 1000
)

// Config is the configuration of an endpoint.
type Config struct {
	// Executor executes operations.
	Executor *executor.Executor
	// Scope returns a comparable value that identifies a request's client. Identical
	// concurrent queries of one scope are executed once. A scope never gets the response of
	// another.
	Scope func(context.Context) any
	// Epoch, if not nil, returns a comparable value that is another one after each change. A query
	// that begins after a change never gets a response from before it.
	Epoch func() any
	// Explained, if not nil, reports whether a request's response has an explanation. Such a
	// response is shared only with requests that want one as well.
	Explained func(context.Context) bool
	// Shared, if not nil, is called with the contexts of a request that gets the response of
	// another one, and of that other request.
	Shared func(ctx, by context.Context)
	// InParts returns a context in which the executor answers an operation incrementally, and
	// reports whether the operation has deferred fragments. HasNext of the first response
	// announces more.
	InParts func(context.Context, *graphql.OperationContext) (context.Context, bool)
	// Keys, if not nil, executes mutations with an idempotency key once. Caller then returns a
	// request's sender.
	Keys   *idempotency.Keys
	Caller func(context.Context) idempotency.Caller
	// Replayed, if not nil, is called with the context of an operation that gets the first response
	// with its idempotency key.
	Replayed func(context.Context)
	// MaxBody is the maximum size of a request's body, in bytes.
	MaxBody int64
	// Expired, if not nil, returns the time since parts of a response expired, and whether there are any.
	Expired func(*graphql.Response) (time.Duration, bool)
	// FreshUntil, if not nil, returns until when clients may use the response to the operation of a context.
	// CacheTags returns the tags with which shared caches may store it; nil if they must not.
	FreshUntil func(context.Context) time.Time
	CacheTags  func(context.Context) []string
	// LastEvent, if not nil, returns a context in which a subscription begins after the event with an id.
	LastEvent func(ctx context.Context, id string) context.Context
	// Streams counts subscriptions and connections. MayStream, if not nil, reports whether a client may
	// have one more than are running.
	Streams   *Streams
	MayStream func(ctx context.Context, running int) bool
	// Draining, if not nil, is closed when the server begins to end. Subscriptions end then.
	Draining <-chan struct{}
}

// Handler returns an endpoint.
func Handler(cfg Config) http.Handler {
	if cfg.Streams == nil {
		cfg.Streams = NewStreams(0)
	}
	return &handler{Config: cfg}
}

type handler struct {
	Config
	// flights are the queries in flight. Mutations are never shared.
	flights flight.Group[flightKey, *content]
}

// flightKey holds everything that a response depends on. operation is the request's exact body or
// URL query.
type flightKey struct {
	scope, epoch         any
	method, media, parts string
	fresh, explained     bool
	operation            string
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{handler: h, w: w, r: r}
	a.media, a.parts = negotiateMedia(r.Header.Values("Accept"))
	ctx := r.Context()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			a.write(a.panicBody(ctx, v))
		}
	}()
	if given := r.Header.Get(TimeoutHeader); given != "" {
		timeout, err := parseTimeout(given)
		if err != nil {
			a.media = cmp.Or(a.media, legacyJSON)
			a.refuse(http.StatusBadRequest, TimeoutHeader+" must be a positive duration, such as 8s, 800ms or 8.")
			return
		}
		a.until = deadline(timeout)
		ctx = limits.WithDeadline(ctx, a.until)
	}
	switch {
	case a.media == "":
		a.media = legacyJSON
		a.refuse(http.StatusNotAcceptable, "No media type of the header Accept is supported: accept "+graphqlJSON+", "+legacyJSON+", "+multipart+" or "+eventStream+".")
	case r.Method == http.MethodPost:
		a.post(ctx)
	case r.Method == http.MethodGet:
		a.get(ctx)
	default:
		w.Header().Set("Allow", "GET, POST")
		a.refuse(http.StatusMethodNotAllowed, "Send operations by POST, or queries by GET: other methods are not supported.")
	}
	if ctx.Err() != nil {
		// The client may have closed only its own side of the connection. Without this,
		// net/http would send it an empty response with status 200.
		a.send(clientClosed())
	}
}

func (a *answer) post(ctx context.Context) {
	started := graphql.Now()
	operation, ok := a.body()
	if !ok {
		return
	}
	a.handleOperation(ctx, string(operation), func() (params *graphql.RawParams, ok bool) {
		fields, err := decodeObject(string(operation))
		if err != nil {
			message := "The body must be one JSON object."
			if bytes.HasPrefix(bytes.TrimLeft(operation, " \t\r\n"), []byte("[")) {
				message = "Batches of operations are not supported: send each operation as one JSON object in a request of its own."
			}
			a.refuse(http.StatusBadRequest, message)
			return nil, false
		}
		return a.params(fields, started)
	})
}

func (a *answer) get(ctx context.Context) {
	if isConnection(a.r) {
		a.hold(ctx)
		return
	}
	started := graphql.Now()
	a.handleOperation(ctx, a.r.URL.RawQuery, func() (params *graphql.RawParams, ok bool) {
		query, err := url.ParseQuery(a.r.URL.RawQuery)
		if err != nil {
			a.refuse(http.StatusBadRequest, "The query string of the URL is malformed.")
			return nil, false
		}
		fields := make(map[string]any)
		for _, key := range append([]string{"query", "operationName"}, documentKeys...) {
			if query.Has(key) {
				fields[key] = query.Get(key)
			}
		}
		for _, key := range []string{"variables", "extensions"} {
			if given := query.Get(key); given == "" || given == "null" {
				continue
			}
			object, err := decodeObject(query.Get(key))
			if err != nil {
				a.refuse(http.StatusBadRequest, key+" must be one JSON object.")
				return nil, false
			}
			fields[key] = object
		}
		return a.params(fields, started)
	})
}

// params reads an operation's parameters. Each may be null. If one has the wrong type, params
// refuses the request and returns false.
func (a *answer) params(fields map[string]any, started time.Time) (*graphql.RawParams, bool) {
	p := &graphql.RawParams{Headers: a.r.Header}
	text := func(key string, to *string) bool {
		v, ok := fields[key].(string)
		*to = v
		return ok || fields[key] == nil
	}
	object := func(key string, to *map[string]any) bool {
		v, ok := fields[key].(map[string]any)
		*to = v
		return ok || fields[key] == nil
	}
	switch {
	case !text("query", &p.Query):
		a.refuse(http.StatusBadRequest, "query must be a string.")
	case !text("operationName", &p.OperationName):
		a.refuse(http.StatusBadRequest, "operationName must be a string.")
	case !object("variables", &p.Variables):
		a.refuse(http.StatusBadRequest, "variables must be a JSON object.")
	case !object("extensions", &p.Extensions):
		a.refuse(http.StatusBadRequest, "extensions must be a JSON object.")
	case !setDocumentID(fields, p):
		a.refuse(http.StatusBadRequest, "documentId must be a string.")
	case strings.TrimSpace(p.Query) == "" && p.Extensions[documents.IDKey] == nil && p.Extensions["persistedQuery"] == nil:
		a.refuse(http.StatusBadRequest, "query is missing.")
	default:
		p.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
		return p, true
	}
	return nil, false
}

// documentKeys are the names that clients use for the id of a document.
var documentKeys = []string{"documentId", "id", "doc_id"}

// setDocumentID copies the document's id, if there is one, to the extensions of the parameters. It
// returns false if the id is not a string.
func setDocumentID(fields map[string]any, p *graphql.RawParams) bool {
	delete(p.Extensions, documents.IDKey) // reserved: clients must not set it directly
	for _, key := range documentKeys {
		if fields[key] == nil {
			continue
		}
		id, ok := fields[key].(string)
		if !ok {
			return false
		}
		if p.Extensions == nil {
			p.Extensions = make(map[string]any, 1)
		}
		p.Extensions[documents.IDKey] = id
		break
	}
	return true
}

// handleOperation executes the operation that params returns, or joins an identical query in
// flight, and sends the response. operation is the request's exact body or URL query.
func (a *answer) handleOperation(ctx context.Context, operation string, params func() (*graphql.RawParams, bool)) {
	p, ok := params()
	if !ok {
		return
	}
	key := flightKey{
		scope: a.Scope(ctx), method: a.r.Method, media: a.media, parts: a.parts,
		fresh: bypassesCache(a.r), explained: a.Explained != nil && a.Explained(ctx), operation: operation,
	}
	if a.Epoch != nil {
		key.epoch = a.Epoch()
	}
	ctx = graphql.StartOperationTrace(ctx)
	if key.fresh {
		ctx = upstream.Fresh(ctx)
	}
	if id := a.r.Header.Get("Last-Event-ID"); id != "" && a.LastEvent != nil {
		ctx = a.LastEvent(ctx, id)
	}
	op, errs := a.Executor.CreateOperationContext(ctx, p)
	switch {
	case errs != nil:
		a.refuseInvalid(ctx, p, op, errs)
	case op.Operation.Operation == ast.Query:
		if ctx, ok := a.incrementally(ctx, op); ok {
			a.sendIncrementally(ctx, op)
			return
		}
		if !a.until.IsZero() {
			a.send(a.execute(ctx, op))
			return
		}
		a.executeShared(ctx, key, op)
	case op.Operation.Operation == ast.Subscription:
		a.subscribe(ctx, op)
	case a.r.Method == http.MethodGet:
		a.w.Header().Set("Allow", "POST")
		a.refuse(http.StatusMethodNotAllowed, "Only queries can be sent by GET: send this operation by POST.")
	default:
		a.mutate(ctx, p, op)
	}
}

// refuseInvalid responds to an operation that cannot be executed.
func (a *answer) refuseInvalid(ctx context.Context, p *graphql.RawParams, op *graphql.OperationContext, errs gqlerror.List) {
	if op.Doc != nil && op.Operation == nil && p.OperationName == "" {
		errs[0].Message = "The document has several operations: set operationName to the one to run."
	}
	if several, ok := errors.AsType[gqlerror.List](errs[0]); ok { // an extension wraps several errors in one
		errs = several
	}
	a.refuseOperation(ctx, op, http.StatusBadRequest, firstErrors(errs, maxErrors))
}

// refuseOperation responds to an operation that is not executed. There is no data. Clients of the
// older media type read errors from a 200 only.
func (a *answer) refuseOperation(ctx context.Context, op *graphql.OperationContext, status int, errs gqlerror.List) {
	response := a.Executor.DispatchError(graphql.WithOperationContext(ctx, op), errs)
	if a.parts == eventStream { // its protocol sends such errors as an event
		a.sendEvent(response)
		return
	}
	a.write(encode(a.status(status), response))
}

// executeShared executes a query, or waits for an identical one in flight. The execution continues
// if the client that began it disconnects, and is cancelled when all its clients have.
func (a *answer) executeShared(ctx context.Context, key flightKey, op *graphql.OperationContext) {
	f, began := a.flights.Join(ctx, key)
	if began {
		// Execute it on this goroutine, so that a draining server waits for it.
		stays := context.AfterFunc(ctx, f.Leave)
		f.Run(func(ctx context.Context, _ func() time.Time) *content { return a.execute(ctx, op) })
		if !stays() {
			return
		}
	}
	made, err := f.Wait(ctx)
	if err != nil {
		return
	}
	if !began && a.Shared != nil {
		a.Shared(ctx, f.Leader)
	}
	a.send(made)
}

// execute executes an operation.
func (a *answer) execute(ctx context.Context, op *graphql.OperationContext) (made *content) {
	defer func() {
		if v := recover(); v != nil {
			status, body := a.panicBody(ctx, v)
			made = &content{status: status, body: body}
		}
	}()
	responses, ctx := a.Executor.DispatchOperation(ctx, op)
	response := responses(ctx)
	if response == nil { // cancelled
		return clientClosed()
	}
	made = a.encodeComplete(response)
	if made.cacheable && a.r.Method == http.MethodGet && a.FreshUntil != nil {
		made.freshUntil = a.FreshUntil(ctx)
		made.cacheTags = strings.Join(a.CacheTags(ctx), ",")
	}
	return made
}

// encodeComplete encodes a complete response.
func (h *handler) encodeComplete(response *graphql.Response) *content {
	response.Errors = firstErrors(response.Errors, maxFieldErrors)
	succeeded := len(response.Errors) == 0
	made := new(content)
	if h.Expired != nil {
		if expired, ok := h.Expired(response); ok {
			made.cacheStatus, succeeded = "funnelgraph; hit; ttl=-"+strconv.Itoa(int(expired.Seconds())+1), false
		}
	}
	made.status, made.body = encode(http.StatusOK, response)
	made.cacheable = succeeded && made.status == http.StatusOK
	return made
}

// firstErrors returns the first errors, and one that says how many more there are.
func firstErrors(errs gqlerror.List, most int) gqlerror.List {
	if len(errs) <= most {
		return errs
	}
	more := gqlerror.Errorf("There are %d more errors.", len(errs)-most)
	more.Extensions = map[string]any{"code": string(upstream.BadUserInput)}
	return append(errs[:most:most], more)
}

// bypassesCache reports whether the request has Cache-Control: no-cache.
func bypassesCache(r *http.Request) bool {
	for _, value := range r.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(strings.TrimSpace(directive), "="); strings.EqualFold(name, "no-cache") {
				return true
			}
		}
	}
	return false
}

// decodeObject decodes text that is exactly one JSON object. Numbers keep all their digits.
func decodeObject(text string) (map[string]any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return object, nil
}
