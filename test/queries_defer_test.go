package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// asApollo is the Accept header of Apollo Client for a query with @defer.
const asApollo = "Accept: multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9"

// partial reads a response that may come in parts, as a client does.
type partial struct {
	t    testing.TB
	resp *http.Response
	next func() ([]byte, error)
	// result is the response merged so far.
	result
	parts []answerPart
}

// answerPart is one part of a response.
type answerPart struct {
	Data        map[string]any `json:"data"`
	Errors      []fieldError   `json:"errors"`
	HasNext     *bool          `json:"hasNext"`
	Extensions  map[string]any `json:"extensions"`
	Incremental []struct {
		Data   map[string]any `json:"data"`
		Path   []any          `json:"path"`
		Label  string         `json:"label"`
		Errors []fieldError   `json:"errors"`
	} `json:"incremental"`
}

// begin sends an operation and returns its response when the headers have arrived.
func (e *env) begin(ctx context.Context, query string, variables map[string]any, headers ...string) *partial {
	e.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		e.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, line := range append([]string{isJSON, asDemo, asApollo}, headers...) {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	return receive(e.t, http.DefaultClient, req)
}

// receive sends a request and reads its response as multipart/mixed, as server-sent events, or
// in one piece.
func receive(tb testing.TB, client *http.Client, req *http.Request) *partial {
	tb.Helper()
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = resp.Body.Close() })
	p := &partial{t: tb, resp: resp}
	media, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		tb.Fatal(err)
	}
	body := unpacking(tb, resp.Header.Get("Content-Encoding"), resp.Body)
	switch media {
	case "multipart/mixed":
		if params["boundary"] != "-" {
			tb.Errorf("the boundary is %q, want \"-\"", params["boundary"])
		}
		reader := multipart.NewReader(body, params["boundary"])
		p.next = func() ([]byte, error) {
			part, err := reader.NextPart()
			if err != nil {
				return nil, err
			}
			if media := part.Header.Get("Content-Type"); media != "application/json; charset=utf-8" {
				tb.Errorf("a part has the media type %q, want application/json", media)
			}
			return io.ReadAll(part)
		}
	case "text/event-stream":
		reader := newEvents(body)
		p.next = func() ([]byte, error) {
			event, data, err := reader.next()
			if err == nil && event == "complete" {
				if data != "" {
					tb.Errorf("want no data in the last event, got %s", data)
				}
				return nil, io.EOF
			}
			if err == nil && event != "next" {
				err = fmt.Errorf("event %q", event)
			}
			return []byte(data), err
		}
	default:
		once := io.EOF
		p.next = func() (whole []byte, err error) {
			if once == nil {
				return nil, io.EOF
			}
			once = nil
			return io.ReadAll(body)
		}
	}
	return p
}

// read reads the next part and merges it. It reports whether there was one.
func (p *partial) read() bool {
	p.t.Helper()
	raw, err := p.next()
	if errors.Is(err, io.EOF) {
		if len(p.parts) > 1 && *p.parts[len(p.parts)-1].HasNext {
			p.t.Error("the response ended although hasNext was true")
		}
		return false
	}
	var part answerPart
	if err == nil {
		err = json.Unmarshal(raw, &part)
	}
	if err != nil {
		p.t.Fatalf("want a JSON part: %v: %s", err, raw)
	}
	if n := len(p.parts); n > 0 && (part.Data != nil || part.HasNext == nil || !*p.parts[n-1].HasNext) {
		p.t.Errorf("part %d: want hasNext and no data, got %s", n, raw)
	}
	p.raw += string(raw) + "\n"
	p.parts = append(p.parts, part)
	if len(p.parts) == 1 {
		p.Data = part.Data
	}
	p.Errors = append(p.Errors, part.Errors...)
	for _, item := range part.Incremental {
		p.Errors = append(p.Errors, item.Errors...)
		if item.Data == nil {
			continue
		}
		var at any = p.Data
		for _, step := range item.Path {
			switch in := at.(type) {
			case map[string]any:
				at = in[step.(string)]
			case []any:
				at = in[int(step.(float64))]
			}
		}
		if into, ok := at.(map[string]any); ok {
			merge(into, item.Data)
		} else {
			p.t.Errorf("want an object at %v in the earlier parts: %s", item.Path, raw)
		}
	}
	return true
}

// all reads and merges all remaining parts.
func (p *partial) all() *partial {
	p.t.Helper()
	for p.read() {
	}
	return p
}

// merge merges deferred fields into an object, as clients do.
func merge(into, from map[string]any) {
	for key, value := range from {
		switch had := into[key].(type) {
		case map[string]any:
			if object, ok := value.(map[string]any); ok {
				merge(had, object)
				continue
			}
		case []any:
			if list, ok := value.([]any); ok && len(list) == len(had) {
				for i := range list {
					one, other := map[string]any{"": had[i]}, map[string]any{"": list[i]}
					merge(one, other)
					had[i] = one[""]
				}
				continue
			}
		}
		into[key] = value
	}
}

