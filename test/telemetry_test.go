package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// recorder records the log and the spans of an env.
type recorder struct {
	mu    sync.Mutex
	log   bytes.Buffer
	level slog.LevelVar
	spans *tracetest.InMemoryExporter
}

// Write implements [io.Writer] for the log.
func (w *recorder) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// lines returns the lines logged since the last call.
func (w *recorder) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(w.log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("the log line %q is not JSON: %v", line, err)
		}
		lines = append(lines, l)
	}
	w.log.Reset()
	return lines
}

// withTelemetry turns logs, metrics and traces on.
func withTelemetry(w *recorder) envOption {
	w.spans = tracetest.NewInMemoryExporter()
	traces := trace.NewTracerProvider(trace.WithSyncer(w.spans))
	return func(e *env, _ *config.Config) {
		e.telemetry = telemetry.New(telemetry.Config{Log: telemetry.NewLog(w, "json", &w.level), Metrics: true, Traces: traces, Version: "test"})
	}
}

// ask sends a query with headers, and returns the headers of the response. header holds names
// and values in turn.
func (e *env) ask(query string, header ...string) http.Header {
	e.t.Helper()
	body, _ := json.Marshal(map[string]any{"query": query})
	r, _ := http.NewRequest(http.MethodPost, e.url+server.Endpoint, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+demo.Token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	e.waitForTelemetry()
	return resp.Header
}

// waitForTelemetry waits until all answered operations have been logged and counted.
func (e *env) waitForTelemetry() {
	for deadline := time.Now().Add(time.Second); e.telemetry.InFlight() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// TestOperationLogHasOneLineWithoutSecrets expects one line for each operation, with its name,
// outcome and cost, and without any data.
func TestOperationLogHasOneLineWithoutSecrets(t *testing.T) {
	w := new(recorder)
	e := newEnv(t, withTelemetry(w), withFault(func(rw http.ResponseWriter, _ *http.Request, subdomain, _ string) bool {
		if subdomain == "acme-retreats" {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}))
	for _, test := range []struct {
		name, query string
		header      []string
		want        string
	}{
		{"whole", `query Names { teams(first: 1) { nodes { name workspaces(first: 1) { nodes { name contacts { nodes { emailAddress } } } } } } }`, nil,
			"INFO operation type=query name=Names outcome=ok status=200 calls=3 coalesced=0 cached=0"},
		{"partial", `{ teams(first: 1) { nodes { workspaces { nodes { contacts { nodes { emailAddress } } } } } } }`, []string{"X-Request-Id", "mine-1"},
			"INFO operation type=query outcome=partial status=200 calls=6 coalesced=0 cached=0 errors=FORBIDDEN:1 request=mine-1"},
		{"no valid document", `{ nothing }`, []string{"Accept", "application/graphql-response+json", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			"INFO operation outcome=refused status=400 calls=0 coalesced=0 cached=0 errors=BAD_USER_INPUT:1 request=0af7651916cd43dd8448eb211c80319c"},
		{"missing variables", `query Find($id: ID!) { workspace(id: $id) { name } }`, nil,
			"INFO operation type=query name=Find outcome=refused status=200 calls=0 coalesced=0 cached=0 errors=BAD_USER_INPUT:1"},
		{"only null", `{ a: workspace(id: "999") { name } b: workspace(id: "998") { name } }`, nil,
			"INFO operation type=query outcome=failed status=200 calls=2 coalesced=0 cached=0 errors=NOT_FOUND:2"},
		{"one null, one record", `{ a: workspace(id: "999") { name } b: workspace(id: "101") { name } }`, nil,
			"INFO operation type=query outcome=partial status=200 calls=2 coalesced=0 cached=0 errors=NOT_FOUND:1"},
		{"an invalid X-Request-Id", `mutation Make { createContact(input: {workspaceId: "101", emailAddress: "secret@example.com"}) { contact { id } } }`, []string{"X-Request-Id", `"quoted" name`},
			"INFO operation type=mutation name=Make outcome=ok status=200 calls=1 coalesced=0 cached=0"},
	} {
		header := e.ask(test.query, test.header...)
		lines := w.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines, want 1: %v", test.name, len(lines), lines)
		}
		l := lines[0]
		got := fmt.Sprint(l["level"], " ", l["msg"])
		for _, key := range []string{"type", "name", "outcome", "status", "calls", "coalesced", "cached", "errors"} {
			if v, ok := l[key]; ok {
				got += fmt.Sprintf(" %s=%v", key, v)
			}
		}
		if strings.Contains(test.want, "request=") {
			got += fmt.Sprintf(" request=%v", l["request"])
		}
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
		if id := header.Get("X-Request-Id"); id == "" || id != l["request"] || strings.Contains(id, `"`) {
			t.Errorf("%s: want the logged id as X-Request-Id, got %q, logged %v", test.name, id, l["request"])
		}
		if l["ms"].(float64) <= 0 || l["bytes"].(float64) <= 0 || len(fmt.Sprint(l["trace"])) != 32 {
			t.Errorf("%s: want positive figures and a trace id, got %v", test.name, l)
		}
		if hash, _ := l["hash"].(string); test.name != "no valid document" && len(hash) != 64 {
			t.Errorf("%s: want a hash of the document, got %q", test.name, hash)
		}
		if text := fmt.Sprint(l); strings.Contains(text, "@") || strings.Contains(text, demo.Token) {
			t.Errorf("%s: want no data and no token, got %s", test.name, text)
		}
	}
	for _, id := range []string{"ada@example.com", demo.Token} {
		header := e.ask(`{ teams { nodes { name } } }`, "X-Request-Id", id)
		if text := fmt.Sprint(w.lines(t), header); strings.Contains(text, id) {
			t.Errorf("want no secret as the request's id, got %s", id)
		}
	}
	w.level.Set(slog.LevelWarn)
	if e.ask(`{ teams { nodes { name } } }`); len(w.lines(t)) != 0 {
		t.Error("want no line below the level")
	}
}

// outcomes counts the logged operations by outcome.
func (w *recorder) outcomes(t *testing.T) map[any]int {
	t.Helper()
	all := make(map[any]int)
	for _, l := range w.lines(t) {
		if l["msg"] == "operation" {
			all[l["outcome"]]++
		}
	}
	return all
}

// TestOutcomeIsCanceledOnlyBeforeTheEnd distinguishes clients that leave after the end of the
// response from clients that leave earlier.
func TestOutcomeIsCanceledOnlyBeforeTheEnd(t *testing.T) {
	w := new(recorder)
	goOn := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(goOn) }) }
	t.Cleanup(release)
	e := newEnv(t, withTelemetry(w), withFault(held(goOn, isContacts)))
	const query = `{ workspace(id: "101") { name ... @defer { contacts(first: 100) { nodes { id rawId emailAddress firstName createdAt updatedAt } } } } }`
	for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
		ctx, hangUp := context.WithCancel(t.Context())
		p := e.begin(ctx, query, nil, "Accept: "+accept)
		if !p.read() {
			t.Fatal("want a first part")
		}
		hangUp()
		e.waitForTelemetry()
		if got := w.outcomes(t); len(got) != 1 || got["canceled"] != 1 {
			t.Errorf("%s, disconnected after the first part: want canceled once, got %v", accept, got)
		}
	}
	release()
	for accept, end := range map[string]string{"multipart/mixed": "-----\r\n", "text/event-stream": "event: complete\n"} {
		const often = 50
		for range often {
			e.hangUpAfter(end, accept, query)
			e.waitForTelemetry()
		}
		if got := w.outcomes(t); got["ok"] != often {
			t.Errorf("%s, disconnected after the end: want only ok, got %v", accept, got)
		}
	}
}

