package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestDeferSendsNoEmptyPart defers fragments that are of no object, or of some: each part
// brings data, no part is null, and nothing is announced that does not come.
func TestDeferSendsNoEmptyPart(t *testing.T) {
	contact, team := contactIDs(1)[0], model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"})
	order := model.GlobalID(upstream.Ref{Kind: upstream.KindOrder, Parent: "101", ID: "50001"})
	missing := model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "99"})
	for _, test := range []struct {
		name, query string
		later       int // objects that come later
	}{
		{"skipped", `{ team(id: "11") { name ... @defer @skip(if: true) { locale } } }`, 0},
		{"not included, by a variable", `query($no: Boolean = false) { team(id: "11") { name ... @include(if: $no) @defer { locale } } }`, 0},
		{"included", `{ team(id: "11") { name ... @include(if: true) @defer { locale } } }`, 1},
		{"a spread that is skipped", `{ team(id: "11") { name ...More @skip(if: true) @defer(label: "more") } } fragment More on Team { locale }`, 0},
		{"fields that are all skipped", `{ team(id: "11") { name ... @defer { locale @skip(if: true) ... @include(if: false) { timeZone } } } }`, 0},
		{"a field on the way that is skipped", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { name } } } } }`, 0},
		{"a way that is skipped and taken", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { subdomain } } } workspaces(first: 1) { nodes { name } } } }`, 0},
		{"inside a skipped fragment", `{ team(id: "11") { name ... @skip(if: true) { ... @defer { locale } } } }`, 0},
		{"off by a variable", `query($on: Boolean! = false) { team(id: "11") { name ... @defer(if: $on) { locale } } }`, 0},
		{"off", `{ team(id: "11") { name ... @defer(if: false) { locale } } }`, 0},
		{"of another type", `{ node(id: "` + contact + `") { id ... on Team @defer { name } } }`, 0},
		{"of another type, around", `{ node(id: "` + contact + `") { id ... on Team { ... @defer { name } } } }`, 0},
		{"of another type, within", `{ node(id: "` + contact + `") { id ... @defer { ... on Team { name } } } }`, 0},
		{"of another type, with the record's too", `{ node(id: "` + contact + `") { __typename id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 1},
		{"a spread of another type", `{ node(id: "` + contact + `") { id ...T @defer ...C @defer } } fragment T on Team { name workspaces { nodes { name } } } fragment C on Contact { emailAddress }`, 1},
		{"on the interface", `{ node(id: "` + team + `") { id ... on Node @defer { ... on Team { name } } } }`, 1},
		{"of a null", `{ node(id: "` + missing + `") { id ... on Team @defer { name } } }`, 0},
		{"rows of different types", `{ nodes(ids: ["` + contact + `", "` + team + `", "` + order + `"]) { id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 2},
		{"rows of different types, one null", `{ nodes(ids: ["` + contact + `", "` + missing + `", "` + team + `"]) { id ... on Team @defer { name } ... on Order @defer { notes } } }`, 1},
		{"the same field of rows of different types", `{ nodes(ids: ["` + contact + `", "` + order + `"]) { id ... on Contact { workspace { name } } ... on Order { workspace { name ... @defer { subdomain } } } } }`, 1},
		{"within each other, the outer of another type", `{ node(id: "` + contact + `") { id ... on Team @defer(label: "a") { name ... @defer(label: "b") { locale } } } }`, 0},
		{"within each other, the inner of another type", `{ node(id: "` + contact + `") { id ... on Node @defer(label: "a") { again: id ... on Team @defer(label: "b") { locale } } } }`, 1},
		{"within each other, the inner skipped", `{ team(id: "11") { name ... @defer(label: "a") { locale ... @defer(label: "b") @skip(if: true) { timeZone } } } }`, 1},
		{"only others within", `{ team(id: "11") { name ... @defer(label: "a") { ... @defer(label: "b") { locale } } } }`, 1},
		{"an empty list", `{ workspace(id: "101") { name contacts(filter: { emailAddresses: ["nobody@example.com"] }) { nodes { id ... @defer { emailAddress } } } } }`, 0},
		{"fields that have been sent", `{ team(id: "11") { name ... @defer { name } } }`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			plain := e.query(test.query)
			got := e.begin(t.Context(), test.query, nil).all()
			if !reflect.DeepEqual(got.Data, plain.Data) || len(got.Errors) != len(plain.Errors) {
				t.Errorf("got\n%s, want\n%s", got.raw, plain.raw)
			}
			later := 0
			for i, part := range got.parts {
				later += len(part.Incremental)
				if i > 0 && len(part.Incremental) == 0 {
					t.Errorf("part %d brings nothing: %s", i, got.raw)
				}
				for _, item := range part.Incremental {
					if len(item.Data) == 0 {
						t.Errorf("part %d has nothing for %v: %s", i, item.Path, got.raw)
					}
				}
			}
			if later != test.later {
				t.Errorf("%d objects later, want %d: %s", later, test.later, got.raw)
			}
			if last := got.parts[len(got.parts)-1]; test.later > 0 && (last.HasNext == nil || *last.HasNext) || test.later == 0 && (last.HasNext != nil || len(got.parts) > 1) {
				t.Errorf("hasNext: %s", got.raw)
			}
		})
	}
}