// TestDeferMergesToThePlainAnswer defers fragments and pins the first part, the number of
// deferred objects, and the REST calls. Data and calls are those of the same query without
// parts.
func TestDeferMergesToThePlainAnswer(t *testing.T) {
	for _, test := range []struct {
		name, query string
		variables   map[string]any
		first       string
		later       int
		calls       int
	}{
		{"contacts of every workspace", `{ teams { nodes { name workspaces { nodes { name ... @defer { contacts(first: 5) { nodes { emailAddress } } } } } } } }`, nil, "", 12, 16},
		{"a fragment", `{ team(id: "11") { name ...More @defer(label: "more") } } fragment More on Team { workspaces { nodes { name } } }`, nil, `{"team":{"name":"Acme Coaching"}}`, 1, 2},
		{"at the root", `{ ... @defer { teams { nodes { name } } } workspace(id: "101") { name } }`, nil, `{"workspace":{"name":"Acme Academy"}}`, 1, 2},
		{"the whole operation deferred", `{ ... @defer { teams { nodes { name } } } }`, nil, `{}`, 1, 1},
		{"a plain field of rows", `{ workspace(id: "101") { contacts(first: 3) { nodes { id ... @defer { emailAddress } } } } }`, nil, "", 3, 2},
		{"by edges", `{ workspace(id: "101") { contacts(first: 3) { edges { cursor node { rawId ... @defer { tags { name createdAt } } } } } } }`, nil, "", 3, 3},
		{"rows of a connection", `{ workspace(id: "101") { rawId contacts(first: 3) { ... @defer { nodes { emailAddress } } } } }`, nil, "", 1, 2},
		{"nested fragments", `{ team(id: "11") { name ... @defer(label: "a") { locale workspaces(first: 2) { nodes { name ... @defer(label: "b") { contacts(first: 1) { nodes { emailAddress ... @defer(label: "c") { firstName } } } } } } } } }`, nil, `{"team":{"name":"Acme Coaching"}}`, 5, 4},
		{"the same field twice", `{ team(id: "11") { workspaces(first: 2) { nodes { name } } ... @defer { workspaces(first: 2) { nodes { name contacts(first: 1) { nodes { emailAddress } } } } } } }`, nil, "", 1, 3},
		{"two fragments below an alias", `{ t: team(id: "11") { name ... @defer { locale } ... @defer(label: "x") { w: workspaces(first: 1) { nodes { name } } } } }`, nil, `{"t":{"name":"Acme Coaching"}}`, 2, 2},
		{"fields of the record", `{ workspace(id: "101") { rawId ... @defer { name } } }`, nil, `{"workspace":{"rawId":"101"}}`, 1, 1},
		{"one of several contacts by id", `{ workspace(id: "101", subdomain: "acme-academy") { ` + contactAliases(2, `contact(id: "%s") { emailAddress }`) + ` ... @defer { last: contact(id: "3000000003") { emailAddress } } } }`, nil, "", 1, 1},
		{"a type condition", `query($id: ID!) { node(id: $id) { id ... on Contact @defer { emailAddress } ... on Team @defer { name } } }`, map[string]any{"id": contactIDs(1)[0]}, "", 1, 2},
		{"if: true by a variable", `query($on: Boolean!) { team(id: "11") { rawId ... @defer(if: $on) { name } } }`, map[string]any{"on": true}, `{"team":{"rawId":"11"}}`, 1, 1},
		{"if: true by default", `query($on: Boolean! = true) { team(id: "11") { rawId ... @defer(if: $on) { name } } }`, nil, `{"team":{"rawId":"11"}}`, 1, 1},
		{"if: false by a variable", `query($on: Boolean!) { team(id: "11") { rawId ... @defer(if: $on) { name } } }`, map[string]any{"on": false}, `{"team":{"rawId":"11","name":"Acme Coaching"}}`, 0, 1},
		{"if: false", `{ team(id: "11") { rawId ... @defer(if: false) { name } } }`, nil, `{"team":{"rawId":"11","name":"Acme Coaching"}}`, 0, 1},
		{"skipped", `{ team(id: "11") { name ... @skip(if: true) @defer { locale } } }`, nil, `{"team":{"name":"Acme Coaching"}}`, 0, 1},
		{"below null", `{ team(id: "99") { name ... @defer { workspaces { nodes { name } } } } }`, nil, `{"team":null}`, 0, 1},
		{"no @defer", `{ team(id: "11") { name } }`, nil, `{"team":{"name":"Acme Coaching"}}`, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			plain := e.query(test.query, test.variables) // the client does not accept parts
			if calls := e.take(demo.Token); len(calls) != test.calls {
				t.Errorf("%d calls without @defer, want %d: %q", len(calls), test.calls, calls)
			}
			e = newEnv(t) // with empty caches
			got := e.begin(t.Context(), test.query, test.variables).all()
			if calls := e.take(demo.Token); len(calls) != test.calls {
				t.Errorf("%d calls, want %d: %q", len(calls), test.calls, calls)
			}
			if !reflect.DeepEqual(got.Data, plain.Data) || len(got.Errors) != len(plain.Errors) {
				t.Errorf("merged\n%s, want\n%s", got.raw, plain.raw)
			}
			later := 0
			for _, part := range got.parts[1:] {
				later += len(part.Incremental)
			}
			if later != test.later {
				t.Errorf("%d objects later, want %d: %s", later, test.later, got.raw)
			}
			if first, _, _ := strings.Cut(got.raw, "\n"); test.first != "" && !strings.HasPrefix(first, `{"data":`+test.first) {
				t.Errorf("the first part is %s, want %s", first, test.first)
			}
			if media := got.resp.Header.Get("Content-Type"); strings.HasPrefix(media, "multipart/mixed") == (test.later == 0) {
				t.Errorf("with %d deferred objects, the media type is %s", test.later, media)
			}
		})
	}
}

