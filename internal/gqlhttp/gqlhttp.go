// Package gqlhttp carries operations over HTTP as the GraphQL-over-HTTP
// specification has it: POST with a JSON body, and GET for queries.
//
// gqlgen's own transports come close; they differ from the specification in the
// answers to requests that cannot be run, read bodies of any size, and repeat
// in an error the body that they could not read, which may hold secrets.
package gqlhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Media types of an answer. The newer one lets the HTTP status tell of requests
// that could not be run; under the older one clients expect 200.
const (
	legacyJSON  = "application/json"
	graphqlJSON = "application/graphql-response+json"
)

// maxBody bounds a request's body in bytes.
const maxBody = 1 << 20

// Transports returns the ways in which operations come. scope tells whose a
// request is: identical queries of one scope that are in flight together are
// executed once, and what one scope is answered never reaches another.
func Transports(scope func(context.Context) string) []graphql.Transport {
	shared := &sharing{}
	return []graphql.Transport{post{shared, scope}, get{shared, scope}, other{}}
}

type post struct {
	*sharing
	scope func(context.Context) string
}

// Supports implements [graphql.Transport].
func (post) Supports(r *http.Request) bool { return r.Method == http.MethodPost }

// Do implements [graphql.Transport].
func (p post) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	a, ok := newAnswer(w, r, exec)
	if !ok {
		return
	}
	if !jsonInUTF8(r.Header.Get("Content-Type")) {
		a.refuse(http.StatusUnsupportedMediaType, "The body has to be JSON in UTF-8: send the header Content-Type: application/json.")
		return
	}
	started := graphql.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		a.refuse(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
		return
	}
	if err != nil {
		a.refuse(http.StatusBadRequest, "The body could not be read.")
		return
	}
	a.answer(p.sharing, p.scope(r.Context()), string(body), func() (params *graphql.RawParams, ok bool) {
		fields, err := decodeObject(string(body))
		if err != nil {
			a.refuse(http.StatusBadRequest, "The body has to be one JSON object.")
			return nil, false
		}
		return a.params(fields, started)
	})
}

type get struct {
	*sharing
	scope func(context.Context) string
}

// Supports implements [graphql.Transport].
func (get) Supports(r *http.Request) bool { return r.Method == http.MethodGet }

// Do implements [graphql.Transport].
func (g get) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	a, ok := newAnswer(w, r, exec)
	if !ok {
		return
	}
	started := graphql.Now()
	a.answer(g.sharing, g.scope(r.Context()), r.URL.RawQuery, func() (params *graphql.RawParams, ok bool) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			a.refuse(http.StatusBadRequest, "The URL's query cannot be read.")
			return nil, false
		}
		fields := make(map[string]any)
		for _, key := range []string{"query", "operationName"} {
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
				a.refuse(http.StatusBadRequest, key+" has to be one JSON object.")
				return nil, false
			}
			fields[key] = object
		}
		return a.params(fields, started)
	})
}

// other answers to the methods that no operation comes by.
type other struct{}

// Supports implements [graphql.Transport].
func (other) Supports(*http.Request) bool { return true }

// Do implements [graphql.Transport].
func (other) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if a, ok := newAnswer(w, r, exec); ok {
		w.Header().Set("Allow", "GET, POST")
		a.refuse(http.StatusMethodNotAllowed, "Operations come by POST, and queries by GET as well.")
	}
}

// answer writes the answer to one request.
type answer struct {
	w     http.ResponseWriter
	r     *http.Request
	exec  graphql.GraphExecutor
	media string
}

// newAnswer finds out which media type the client wants. It answers itself, and
// reports false, where the client accepts none that there is.
func newAnswer(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) (*answer, bool) {
	a := &answer{w, r, exec, acceptable(r.Header.Values("Accept"))}
	if a.media == "" {
		a.media = legacyJSON
		a.refuse(http.StatusNotAcceptable, "Answers are "+graphqlJSON+" or "+legacyJSON+": accept one of them.")
		return a, false
	}
	return a, true
}

// acceptable returns the media type to answer with. Whoever names none gets the
// older one, as clients from before the specification expect.
func acceptable(accept []string) string {
	if strings.Join(accept, "") == "" {
		return legacyJSON
	}
	best, bestQuality := "", 0.0
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || !utf8Charset(params) {
			continue
		}
		switch media {
		case "*/*", "application/*":
			media = legacyJSON
		case legacyJSON, graphqlJSON:
		default:
			continue
		}
		if q := quality(params["q"]); q > bestQuality {
			best, bestQuality = media, q
		}
	}
	return best
}

func quality(q string) float64 {
	if q == "" {
		return 1
	}
	var f float64
	if json.Unmarshal([]byte(q), &f) != nil {
		return 0
	}
	return f
}

// jsonInUTF8 reports whether a Content-Type is that of JSON.
func jsonInUTF8(contentType string) bool {
	if contentType == legacyJSON {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	return err == nil && media == legacyJSON && utf8Charset(params)
}

func utf8Charset(params map[string]string) bool {
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// params reads an operation's parameters, each of which may be null. It answers
// itself, and reports false, where one has the wrong type.
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
		a.refuse(http.StatusBadRequest, "query has to be text.")
	case !text("operationName", &p.OperationName):
		a.refuse(http.StatusBadRequest, "operationName has to be text.")
	case !object("variables", &p.Variables):
		a.refuse(http.StatusBadRequest, "variables has to be a JSON object.")
	case !object("extensions", &p.Extensions):
		a.refuse(http.StatusBadRequest, "extensions has to be a JSON object.")
	case strings.TrimSpace(p.Query) == "":
		a.refuse(http.StatusBadRequest, "query is missing.")
	default:
		p.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
		return p, true
	}
	return nil, false
}