// TestDeferredNullHasAnError sends null for a deferred fragment only with the error that
// caused it.
func TestDeferredNullHasAnError(t *testing.T) {
	e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if !ofContacts(path) {
			return false
		}
		http.Error(w, `{"error":"down"}`, http.StatusInternalServerError)
		return true
	}))
	got := e.begin(t.Context(), contactsLater, nil).all()
	for _, part := range got.parts[1:] {
		for _, item := range part.Incremental {
			if len(item.Errors) == 0 {
				t.Errorf("no error: %s", got.raw)
			}
		}
	}
	if len(got.Errors) != 1 || got.get("workspace.name") != "Acme Academy" {
		t.Error(got.raw)
	}
}

// TestFragmentsBeyondTheLimitOfParts sends 20 fragments in parts of their own, and those
// beyond with what is around them.
func TestFragmentsBeyondTheLimitOfParts(t *testing.T) {
	e := newEnv(t)
	query := `{ team(id: "11") { id ` + each(25, func(i int) string { return fmt.Sprintf("... @defer { a%d: name } ", i) }) + `} }`
	got := e.begin(t.Context(), query, nil).all()
	later := 0
	for _, part := range got.parts {
		later += len(part.Incremental)
	}
	first, _ := got.parts[0].Data["team"].(map[string]any)
	if len(got.Errors) > 0 || later != 20 || got.get("team.a24") != "Acme Coaching" || first["a24"] == nil {
		t.Errorf("%d later: %s", later, got.raw)
	}
}

// TestMemoryGrowsWithReceivedBodies announces large bodies and sends one byte of each, on
// many connections and on one HTTP/2 connection.
func TestMemoryGrowsWithReceivedBodies(t *testing.T) {
	const announced, most = 1 << 20, 64 << 20 // bytes
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for _, test := range []struct {
		name     string
		requests int
		send     func(t *testing.T, e *env)
	}{
		{"300 connections", 300, func(t *testing.T, e *env) {
			t.Helper()
			conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %d\r\n\r\n{", isJSON, announced)
		}},
		{"250 streams of one connection", 250, nil},
		{"300 connections that announce an HTTP/2 frame", 0, func(t *testing.T, e *env) {
			t.Helper()
			for range 300 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				// Settings, and then a frame of an unknown type whose length is 2²⁰-1.
				_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x0f\xff\xff\xee\x00\x00\x00\x00\x00x")
			}
			time.Sleep(time.Second)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			e.serveAsIs()
			if test.send == nil {
				transport := &http.Transport{Protocols: h2c, MaxConnsPerHost: 1}
				t.Cleanup(transport.CloseIdleConnections)
				test.send = func(t *testing.T, e *env) {
					t.Helper()
					body, w := io.Pipe()
					t.Cleanup(func() { _ = w.Close() })
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/graphql", body)
					if err != nil {
						t.Fatal(err)
					}
					req.ContentLength = announced
					req.Header.Set("Content-Type", "application/json")
					go func() {
						if resp, err := transport.RoundTrip(req); err == nil {
							_ = resp.Body.Close()
						}
					}()
					_, _ = w.Write([]byte("{"))
				}
			}
			before := liveHeap()
			for range max(1, test.requests) {
				test.send(t, e)
			}
			for end := time.Now().Add(20 * time.Second); e.telemetry.InFlight() < test.requests; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d of %d requests have begun", e.telemetry.InFlight(), test.requests)
				}
			}
			time.Sleep(100 * time.Millisecond) // a handler that allocates ahead has done so by then
			if grown := liveHeap() - before; grown > most {
				t.Errorf("the heap grew by %d MB", grown>>20)
			}
		})
	}
}