// TestDeferPartsHaveTheMultipartFormat pins the bytes and headers of a response in parts.
func TestDeferPartsHaveTheMultipartFormat(t *testing.T) {
	e := newEnv(t)
	body, err := json.Marshal(map[string]any{"query": `{ team(id: "11") { name ... @defer(label: "more") { locale } } }`})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, header := e.request("POST", "/graphql", string(body), isJSON, asDemo, "Accept: multipart/mixed, application/json")
	const want = "\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n" +
		`{"data":{"team":{"name":"Acme Coaching"}},"hasNext":true}` +
		"\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n" +
		`{"incremental":[{"data":{"locale":"en"},"path":["team"],"label":"more"}],"hasNext":false}` +
		"\r\n-----\r\n"
	if status != 200 || answer != want {
		t.Errorf("%d\n%s\nwant 200 and\n%s", status, answer, want)
	}
	for name, want := range map[string]string{"Content-Type": `multipart/mixed;boundary="-";deferSpec=20220824`, "Cache-Control": "no-store", "ETag": ""} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := vary(header); !strings.Contains(got, "Accept Accept-Encoding") {
		t.Errorf("want the response to vary with Accept, got %s", got)
	}
}

// TestDeferMakesNoExtraCalls defers random fields in every row of the table of calls. The
// merged response is the plain one.
func TestDeferMakesNoExtraCalls(t *testing.T) {
	t.Parallel()
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for i, row := range callTable {
		if testing.Short() && i%4 > 0 {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			for round := range rounds {
				r := rand.New(rand.NewPCG(uint64(i), uint64(round)))
				e := newEnv(t)
				if row.warm != "" {
					e.must(row.warm)
				}
				e.take(demo.Token)
				query := deferRandomly(t, r, row.query)
				got := e.begin(t.Context(), query, row.variables).all()
				calls := e.take(demo.Token)
				want := row.want
				if strings.HasPrefix(row.name, "40 contacts") || row.name == "records by id in one request" {
					want++ // an id in a first and a deferred part takes two calls
				}
				if len(calls) > want {
					t.Errorf("%d calls, want %d for %s:\n%s", len(calls), want, query, strings.Join(calls, "\n"))
				}
				plain := newEnv(t).must(row.query, row.variables)
				if found := difference("", got.Data, plain.Data); found != "" || len(got.Errors) > 0 {
					t.Fatalf("%s\nmerged, the response differs at %s, errors %v", query, found, got.Errors)
				}
			}
		})
	}
}

// TestDeferredFragmentsShareABatch selects contacts in two deferred fragments. One follows
// another call, and so misses the batch of the contacts around it; it joins the batch of the
// other fragment.
func TestDeferredFragmentsShareABatch(t *testing.T) {
	e := newEnv(t)
	got := e.begin(t.Context(), `{
		a: workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000001") { emailAddress } }
		b: workspace(id: "101") { name ... @defer { contact(id: "3000000002") { emailAddress } } }
		... @defer { c: workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000003") { emailAddress } } }
	}`, nil).all()
	if calls := e.take(demo.Token); len(calls) != 3 || len(got.Errors) > 0 {
		t.Errorf("%d calls, want 3: %q %v", len(calls), calls, got.Errors)
	}
}

// difference describes the first difference between two values, or returns "".
func difference(at string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for key := range want {
				if found := difference(at+"."+key, got[key], want[key]); found != "" {
					return found
				}
			}
			if len(got) == len(want) {
				return ""
			}
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				if found := difference(fmt.Sprint(at, ".", i), got[i], want[i]); found != "" {
					return found
				}
			}
			return ""
		}
	}
	if reflect.DeepEqual(got, want) {
		return ""
	}
	return fmt.Sprintf("%s: got %v, want %v", at, got, want)
}

// deferRandomly moves some of a query's selections into deferred fragments.
func deferRandomly(t *testing.T, r *rand.Rand, query string) string {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: query})
	if err != nil {
		t.Fatal(err)
	}
	var into func(set ast.SelectionSet) ast.SelectionSet
	into = func(set ast.SelectionSet) ast.SelectionSet {
		var now, later ast.SelectionSet
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				s.SelectionSet = into(s.SelectionSet)
			case *ast.InlineFragment:
				s.SelectionSet = into(s.SelectionSet)
			}
			if r.IntN(4) == 0 {
				later = append(later, selection)
			} else {
				now = append(now, selection)
			}
		}
		if len(later) > 0 {
			now = append(now, &ast.InlineFragment{SelectionSet: later, Directives: ast.DirectiveList{{Name: "defer"}}})
		}
		return now
	}
	for _, op := range doc.Operations {
		op.SelectionSet = into(op.SelectionSet)
	}
	var b strings.Builder
	formatter.NewFormatter(&b).FormatQueryDocument(doc)
	return b.String()
}

// events reads a stream of server-sent events.
type events struct{ lines *bufio.Scanner }

func newEvents(r io.Reader) *events { return &events{bufio.NewScanner(r)} }

// next returns the next event. It skips comments.
func (s *events) next() (event, data string, err error) {
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ":")
		switch value = strings.TrimPrefix(value, " "); field {
		case "event":
			event = value
		case "data":
			data += value
		case "":
			if event != "" {
				return event, data, nil
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		return "", "", err
	}
	return "", "", io.ErrUnexpectedEOF
}

// unpacking returns a reader that decodes a content coding.
func unpacking(tb testing.TB, coding string, r io.Reader) io.Reader {
	tb.Helper()
	switch coding {
	case "br":
		return brotli.NewReader(r)
	case "zstd":
		unpacked, err := zstd.NewReader(r)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(unpacked.Close)
		return unpacked
	case "gzip":
		unpacked, err := gzip.NewReader(r)
		if err != nil {
			tb.Fatal(err)
		}
		return unpacked
	}
	return r
}

// contactsLater defers the contacts of a workspace.
const contactsLater = `{ workspace(id: "101") { name ... @defer { contacts(first: 2) { nodes { emailAddress } } } } }`