// hangUpAfter sends a query on a new connection, and closes it after reading the line end.
func (e *env) hangUpAfter(end, accept, query string) {
	e.t.Helper()
	conn, err := new(net.Dialer).DialContext(e.t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body, _ := json.Marshal(map[string]any{"query": query})
	r, _ := http.NewRequest(http.MethodPost, e.url+server.Endpoint, bytes.NewReader(body))
	for name, value := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + demo.Token, "Accept": accept} {
		r.Header.Set(name, value)
	}
	if err := r.Write(conn); err != nil {
		e.t.Fatal(err)
	}
	for answer := bufio.NewReader(conn); ; {
		line, err := answer.ReadString('\n')
		if err != nil {
			e.t.Fatalf("want a line %q: %v", end, err)
		}
		if line == end {
			return
		}
	}
}

// TestOutcomeIsFailedWithoutData expects the outcome failed for a response without data, and
// for a panic.
func TestOutcomeIsFailedWithoutData(t *testing.T) {
	w := new(recorder)
	tel := telemetry.New(telemetry.Config{Log: telemetry.NewLog(w, "json", &w.level)})
	answered := func(next graphql.ResponseHandler) {
		e := executor.New(&graphql.ExecutableSchemaMock{ExecFunc: func(context.Context) graphql.ResponseHandler { return next }})
		tel.Apply(e, func(context.Context) string { return "" })
		defer func() { _ = recover() }()
		tel.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			responses, ctx := e.DispatchOperation(r.Context(), &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: ast.Query}})
			responses(ctx)
			rw.WriteHeader(http.StatusOK)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, server.Endpoint, nil))
	}
	answered(func(context.Context) *graphql.Response {
		return &graphql.Response{Data: []byte("null"), Errors: gqlerror.List{{Message: "no"}}}
	})
	answered(func(context.Context) *graphql.Response { panic("the inside") })
	if got := w.outcomes(t); got["failed"] != 2 {
		t.Errorf("want two failed operations, got %v", got)
	}
}