// answer answers an operation: with what an identical query in flight is
// answered, or else by executing what params returns.
func (a *answer) answer(s *sharing, scope, operation string, params func() (*graphql.RawParams, bool)) {
	ctx := a.r.Context()
	key := flightKey{scope, a.r.Method, a.media, operation, wantsFresh(a.r)}
	if f := s.join(key); f != nil {
		a.await(s, key, f)
		return
	}
	p, ok := params()
	if !ok {
		return
	}
	op, errs := a.exec.CreateOperationContext(ctx, p)
	if errs != nil {
		// Nothing ran, so there is no data. Clients of the older media type
		// read errors from a 200 only.
		a.write(encode(a.status(http.StatusBadRequest), a.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs)))
		return
	}
	if op.Operation.Operation != ast.Query {
		if a.r.Method == http.MethodGet {
			a.w.Header().Set("Allow", "POST")
			a.refuse(http.StatusMethodNotAllowed, "Only queries come by GET; send this by POST.")
			return
		}
		s.part(scope)
		defer s.part(scope)
		a.write(a.run(ctx, op))
		return
	}
	f, execution := s.begin(ctx, key)
	if execution != nil {
		// The query ends early when all have gone who wait for it; the one who
		// executes it is only one of them.
		gone := context.AfterFunc(ctx, func() { s.leave(key, f) })
		func() {
			defer s.land(key, f)
			f.status, f.body = a.run(execution, op)
		}()
		if !gone() {
			return // the client has gone, and has left
		}
	}
	a.await(s, key, f)
}

// await writes a flight's answer once it is there, and leaves.
func (a *answer) await(s *sharing, key flightKey, f *flight) {
	defer s.leave(key, f)
	select {
	case <-f.done:
		a.write(f.status, f.body)
	case <-a.r.Context().Done():
	}
}

// wantsFresh reports whether the client wants nothing from a cache.
func wantsFresh(r *http.Request) bool {
	for _, value := range r.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(strings.TrimSpace(directive), "="); strings.EqualFold(name, "no-cache") {
				return true
			}
		}
	}
	return false
}

// run executes an operation.
func (a *answer) run(ctx context.Context, op *graphql.OperationContext) (status int, body parts) {
	if wantsFresh(a.r) {
		ctx = upstream.Fresh(ctx)
	}
	responses, ctx := a.exec.DispatchOperation(ctx, op)
	return encode(http.StatusOK, responses(ctx))
}

func (a *answer) status(code int) int {
	if a.media == legacyJSON {
		return http.StatusOK
	}
	return code
}

// refuse answers a request that holds no operation. Its status is the same
// under both media types.
func (a *answer) refuse(status int, message string) {
	a.write(encode(status, &graphql.Response{Errors: gqlerror.List{{
		Message: message, Extensions: map[string]any{"code": string(upstream.BadUserInput)},
	}}}))
}

func (a *answer) write(status int, body parts) {
	length := 0
	for _, part := range body {
		length += len(part)
	}
	header := a.w.Header()
	header["Content-Type"] = contentTypes[a.media]
	header["Content-Length"] = []string{strconv.Itoa(length)}
	header["Cache-Control"] = noStore
	a.w.WriteHeader(status)
	for _, part := range body {
		_, _ = a.w.Write(part)
	}
}

// parts are a body in pieces, so that nearly all of it need not be copied. They
// must not be modified.
type parts [][]byte

// Values of headers, which are the same in every answer.
var (
	contentTypes = map[string][]string{
		legacyJSON:  {legacyJSON + "; charset=utf-8"},
		graphqlJSON: {graphqlJSON + "; charset=utf-8"},
	}
	noStore = []string{"no-store"}
)

// unwritten is the answer where there should have been another.
var unwritten = parts{[]byte(`{"errors":[{"message":"The answer could not be written.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)}

// encode writes a response. Its data is JSON already.
func encode(status int, response *graphql.Response) (int, parts) {
	var head, tail bytes.Buffer
	head.WriteByte('{')
	if response.Data != nil {
		head.WriteString(`"data":`)
	}
	for _, member := range []struct {
		key   string
		value any
		given bool
	}{
		{"errors", response.Errors, len(response.Errors) > 0},
		{"extensions", response.Extensions, len(response.Extensions) > 0},
	} {
		if !member.given {
			continue
		}
		if response.Data != nil || tail.Len() > 0 {
			tail.WriteByte(',')
		}
		tail.WriteString(`"` + member.key + `":`)
		enc := json.NewEncoder(&tail)
		enc.SetEscapeHTML(false)
		if enc.Encode(member.value) != nil {
			return http.StatusInternalServerError, unwritten
		}
		tail.Truncate(tail.Len() - 1) // the encoder's line break
	}
	tail.WriteByte('}')
	return status, parts{head.Bytes(), response.Data, tail.Bytes()}
}

// decodeObject reads text that is one JSON object and nothing else. Numbers
// keep all their digits.
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