// TestFirstPartDoesNotWaitForDeferredCalls holds the deferred calls until the client has read
// the first part. It does so for each content coding, over HTTP/1.1 and HTTP/2, as parts and as
// events.
func TestFirstPartDoesNotWaitForDeferredCalls(t *testing.T) {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for _, accept := range []string{asApollo, "Accept: text/event-stream"} {
		for _, coding := range []string{"identity", "gzip", "br", "zstd"} {
			for protocol, client := range map[string]*http.Client{
				"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2.0": {Transport: &http.Transport{Protocols: h2c}},
			} {
				t.Run(accept+" "+coding+" "+protocol, func(t *testing.T) {
					goOn := make(chan struct{})
					e := newEnv(t, withFault(held(goOn, isContacts)))
					e.serveLikeProduction()
					body, _ := json.Marshal(map[string]any{"query": contactsLater})
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/graphql", bytes.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					for _, line := range []string{isJSON, asDemo, accept, "Accept-Encoding: " + coding} {
						name, value, _ := strings.Cut(line, ": ")
						req.Header.Set(name, value)
					}
					p := receive(t, client, req)
					if got := p.resp.Header.Get("Content-Encoding"); got != strings.TrimPrefix(coding, "identity") || p.resp.Proto != protocol {
						t.Errorf("want the requested coding and protocol, got %q by %s", got, p.resp.Proto)
					}
					if !p.read() || p.get("workspace.name") != "Acme Academy" || p.get("workspace.contacts") != nil {
						t.Fatalf("want the name without contacts in the first part, got %s", p.raw)
					}
					close(goOn)
					if p.all(); p.get("workspace.contacts.nodes.1.emailAddress") == nil || len(p.parts) != 2 {
						t.Errorf("want the contacts in the second part, got %s", p.raw)
					}
				})
			}
		}
	}
}

// TestDeferredErrorsStayInTheirPart fails the calls of one deferred fragment. The other parts
// are complete, and each error has its path.
func TestDeferredErrorsStayInTheirPart(t *testing.T) {
	e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, _ *http.Request, subdomain, path string) bool {
		if subdomain != "acme-retreats" || !isContacts(path) {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}))
	p := e.begin(t.Context(), `{ team(id: "11") { name workspaces(first: 2) { nodes { name ... @defer { contacts(first: 1) { nodes { emailAddress } } } } } ... @defer { locale } } }`, nil).all()
	if p.get("team.workspaces.nodes.0.contacts.nodes.0.emailAddress") == nil || p.get("team.locale") != "en" || p.get("team.workspaces.nodes.1.name") != "Acme Retreats" {
		t.Errorf("want everything except for the contacts of one workspace, got %s", p.raw)
	}
	if len(p.Errors) != 1 || p.code("team.workspaces.nodes.1.contacts") != "UPSTREAM_UNAVAILABLE" || len(p.parts[0].Errors) != 0 {
		t.Errorf("want one error, in the deferred part, got %s", p.raw)
	}
	for _, part := range p.parts[1:] {
		for _, item := range part.Incremental {
			if at := fmt.Sprint(item.Path); (len(item.Errors) > 0) != (at == "[team workspaces nodes 1]") {
				t.Errorf("%s: want errors only for the second workspace, got %v", at, item.Errors)
			}
		}
	}

	// Missing records are reported once, with the part that finds them missing.
	p = e.begin(t.Context(), `{ workspace(id: "999") { rawId ... @defer { name } } team(id: "99") { name ... @defer { locale } } }`, nil).all()
	if len(p.Errors) != 2 || p.code("team") != "NOT_FOUND" || p.code("workspace") != "NOT_FOUND" {
		t.Errorf("want NOT_FOUND once for each record, got %s", p.raw)
	}
}

// TestDeferredNullRemovesOnlyItsFragment makes non-null fields fail through the limit of
// objects. Each failure nulls the deferred fragment of its object, and nothing else.
func TestDeferredNullRemovesOnlyItsFragment(t *testing.T) {
	const rows = 20
	const query = `{ workspace(id: "101") { contacts(first: 20) { nodes { emailAddress ... @defer { rawId customAttributes { value } } } } } }`
	attributes := 0
	for _, contact := range newEnv(t).must(query).get("workspace.contacts.nodes").([]any) {
		attributes += len(contact.(map[string]any)["customAttributes"].([]any))
	}
	if attributes < 4 {
		t.Fatalf("want at least 4 attributes, got %d", attributes)
	}
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Objects = rows + attributes/2 }))
	p := e.begin(t.Context(), query, nil).all()
	failed, sent := 0, 0
	for _, part := range p.parts[1:] {
		for _, item := range part.Incremental {
			sent++
			if item.Data == nil {
				failed++
			}
			if (item.Data == nil) != (len(item.Errors) == 1) {
				t.Errorf("%v: want one error if the data is null, got %v", item.Path, item.Errors)
			}
		}
	}
	if sent != rows || failed == 0 || failed == rows || len(p.Errors) != failed || len(p.get("workspace.contacts.nodes").([]any)) != rows || p.get("workspace.contacts.nodes.19.emailAddress") == nil {
		t.Errorf("want %d fragments, some of them failed; got %d and %d failed: %s", rows, sent, failed, p.raw)
	}

	// A fragment whose object has failed in the first part is neither sent nor fetched.
	e = newEnv(t, withLimits(func(l *limits.Limits) { l.Objects = rows }))
	p = e.begin(t.Context(), `{ workspace(id: "101") { contacts(first: 20) { nodes { customAttributes { value } ... @defer { appliedTags { nodes { id } } } } } } }`, nil).all()
	if calls := e.callsOf(demo.Token); len(p.parts) != 1 || p.get("workspace.contacts") != nil || len(calls) != 2 {
		t.Errorf("want one part without contacts after two calls, got %s%q", p.raw, calls)
	}
}