// liveHeap returns the bytes of the objects that are reachable.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlowBodyTimesOut sends a body that arrives byte by byte: the time for all of it is
// bounded.
func TestSlowBodyTimesOut(t *testing.T) {
	e := newEnv(t)
	listener := newLocalListener(t)
	server := serving.New(e.front.Config.Handler)
	if server.ReadTimeout <= 0 || server.ReadTimeout > time.Minute {
		t.Errorf("a request may take %s to arrive", server.ReadTimeout)
	}
	server.ReadTimeout = 500 * time.Millisecond
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2": {Protocols: h2c}} {
		body, w := io.Pipe()
		go func() {
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/graphql", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		begun := time.Now()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		_ = body.Close()
		transport.CloseIdleConnections()
		if took := time.Since(begun); resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "did not arrive in time") || took > 5*time.Second {
			t.Errorf("%s: %d %s after %s", name, resp.StatusCode, text, took)
		}
	}
}

// TestUnsupportedRequests answers each request that the endpoint does not support with one
// error that says what is supported.
func TestUnsupportedRequests(t *testing.T) {
	e := newEnv(t)
	const (
		ok     = `{"query":"{ __typename }"}`
		modern = "Accept: application/graphql-response+json"
	)
	packed := gzipped(ok)
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		says                     string
		header                   string // name: value of the answer
	}{
		{"a batch", "POST", "/graphql", "[" + ok + "," + ok + "]", []string{isJSON}, 400, "Batches of operations are not supported", ""},
		{"a batch behind blanks", "POST", "/graphql", "\r\n [" + ok + "]", []string{isJSON, modern}, 400, "Batches of operations are not supported", ""},
		{"an empty batch", "POST", "/graphql", "[]", []string{isJSON}, 400, "Batches of operations are not supported", ""},
		{"a subscription", "POST", "/graphql", `{"query":"subscription { contacts { id } orders { id } }"}`, []string{isJSON, modern}, 400, "Subscriptions are not supported. Send a query or a mutation", ""},
		{"a subscription for older clients", "POST", "/graphql", `{"query":"subscription { contacts { id } }"}`, []string{isJSON}, 200, "Subscriptions are not supported", ""},
		{"a named subscription", "POST", "/graphql", `{"query":"query A { __typename } subscription B { x }","operationName":"B"}`, []string{isJSON, modern}, 400, "Subscriptions are not supported", ""},
		{"a subscription by GET", "GET", get("subscription { contacts { id } }"), "", []string{modern}, 400, "Subscriptions are not supported", ""},
		{"a WebSocket", "GET", "/graphql", "", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: graphql-transport-ws", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, 400, "WebSockets and subscriptions are not supported. Send queries and mutations by POST", ""},
		{"an upload", "POST", "/graphql", "--x\r\n", []string{"Content-Type: multipart/form-data; boundary=x"}, 415, "Uploads by multipart/form-data are not supported", ""},
		{"a document as body", "POST", "/graphql", "{ __typename }", []string{"Content-Type: application/graphql"}, 415, "send the header Content-Type: application/json", ""},
		{"text", "POST", "/graphql", ok, []string{"Content-Type: text/plain"}, 415, "send the header Content-Type: application/json", ""},
		{"another charset", "POST", "/graphql", ok, []string{"Content-Type: application/json; charset=latin1"}, 415, "JSON in UTF-8", ""},
		{"gzip", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: gzip"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"br", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: br"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"gzip upon identity", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: identity", "Content-Encoding: gzip"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"a mutation by GET", "GET", get(`mutation { updateTeam(input: {id: "11", name: "x"}) { team { name } } }`), "", nil, 405, "Only queries can be sent by GET", "Allow: POST"},
		{"PUT", "PUT", "/graphql", ok, []string{isJSON}, 405, "Send operations by POST, or queries by GET", "Allow: GET, POST"},
		{"DELETE", "DELETE", "/graphql", "", nil, 405, "Send operations by POST, or queries by GET", "Allow: GET, POST"},
	} {
		status, body, header := e.request(test.method, test.path, test.body, append(test.headers, asDemo)...)
		var r result
		if err := json.Unmarshal([]byte(body), &r); err != nil || status != test.status || len(r.Errors) != 1 || r.Data != nil || r.Errors[0].Extensions["code"] != bad || !strings.Contains(r.Errors[0].Message, test.says) {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
		if name, value, _ := strings.Cut(test.header, ": "); header.Get(name) != value {
			t.Errorf("%s: %s: %q", test.name, name, header.Get(name))
		}
	}
	if status, body, _ := e.request("POST", "/graphql", ok, isJSON, "Content-Encoding: Identity"); status != 200 || !strings.Contains(body, `"Query"`) {
		t.Errorf("identity: %d %s", status, body)
	}
	if calls := e.callsOf(demo.Token); len(calls) > 0 {
		t.Errorf("calls: %q", calls)
	}
}

// TestAcceptIsNegotiated follows RFC 9110: the most specific range of Accept decides, and a
// weight of 0 excludes.
func TestAcceptIsNegotiated(t *testing.T) {
	e := newEnv(t)
	const legacy, modern, none = "application/json", "application/graphql-response+json", ""
	for accept, want := range map[string]string{
		"application/json;q=0, */*":                                          modern,
		"*/*, application/json;q=0":                                          modern,
		"application/json;q=0, application/*":                                modern,
		"application/graphql-response+json;q=0, */*":                         legacy,
		"application/*;q=0, */*":                                             none,
		"application/*;q=0, application/json":                                legacy,
		"*/*;q=0, application/json":                                          legacy,
		"*/*;q=0":                                                            none,
		"application/json;q=1.":                                              legacy,
		"application/graphql-response+json;q=1., application/json;q=0.9":     modern,
		"application/graphql-response+json;q=0., application/json;q=0.1":     legacy,
		"application/json;q=0.9, */*;q=1.000":                                modern,
		"application/json;q=0.5, application/*;q=0.1":                        legacy,
		"application/json;q=0.5, application/graphql-response+json;q=0.50":   legacy,
		"application/graphql-response+json;q=0.5, application/json;q=0.5":    modern,
		"*/*, application/graphql-response+json":                             modern,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": legacy,
		"APPLICATION/JSON;Q=0, */*":                                          modern,
		"application/json; charset=utf-8; q=0.2":                             legacy,
		"application/json;q=1.5":                                             none,
		"application/json;q=NaN":                                             none,
		"application/json;q=0, text/html":                                    none,
	} {
		status, body, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "Accept: "+accept)
		got, _, _ := strings.Cut(header.Get("Content-Type"), ";")
		if want == none {
			want = legacy
			if status != http.StatusNotAcceptable {
				t.Errorf("%s: %d %s", accept, status, body)
			}
		} else if status != http.StatusOK {
			t.Errorf("%s: %d %s", accept, status, body)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", accept, got, want)
		}
	}
}

// TestHalfClosedConnection has a client close its sending side and wait: it gets an error,
// and no empty answer with the status 200.
func TestHalfClosedConnection(t *testing.T) {
	e := newEnv(t, withLatency(300*time.Millisecond))
	e.serveAsIs()
	for name, lines := range map[string]string{
		"a query":            `{ teams { nodes { name } } }`,
		"a mutation":         `mutation { updateTeam(input: { id: "11", name: "Acme" }) { team { name } } }`,
		"@defer":             contactsLater + "|" + asApollo,
		"events":             `{ teams { nodes { name } } }|Accept: text/event-stream`,
		"with a deadline":    `{ teams { nodes { name } } }|X-Request-Timeout: 5s`,
		"as the newer media": `{ teams { nodes { id } } }|Accept: application/graphql-response+json`,
	} {
		query, header, _ := strings.Cut(lines, "|")
		if header != "" {
			header += "\r\n"
		}
		body, _ := json.Marshal(map[string]any{"query": query})
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s\r\n%sContent-Length: %d\r\n\r\n%s", isJSON, asDemo, header, len(body), body)
		_ = conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		_ = conn.Close()
		var r result
		if err := json.Unmarshal(text, &r); err != nil || resp.StatusCode == http.StatusOK && r.Data == nil || resp.StatusCode >= 500 || resp.StatusCode != http.StatusOK && (len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != bad) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}

// TestSchemaOverHTTP serves the schema as text wherever introspection is allowed, and to nobody
// else.
func TestSchemaOverHTTP(t *testing.T) {
	e := newEnv(t)
	status, body, header := e.request("GET", "/schema.graphql", "")
	if status != 200 || body != graph.SDL() || header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("ETag") == "" {
		t.Errorf("%d %v %.200s", status, header, body)
	}
	if _, err := gqlparser.LoadSchema(&ast.Source{Input: body}); err != nil {
		t.Error(err)
	}
	if status, body, _ := e.request("GET", "/schema.graphql", "", "If-None-Match: "+header.Get("ETag")); status != 304 || body != "" {
		t.Errorf("asked again: %d %.200s", status, body)
	}
	if calls := e.callsOf(""); len(calls) > 0 {
		t.Errorf("calls: %q", calls)
	}
	for name, option := range map[string]envOption{
		"no introspection":           func(_ *env, cfg *config.Config) { cfg.Introspection = false },
		"trusted documents only":     withTrusted(`{"a":"{ teams { nodes { name } } }"}`, true),
		"no introspection, GraphiQL": func(_ *env, cfg *config.Config) { cfg.Introspection, cfg.GraphiQL = false, false },
	} {
		if status, body, _ := newEnv(t, option).request("GET", "/schema.graphql", "", asDemo); status != 404 || strings.Contains(body, "type") {
			t.Errorf("%s: %d %.200s", name, status, body)
		}
	}
}

// TestSchemaOverHTTPIsBehindTheGate lets only clients of the access file read the schema, at
// their rate.
func TestSchemaOverHTTPIsBehindTheGate(t *testing.T) {
	key, hash := access.NewKey()
	t.Setenv("SOME_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf("tokens: { some: { env: SOME_TOKEN } }\nclients:\n  - { name: app, keys: [%q], token: some, teams: all, limits: { rate: 20 } }\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := access.NewClients(t.Context(), file, "", limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate })
	if status, body, _ := e.request("GET", "/schema.graphql", ""); status != 401 || strings.Contains(body, "type") {
		t.Errorf("a stranger: %d %.200s", status, body)
	}
	if status, body, _ := e.request("GET", "/schema.graphql", "", "Authorization: Bearer "+key); status != 200 || !strings.Contains(body, "type Contact") {
		t.Errorf("a client: %d %.200s", status, body)
	}
	if status, body, _ := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "Authorization: Bearer "+key); status != 200 {
		t.Errorf("the second request: %d %s", status, body)
	}
	if status, body, header := e.request("GET", "/schema.graphql", "", "Authorization: Bearer "+key); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("the third request: %d %.200s", status, body)
	}
}

