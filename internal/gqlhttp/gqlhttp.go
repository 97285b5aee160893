// Package gqlhttp carries operations over HTTP as the GraphQL-over-HTTP
// specification has it: POST with a JSON body, and GET for queries.
//
// gqlgen's own transports come close; they differ from the specification in the
// answers to requests that cannot be run, read bodies of any size, and repeat
// in an error the body that they could not read, which may hold secrets.
package gqlhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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

// Transports returns the ways in which operations come.
func Transports() []graphql.Transport { return []graphql.Transport{post{}, get{}, other{}} }

type post struct{}

// Supports implements [graphql.Transport].
func (post) Supports(r *http.Request) bool { return r.Method == http.MethodPost }

// Do implements [graphql.Transport].
func (post) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	a, ok := newAnswer(w, r, exec)
	if !ok {
		return
	}
	if media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != legacyJSON || !utf8Charset(params) {
		a.refuse(http.StatusUnsupportedMediaType, "The body has to be JSON in UTF-8: send the header Content-Type: application/json.")
		return
	}
	var p graphql.RawParams
	p.ReadTime.Start = graphql.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		a.refuse(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
		return
	}
	if err != nil {
		a.refuse(http.StatusBadRequest, "The body could not be read.")
		return
	}
	fields, err := decodeObject(string(body))
	if err != nil {
		a.refuse(http.StatusBadRequest, "The body has to be one JSON object.")
		return
	}
	if !a.params(&p, fields) {
		return
	}
	a.run(&p, false)
}

type get struct{}

// Supports implements [graphql.Transport].
func (get) Supports(r *http.Request) bool { return r.Method == http.MethodGet }

// Do implements [graphql.Transport].
func (get) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	a, ok := newAnswer(w, r, exec)
	if !ok {
		return
	}
	var p graphql.RawParams
	p.ReadTime.Start = graphql.Now()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		a.refuse(http.StatusBadRequest, "The URL's query cannot be read.")
		return
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
			return
		}
		fields[key] = object
	}
	if !a.params(&p, fields) {
		return
	}
	a.run(&p, true)
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

func utf8Charset(params map[string]string) bool {
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// params reads an operation's parameters, each of which may be null. It answers
// itself, and reports false, where one has the wrong type.
func (a *answer) params(p *graphql.RawParams, fields map[string]any) bool {
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
		p.Headers = a.r.Header
		p.ReadTime.End = graphql.Now()
		return true
	}
	return false
}

// run executes the operation and writes its answer.
func (a *answer) run(p *graphql.RawParams, queriesOnly bool) {
	ctx := a.r.Context()
	op, errs := a.exec.CreateOperationContext(ctx, p)
	if errs != nil {
		// Nothing ran, so there is no data. Clients of the older media type
		// read errors from a 200 only.
		a.write(a.status(http.StatusBadRequest), a.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs))
		return
	}
	if queriesOnly && op.Operation.Operation != ast.Query {
		a.w.Header().Set("Allow", "POST")
		a.refuse(http.StatusMethodNotAllowed, "Only queries come by GET; send this by POST.")
		return
	}
	responses, ctx := a.exec.DispatchOperation(ctx, op)
	if response := responses(ctx); response != nil {
		a.write(http.StatusOK, response)
	}
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
	a.write(status, &graphql.Response{Errors: gqlerror.List{{
		Message: message, Extensions: map[string]any{"code": string(upstream.BadUserInput)},
	}}})
}

func (a *answer) write(status int, response *graphql.Response) {
	body, err := encode(response)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"errors":[{"message":"The answer could not be written.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)
	}
	header := a.w.Header()
	header.Set("Content-Type", a.media+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body)
}

// encode writes a response. Its data is JSON already, and nearly all of it: it
// is copied, not parsed again.
func encode(response *graphql.Response) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, len(response.Data)+256))
	b.WriteByte('{')
	if response.Data != nil {
		b.WriteString(`"data":`)
		b.Write(response.Data)
	}
	for _, part := range []struct {
		key   string
		value any
		given bool
	}{
		{"errors", response.Errors, len(response.Errors) > 0},
		{"extensions", response.Extensions, len(response.Extensions) > 0},
	} {
		if !part.given {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + part.key + `":`)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(part.value); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the encoder's line break
	}
	b.WriteByte('}')
	return b.Bytes(), nil
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