// TestDeferredCallEndsWhenTheClientHangsUp cancels a request during a deferred call.
func TestDeferredCallEndsWhenTheClientHangsUp(t *testing.T) {
	for _, accept := range []string{asApollo, "Accept: text/event-stream"} {
		began, ended := make(chan struct{}), make(chan struct{})
		e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, path string) bool {
			if isContacts(path) {
				close(began)
				<-r.Context().Done()
				close(ended)
			}
			return false
		}))
		ctx, cancel := context.WithCancel(t.Context())
		if p := e.begin(ctx, contactsLater, nil, accept); !p.read() {
			t.Errorf("want a first part, got %s", p.raw)
		}
		<-began
		cancel()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the REST call goes on, want it canceled", accept)
		}
	}
}

// TestDeferredPartsShareTheRequestTimeout counts the timeout from the start of the request:
// deferred parts have none of their own.
func TestDeferredPartsShareTheRequestTimeout(t *testing.T) {
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Timeout = 300 * time.Millisecond }), withFault(held(nil, isContacts)))
	p := e.begin(t.Context(), contactsLater, nil).all()
	if p.get("workspace.name") != "Acme Academy" || p.code("workspace.contacts") != "UPSTREAM_TIMEOUT" || len(p.Errors) != 1 {
		t.Errorf("want the name and one UPSTREAM_TIMEOUT, got %s", p.raw)
	}
}

// TestDeferredPartsShareTheLimits expects one budget of calls, objects and complexity for all
// parts.
func TestDeferredPartsShareTheLimits(t *testing.T) {
	const query = `{ teams { nodes { name workspaces { nodes { name ... @defer { contacts(first: 5) { nodes { emailAddress } } } } } } } }`
	contacts := func(r result) int {
		text, err := json.Marshal(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "emailAddress")
	}
	all := contacts(newEnv(t).must(query))
	for _, test := range []struct {
		name   string
		change func(*limits.Limits)
		code   string // empty if no error is expected
		most   int    // contacts at most
	}{
		{"calls", func(l *limits.Limits) { l.Calls = 6 }, "CALL_BUDGET_EXCEEDED", 2 * 5},
		{"objects", func(l *limits.Limits) { l.Objects = 3 + 12 + 20 }, "BAD_USER_INPUT", 20},
		{"objects, exactly enough", func(l *limits.Limits) { l.Objects = 3 + 12 + all }, "", all},
	} {
		e := newEnv(t, withLimits(test.change))
		p := e.begin(t.Context(), query, nil).all()
		if n := contacts(p.result); n > test.most || n == 0 || (len(p.Errors) > 0) != (test.code != "") {
			t.Errorf("%s: got %d contacts, want at most %d, and %d errors: %.2000s", test.name, n, test.most, len(p.Errors), p.raw)
		}
		for _, err := range p.Errors {
			if err.Extensions["code"] != test.code {
				t.Errorf("%s: unexpected code in %v", test.name, err)
			}
		}
		if calls := e.callsOf(demo.Token); test.name == "calls" && len(calls) != 6 {
			t.Errorf("%d calls, want 6", len(calls))
		}
	}
	p := newEnv(t, withLimits(func(l *limits.Limits) { l.Complexity = 1000 })).begin(t.Context(), query, nil).all()
	if len(p.Errors) != 1 || p.Errors[0].Extensions["limit"] != "complexity" || p.Data != nil {
		t.Errorf("want one error of complexity, got %s", p.raw)
	}
}

// TestDeferInlinesManyFragmentsInOneCall defers 90 fragments of one team: 20 of them come
// later, and the request takes one call.
func TestDeferInlinesManyFragmentsInOneCall(t *testing.T) {
	e := newEnv(t)
	var b strings.Builder
	for i := range 90 {
		fmt.Fprintf(&b, " ... @defer { a%d: name }", i)
	}
	p := e.begin(t.Context(), `{ team(id: "11") { rawId`+b.String()+` } }`, nil).all()
	later := 0
	for _, part := range p.parts[1:] {
		later += len(part.Incremental)
	}
	if later != 20 || len(p.Data["team"].(map[string]any)) != 91 {
		t.Errorf("want 20 deferred fragments and 91 fields, got %d fragments: %s", later, p.raw)
	}
	if calls := e.callsOf(demo.Token); len(calls) != 1 {
		t.Errorf("%d calls, want 1", len(calls))
	}
}