// TestCORSHeaders lets pages read Retry-After, and send their own deadline.
func TestCORSHeaders(t *testing.T) {
	e := newEnv(t, withOrigins("https://app.example.com"))
	const origin = "Origin: https://app.example.com"
	_, _, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, origin)
	for _, name := range []string{"Retry-After", "ETag", "X-Request-Id"} {
		if exposed := header.Get("Access-Control-Expose-Headers"); !strings.Contains(strings.ToLower(exposed), strings.ToLower(name)) {
			t.Errorf("%s is not exposed: %q", name, exposed)
		}
	}
	_, _, header = e.request("OPTIONS", "/graphql", "", origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,x-request-timeout")
	if allowed := header.Get("Access-Control-Allow-Headers"); !strings.Contains(strings.ToLower(allowed), "x-request-timeout") {
		t.Errorf("allowed: %q", allowed)
	}
}

// contactsHang is an API that never answers for contacts of one workspace.
func contactsHang(_ http.ResponseWriter, r *http.Request, subdomain, path string) bool {
	if subdomain == "acme-retreats" && ofContacts(path) {
		<-r.Context().Done()
	}
	return false
}

// TestRequestTimeoutHeader answers in part before the deadline that a client sets.
func TestRequestTimeoutHeader(t *testing.T) {
	e := newEnv(t, withFault(contactsHang))
	const timeout = 5 * time.Second
	body, _ := json.Marshal(map[string]any{"query": nested})
	var wait sync.WaitGroup
	for _, header := range []string{"5s", "5000ms", "5"} {
		wait.Go(func() {
			begun := time.Now()
			status, text, _ := e.request("POST", "/graphql", string(body), isJSON, asDemo, "X-Request-Timeout: "+header)
			took := time.Since(begun)
			r := result{raw: text}
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Error(err)
			}
			if status != 200 || took > timeout || took < timeout/2 || len(r.Errors) != 1 || r.code("teams.nodes.0.workspaces.nodes.1.contacts") != "UPSTREAM_TIMEOUT" || r.get("teams.nodes.0.workspaces.nodes.0.contacts.nodes.0.emailAddress") == nil {
				t.Errorf("%s: %d after %s: %.500s", header, status, took, text)
			}
		})
	}
	wait.Wait()
	for _, header := range []string{"soon", "-1s", "0", "0s", "8 s", "8s8", "1e3", "99999999999999999999", "8s, 9s", "8 seconds"} {
		for _, method := range []string{"POST", "GET"} {
			status, text, _ := e.request(method, "/graphql?query={__typename}", `{"query":"{ __typename }"}`, isJSON, asDemo, "X-Request-Timeout: "+header)
			var r result
			if err := json.Unmarshal([]byte(text), &r); err != nil || status != 400 || len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != bad || !strings.Contains(r.Errors[0].Message, "X-Request-Timeout") {
				t.Errorf("%s %q: %d %s", method, header, status, text)
			}
		}
	}
}