// TestDeferIsCheapBesideALargeAnswer defers small fragments of a large response. The rows of
// the first part are not read again for each part, so that parts cost about as much as their
// own data.
func TestDeferIsCheapBesideALargeAnswer(t *testing.T) {
	e := newEnv(t, withCache(time.Minute))
	query := func(directive string) string {
		var much, deferred strings.Builder
		for i := range 50 {
			fmt.Fprintf(&much, " w%d: contacts(first: 100) { nodes { ...Row } }", i)
		}
		for i := range 20 {
			fmt.Fprintf(&deferred, " ... on Contact %s { a%d: id b%d: emailAddress }", directive, i, i)
		}
		return `{ workspace(id: "109") {` + much.String() + ` a: contacts(first: 100) { nodes { id` + deferred.String() + ` } } } }` +
			` fragment Row on Contact {` + strings.ReplaceAll(deferred.String(), directive, "") + ` }`
	}
	took := func(directive string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			p := e.begin(t.Context(), query(directive), nil)
			for {
				if _, err := p.next(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	if whole, inParts := took("@include(if: true)"), took("@defer"); inParts > 8*whole {
		t.Errorf("%s in parts and %s in one piece, want at most 8 times as long", inParts, whole)
	}
}

// TestDeferredMutationWritesOnce sends the deferred fields of a mutation after its write, which
// happens once.
func TestDeferredMutationWritesOnce(t *testing.T) {
	e := newEnv(t)
	const mutation = `mutation { a: createContact(input: { workspaceId: "101", emailAddress: "new@example.com", tagIds: ["5001"] }) { contact { emailAddress ... @defer { tags { name } workspace { name } } } userErrors { message } }
		... @defer { b: createContact(input: { workspaceId: "101", emailAddress: "new@example.com" }) { contact { rawId } ... @defer { userErrors { code } } } } }`
	p := e.begin(t.Context(), mutation, nil).all()
	if len(p.Errors) != 0 || len(p.parts) < 2 || p.get("a.contact.tags.0.name") == nil || p.get("a.contact.workspace.name") != "Acme Academy" || p.get("b.userErrors.0.code") != "INVALID" {
		t.Errorf("want the payloads without errors, got %s", p.raw)
	}
	if first, _, _ := strings.Cut(p.raw, "\n"); strings.Contains(first, "tags") || !strings.Contains(first, `"b":{"contact":null}`) {
		t.Errorf("want no deferred fields in the first part, got %s", first)
	}
	writes := 0
	for _, call := range e.callsOf(demo.Token) {
		if strings.HasPrefix(call, "POST") {
			writes++
		}
	}
	if writes != 2 {
		t.Errorf("%d writes, want 2: %q", writes, e.callsOf(demo.Token))
	}
}

// TestDrainFinishesDeferredParts shuts a server down while a response is incomplete. The server
// sends the rest.
func TestDrainFinishesDeferredParts(t *testing.T) {
	goOn := make(chan struct{})
	e := newEnv(t, withFault(held(goOn, isContacts)))
	listener := newLocalListener(t)
	ctx, end := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serving.Serve(ctx, listener, e.front.Config.Handler, new(serving.State), serving.Drain{Timeout: 20 * time.Second})
	}()
	e.url = "http://" + listener.Addr().String()
	p := e.begin(t.Context(), contactsLater, nil)
	if !p.read() {
		t.Fatalf("want a first part, got %s", p.raw)
	}
	end(serving.ErrInterrupted)
	for { // until the server accepts no more connections
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(goOn)
	if p.all(); p.get("workspace.contacts.nodes.1.emailAddress") == nil {
		t.Errorf("want the contacts, got %s", p.raw)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDeferredCallsAreSharedByConcurrentClients sends the same query many times at once, in
// parts and in one piece. Each client gets everything, and the contacts take one call.
func TestDeferredCallsAreSharedByConcurrentClients(t *testing.T) {
	goOn := make(chan struct{})
	e := newEnv(t, withFault(held(goOn, isContacts)))
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			accept := asApollo
			if i%2 == 0 {
				accept = "Accept: application/json"
			}
			p := e.begin(t.Context(), contactsLater, nil, accept).all()
			if p.get("workspace.contacts.nodes.1.emailAddress") == nil || (len(p.parts) == 2) != (i%2 == 1) {
				t.Errorf("want the contacts, in parts only if the client accepts them, got %s", p.raw)
			}
		})
	}
	time.AfterFunc(time.Second, func() { close(goOn) }) // by then all requests are in flight
	wait.Wait()
	contacts := 0
	for _, call := range e.callsOf(demo.Token) {
		if strings.HasSuffix(call, "/contacts") {
			contacts++
		}
	}
	if contacts != 1 {
		t.Errorf("%d calls for the contacts, want 1: %q", contacts, e.callsOf(demo.Token))
	}
}

// TestAcceptSelectsPartsOrOnePiece sends parts to clients that accept a supported format of
// them, and one piece to all others.
func TestAcceptSelectsPartsOrOnePiece(t *testing.T) {
	e := newEnv(t)
	for accept, want := range map[string]string{
		"multipart/mixed;deferSpec=20220824,application/json": "multipart/mixed",
		"multipart/mixed; deferSpec=20220824":                 "multipart/mixed",
		"multipart/mixed":                                     "multipart/mixed",
		"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed": "multipart/mixed", // urql
		"application/json, multipart/mixed":                     "multipart/mixed", // GraphiQL
		"text/event-stream":                                     "text/event-stream",
		"text/event-stream, application/json;q=0.5":             "text/event-stream",
		"text/event-stream, application/json":                   "application/json",
		"application/json":                                      "application/json",
		"*/*":                                                   "application/json",
		"multipart/mixed;q=0, application/json":                 "application/json",
		"multipart/mixed;incrementalSpec=v0.2,application/json": "application/json",
		"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json":                                "application/json",
		"multipart/mixed;deferSpec=20300101,application/graphql-response+json":                                  "application/graphql-response+json",
		"multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9; nonsense": "multipart/mixed",
	} {
		p := e.begin(t.Context(), contactsLater, nil, "Accept: "+accept).all()
		if got, _, _ := strings.Cut(p.resp.Header.Get("Content-Type"), ";"); got != want || p.get("workspace.contacts.nodes.1.emailAddress") == nil {
			t.Errorf("%s: the media type is %s, want %s with the contacts", accept, got, want)
		}
		if want == "multipart/mixed" { // a response without deferred parts comes in one piece
			p := e.begin(t.Context(), `{ team(id: "11") { name } }`, nil, "Accept: "+accept).all()
			if media := p.resp.Header.Get("Content-Type"); !strings.HasPrefix(media, "application/") || p.raw != `{"data":{"team":{"name":"Acme Coaching"}}}`+"\n" {
				t.Errorf("%s: want a plain response, got %s %s", accept, media, p.raw)
			}
		}
	}
	p := e.begin(t.Context(), `{ nothing }`, nil).all()
	if len(p.Errors) != 1 || p.resp.StatusCode != http.StatusBadRequest {
		t.Errorf("want 400 with one error, got %d %s", p.resp.StatusCode, p.raw)
	}
	// The last part explains the calls of all parts.
	p = e.begin(t.Context(), contactsLater, nil, "X-Funnelgraph-Explain: 1").all()
	if len(p.parts) != 2 || p.parts[0].Extensions != nil || len(p.parts[1].Extensions["funnelgraph"].(map[string]any)["calls"].([]any)) != 2 {
		t.Errorf("want the explanation of two calls in the last part, got %s", p.raw)
	}
}

// TestEventStreamCarriesAnswersAndErrors sends operations and their errors as server-sent
// events. Requests without a valid operation get a plain error.
func TestEventStreamCarriesAnswersAndErrors(t *testing.T) {
	e := newEnv(t)
	const events = "Accept: text/event-stream"
	for name, test := range map[string]struct {
		query string
		want  string
	}{
		"a query":    {`{ team(id: "11") { name } }`, `{"data":{"team":{"name":"Acme Coaching"}}}`},
		"in parts":   {`{ team(id: "11") { name ... @defer { locale } } }`, `{"data":{"team":{"name":"Acme Coaching"}},"hasNext":true}` + "\n" + `{"incremental":[{"data":{"locale":"en"},"path":["team"]}],"hasNext":false}`},
		"a mutation": {`mutation { updateTeam(input: { id: "11", name: "Acme Coaching" }) { team { name } } }`, `{"data":{"updateTeam":{"team":{"name":"Acme Coaching"}}}}`},
		"an error":   {`{ team(id: "99") { name } }`, `{"data":{"team":null},"errors":[{"message":"Record missing","path":["team"]`},
		"not valid":  {`{ teamz }`, `{"errors":[{"message":"Cannot query field \"teamz\" on type \"Query\"`},
		"not parsed": {`{`, `{"errors":[{"message":"Expected Name`},
	} {
		p := e.begin(t.Context(), test.query, nil, events).all()
		if media := p.resp.Header.Get("Content-Type"); media != "text/event-stream; charset=utf-8" || p.resp.StatusCode != http.StatusOK || !strings.HasPrefix(strings.TrimSpace(p.raw), test.want) {
			t.Errorf("%s: want events with %s, got %d %s %s", name, test.want, p.resp.StatusCode, media, p.raw)
		}
	}
	status, body, header := e.request("GET", `/graphql?query={teams{nodes{id}}}`, "", asDemo, events)
	if status != 200 || !strings.HasPrefix(body, `event: next`+"\n"+`data: {"data":{"teams":`) || !strings.HasSuffix(body, "\n\nevent: complete\ndata:\n\n") || header.Get("Cache-Control") != "no-store" || header.Get("ETag") != "" {
		t.Errorf("GET: want events, got %d %v %s", status, header, body)
	}
	for name, test := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no operation":      {"POST", "/graphql", `{}`, 400},
		"no JSON":           {"POST", "/graphql", `x`, 400},
		"a mutation by GET": {"GET", `/graphql?query=mutation{updateTeam(input:{id:"11",name:"x"}){team{name}}}`, "", 405},
	} {
		status, body, header := e.request(test.method, strings.ReplaceAll(test.path, `"`, "%22"), test.body, asDemo, isJSON, events)
		if status != test.status || !strings.HasPrefix(header.Get("Content-Type"), "application/graphql-response+json") || !strings.HasPrefix(body, `{"errors"`) {
			t.Errorf("%s: want a plain error, got %d %v %s", name, status, header, body)
		}
	}
}

// TestDeferSendsNoEmptyPart defers fragments that apply to no object, or to some. Each part
// brings data, no part is null, and every announced part arrives.
func TestDeferSendsNoEmptyPart(t *testing.T) {
	contact, team := contactIDs(1)[0], model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"})
	order := model.GlobalID(upstream.Ref{Kind: upstream.KindOrder, Parent: "101", ID: "50001"})
	missing := model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "99"})
	for _, test := range []struct {
		name, query string
		later       int // deferred objects
	}{
		{"skipped", `{ team(id: "11") { name ... @defer @skip(if: true) { locale } } }`, 0},
		{"not included, by a variable", `query($no: Boolean = false) { team(id: "11") { name ... @include(if: $no) @defer { locale } } }`, 0},
		{"included", `{ team(id: "11") { name ... @include(if: true) @defer { locale } } }`, 1},
		{"a spread that is skipped", `{ team(id: "11") { name ...More @skip(if: true) @defer(label: "more") } } fragment More on Team { locale }`, 0},
		{"fields that are all skipped", `{ team(id: "11") { name ... @defer { locale @skip(if: true) ... @include(if: false) { timeZone } } } }`, 0},
		{"a skipped parent", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { name } } } } }`, 0},
		{"a parent that is selected twice, once skipped", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { subdomain } } } workspaces(first: 1) { nodes { name } } } }`, 0},
		{"inside a skipped fragment", `{ team(id: "11") { name ... @skip(if: true) { ... @defer { locale } } } }`, 0},
		{"if: false by default", `query($on: Boolean! = false) { team(id: "11") { name ... @defer(if: $on) { locale } } }`, 0},
		{"if: false", `{ team(id: "11") { name ... @defer(if: false) { locale } } }`, 0},
		{"of another type", `{ node(id: "` + contact + `") { id ... on Team @defer { name } } }`, 0},
		{"below another type", `{ node(id: "` + contact + `") { id ... on Team { ... @defer { name } } } }`, 0},
		{"another type inside", `{ node(id: "` + contact + `") { id ... @defer { ... on Team { name } } } }`, 0},
		{"another type beside the own type", `{ node(id: "` + contact + `") { __typename id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 1},
		{"a spread of another type", `{ node(id: "` + contact + `") { id ...T @defer ...C @defer } } fragment T on Team { name workspaces { nodes { name } } } fragment C on Contact { emailAddress }`, 1},
		{"on the interface", `{ node(id: "` + team + `") { id ... on Node @defer { ... on Team { name } } } }`, 1},
		{"below null", `{ node(id: "` + missing + `") { id ... on Team @defer { name } } }`, 0},
		{"rows of different types", `{ nodes(ids: ["` + contact + `", "` + team + `", "` + order + `"]) { id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 2},
		{"rows of different types, one null", `{ nodes(ids: ["` + contact + `", "` + missing + `", "` + team + `"]) { id ... on Team @defer { name } ... on Order @defer { notes } } }`, 1},
		{"the same field of rows of different types", `{ nodes(ids: ["` + contact + `", "` + order + `"]) { id ... on Contact { workspace { name } } ... on Order { workspace { name ... @defer { subdomain } } } } }`, 1},
		{"nested, the outer of another type", `{ node(id: "` + contact + `") { id ... on Team @defer(label: "a") { name ... @defer(label: "b") { locale } } } }`, 0},
		{"nested, the inner of another type", `{ node(id: "` + contact + `") { id ... on Node @defer(label: "a") { again: id ... on Team @defer(label: "b") { locale } } } }`, 1},
		{"nested, the inner skipped", `{ team(id: "11") { name ... @defer(label: "a") { locale ... @defer(label: "b") @skip(if: true) { timeZone } } } }`, 1},
		{"only a nested fragment", `{ team(id: "11") { name ... @defer(label: "a") { ... @defer(label: "b") { locale } } } }`, 1},
		{"an empty list", `{ workspace(id: "101") { name contacts(filter: { emailAddresses: ["nobody@example.com"] }) { nodes { id ... @defer { emailAddress } } } } }`, 0},
		{"fields of the first part", `{ team(id: "11") { name ... @defer { name } } }`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			plain := e.query(test.query)
			got := e.begin(t.Context(), test.query, nil).all()
			if !reflect.DeepEqual(got.Data, plain.Data) || len(got.Errors) != len(plain.Errors) {
				t.Errorf("merged\n%s, want\n%s", got.raw, plain.raw)
			}
			later := 0
			for i, part := range got.parts {
				later += len(part.Incremental)
				if i > 0 && len(part.Incremental) == 0 {
					t.Errorf("want data in part %d, got %s", i, got.raw)
				}
				for _, item := range part.Incremental {
					if len(item.Data) == 0 {
						t.Errorf("part %d: want data for %v, got %s", i, item.Path, got.raw)
					}
				}
			}
			if later != test.later {
				t.Errorf("%d objects later, want %d: %s", later, test.later, got.raw)
			}
			if last := got.parts[len(got.parts)-1]; test.later > 0 && (last.HasNext == nil || *last.HasNext) || test.later == 0 && (last.HasNext != nil || len(got.parts) > 1) {
				t.Errorf("want hasNext to be false in the last part only, got %s", got.raw)
			}
		})
	}
}

// TestDeferredNullHasAnError expects the causing error with each null fragment.
func TestDeferredNullHasAnError(t *testing.T) {
	e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if !isContacts(path) {
			return false
		}
		http.Error(w, `{"error":"down"}`, http.StatusInternalServerError)
		return true
	}))
	got := e.begin(t.Context(), contactsLater, nil).all()
	for _, part := range got.parts[1:] {
		for _, item := range part.Incremental {
			if len(item.Errors) == 0 {
				t.Errorf("want an error with each failed fragment, got %s", got.raw)
			}
		}
	}
	if len(got.Errors) != 1 || got.get("workspace.name") != "Acme Academy" {
		t.Errorf("want the name and one error, got %s", got.raw)
	}
}

// TestDeferInlinesFragmentsBeyondTheLimit sends 20 of 25 fragments in parts of their own, and
// the others with their parent.
func TestDeferInlinesFragmentsBeyondTheLimit(t *testing.T) {
	e := newEnv(t)
	query := `{ team(id: "11") { id ` + each(25, func(i int) string { return fmt.Sprintf("... @defer { a%d: name } ", i) }) + `} }`
	got := e.begin(t.Context(), query, nil).all()
	later := 0
	for _, part := range got.parts {
		later += len(part.Incremental)
	}
	first, _ := got.parts[0].Data["team"].(map[string]any)
	if len(got.Errors) > 0 || later != 20 || got.get("team.a24") != "Acme Coaching" || first["a24"] == nil {
		t.Errorf("want 20 deferred fragments, got %d: %s", later, got.raw)
	}
}

// TestDeferIsIgnoredWithoutParts sends deferred fields with the rest to clients that accept
// only one piece.
func TestDeferIsIgnoredWithoutParts(t *testing.T) {
	e := newEnv(t)
	const query = `{ team(id: "11") { id ... @defer { name workspaces(first: 1) { nodes { name ...More @defer(label: "more") } } } } } fragment More on Workspace { subdomain contacts(first: 1) { nodes { id ... @defer { emailAddress } } } }`
	plain := strings.ReplaceAll(strings.ReplaceAll(query, ` @defer(label: "more")`, ""), " @defer", "")
	for range 2 { // the second request finds the parsed document in the cache
		if got, want := e.must(query).raw, e.must(plain).raw; got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
}