// TestRequestTimeoutHeaderIsAtMostTheServers keeps the server's own limit.
func TestRequestTimeoutHeaderIsAtMostTheServers(t *testing.T) {
	e := newEnv(t, withFault(contactsHang), withLimits(func(l *limits.Limits) { l.Timeout = 500 * time.Millisecond }))
	begun := time.Now()
	body, _ := json.Marshal(map[string]any{"query": nested})
	_, text, _ := e.request("POST", "/graphql", string(body), isJSON, asDemo, "X-Request-Timeout: 1h")
	if took := time.Since(begun); took > 5*time.Second || !strings.Contains(text, "UPSTREAM_TIMEOUT") {
		t.Errorf("after %s: %.500s", took, text)
	}
}

// TestRequestTimeoutHeaderIsOnesOwn has several clients ask the same together: a deadline
// cuts no answer but that of the client that set it, which waits no longer than that.
// They share REST calls all the same.
func TestRequestTimeoutHeaderIsOnesOwn(t *testing.T) {
	for _, hurriedFirst := range []bool{true, false} {
		goOn := make(chan struct{})
		e := newEnv(t, withFault(held(goOn, ofContacts)))
		const query = `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 1) { nodes { emailAddress } } } }`
		body, _ := json.Marshal(map[string]any{"query": query})
		ask := func(headers ...string) <-chan result {
			answered := make(chan result, 1)
			go func() {
				_, text, _ := e.request("POST", "/graphql", string(body), append(headers, isJSON, asDemo)...)
				r := result{raw: text}
				_ = json.Unmarshal([]byte(text), &r)
				answered <- r
			}()
			return answered
		}
		var hurried, patient <-chan result
		if hurriedFirst {
			hurried = ask("X-Request-Timeout: 1s")
			waitForCalls(t, e, 1)
			patient = ask()
		} else {
			patient = ask()
			waitForCalls(t, e, 1)
			hurried = ask("X-Request-Timeout: 1s")
		}
		unhurried := ask("X-Request-Timeout: 20s")
		select {
		case r := <-hurried:
			if r.code("workspace.contacts") != "UPSTREAM_TIMEOUT" {
				t.Errorf("hurried: %s", r.raw)
			}
		case <-time.After(5 * time.Second):
			t.Error("the hurried client waits for the others")
		}
		close(goOn)
		for name, answered := range map[string]<-chan result{"patient": patient, "unhurried": unhurried} {
			if r := <-answered; len(r.Errors) > 0 || r.get("workspace.contacts.nodes.0.emailAddress") == nil {
				t.Errorf("%s: %s", name, r.raw)
			}
		}
		if calls := e.callsOf(demo.Token); len(calls) != 1 {
			t.Errorf("%d calls: %q", len(calls), calls)
		}
	}
}

// waitForCalls waits until so many REST calls have been made.
func waitForCalls(t *testing.T, e *env, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(e.callsOf(demo.Token)) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("calls: %q", e.callsOf(demo.Token))
		}
	}
}

// TestRequestTimeoutHeaderOfParts bounds the deferred parts too.
func TestRequestTimeoutHeaderOfParts(t *testing.T) {
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, path string) bool {
		if ofContacts(path) {
			<-r.Context().Done()
		}
		return false
	}))
	begun := time.Now()
	p := e.begin(t.Context(), contactsLater, nil, "X-Request-Timeout: 4s").all()
	if took := time.Since(begun); took > 4*time.Second || len(p.parts) != 2 || p.code("workspace.contacts") != "UPSTREAM_TIMEOUT" || p.get("workspace.name") != "Acme Academy" {
		t.Errorf("after %s: %s", took, p.raw)
	}
}
