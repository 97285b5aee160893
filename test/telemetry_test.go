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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// watched is what is to be seen of an env from outside.
type watched struct {
	mu    sync.Mutex
	log   bytes.Buffer
	level slog.LevelVar
	spans *tracetest.InMemoryExporter
}

// Write implements [io.Writer] for the log.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// lines returns what has been logged since it was last asked for.
func (w *watched) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(w.log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, l)
	}
	w.log.Reset()
	return lines
}

// withTelemetry has an env logged, measured and traced.
func withTelemetry(w *watched) envOption {
	w.spans = tracetest.NewInMemoryExporter()
	traces := trace.NewTracerProvider(trace.WithSyncer(w.spans))
	return func(e *env, _ *config.Config) {
		e.telemetry = telemetry.New(telemetry.Config{Log: telemetry.NewLog(w, "json", &w.level), Metrics: true, Traces: traces, Version: "test"})
	}
}

// ask sends a query with headers, and returns those of the answer.
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
	e.told()
	return resp.Header
}

// told waits until what has been answered has been told.
func (e *env) told() {
	for deadline := time.Now().Add(time.Second); e.telemetry.InFlight() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// TestOperationLog has a line for each operation, which says what it was and what it
// took, and nothing of what was in it.
func TestOperationLog(t *testing.T) {
	w := new(watched)
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
		{"no document", `{ nothing }`, []string{"Accept", "application/graphql-response+json", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			"INFO operation outcome=refused status=400 calls=0 coalesced=0 cached=0 errors=BAD_USER_INPUT:1 request=0af7651916cd43dd8448eb211c80319c"},
		{"variables are missing", `query Find($id: ID!) { workspace(id: $id) { name } }`, nil,
			"INFO operation type=query name=Find outcome=refused status=200 calls=0 coalesced=0 cached=0 errors=BAD_USER_INPUT:1"},
		{"nothing but null", `{ a: workspace(id: "999") { name } b: workspace(id: "998") { name } }`, nil,
			"INFO operation type=query outcome=failed status=200 calls=2 coalesced=0 cached=0 errors=NOT_FOUND:2"},
		{"something behind null", `{ a: workspace(id: "999") { name } b: workspace(id: "101") { name } }`, nil,
			"INFO operation type=query outcome=partial status=200 calls=2 coalesced=0 cached=0 errors=NOT_FOUND:1"},
		{"a name that is none", `mutation Make { createContact(input: {workspaceId: "101", emailAddress: "secret@example.com"}) { contact { id } } }`, []string{"X-Request-Id", `"quoted" name`},
			"INFO operation type=mutation name=Make outcome=ok status=200 calls=1 coalesced=0 cached=0"},
	} {
		header := e.ask(test.query, test.header...)
		lines := w.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines: %v", test.name, len(lines), lines)
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
			t.Errorf("%s: answered request %q, logged %v", test.name, id, l["request"])
		}
		if l["ms"].(float64) <= 0 || l["bytes"].(float64) <= 0 || len(fmt.Sprint(l["trace"])) != 32 {
			t.Errorf("%s: %v", test.name, l)
		}
		if hash, _ := l["hash"].(string); test.name != "no document" && len(hash) != 64 {
			t.Errorf("%s: hash %q", test.name, hash)
		}
		if text := fmt.Sprint(l); strings.Contains(text, "@") || strings.Contains(text, demo.Token) {
			t.Errorf("%s: %s", test.name, text)
		}
	}
	for _, id := range []string{"ada@example.com", demo.Token} {
		header := e.ask(`{ teams { nodes { name } } }`, "X-Request-Id", id)
		if text := fmt.Sprint(w.lines(t), header); strings.Contains(text, id) {
			t.Errorf("a request is called %s", id)
		}
	}
	w.level.Set(slog.LevelWarn)
	if e.ask(`{ teams { nodes { name } } }`); len(w.lines(t)) != 0 {
		t.Error("logged below the level")
	}
}

// outcomes counts what has been logged by its outcome.
func (w *watched) outcomes(t *testing.T) map[any]int {
	t.Helper()
	all := make(map[any]int)
	for _, l := range w.lines(t) {
		if l["msg"] == "operation" {
			all[l["outcome"]]++
		}
	}
	return all
}

// TestOutcomeOfGone tells clients that go when they have their answer from those that go
// before.
func TestOutcomeOfGone(t *testing.T) {
	w := new(watched)
	goOn := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(goOn) }) }
	t.Cleanup(release)
	e := newEnv(t, withTelemetry(w), withFault(held(goOn, ofContacts)))
	const query = `{ workspace(id: "101") { name ... @defer { contacts(first: 100) { nodes { id rawId emailAddress firstName createdAt updatedAt } } } } }`
	for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
		ctx, hangUp := context.WithCancel(t.Context())
		p := e.begin(ctx, query, nil, "Accept: "+accept)
		if !p.read() {
			t.Fatal("no first part")
		}
		hangUp()
		e.told()
		if got := w.outcomes(t); len(got) != 1 || got["canceled"] != 1 {
			t.Errorf("%s, gone behind the first part: %v", accept, got)
		}
	}
	release()
	for accept, end := range map[string]string{"multipart/mixed": "-----\r\n", "text/event-stream": "event: complete\n"} {
		const often = 50
		for range often {
			e.goneAt(end, accept, query)
			e.told()
		}
		if got := w.outcomes(t); got["ok"] != often {
			t.Errorf("%s, gone behind the end: %v", accept, got)
		}
	}
}

// goneAt sends a query on a connection of its own, which it closes when it reads a line.
func (e *env) goneAt(end, accept, query string) {
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
			e.t.Fatalf("no %q: %v", end, err)
		}
		if line == end {
			return
		}
	}
}

// TestOutcomeOfNothing has an answer without any data, and a request that is not answered for
// want of code that works: both have failed.
func TestOutcomeOfNothing(t *testing.T) {
	w := new(watched)
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
		t.Error(got)
	}
}

// tree draws spans with what is below them, those of a kind once.
func tree(spans tracetest.SpanStubs, parent string, indent string) string {
	var lines []string
	for _, s := range spans {
		if s.Parent.SpanID().String() == parent {
			lines = append(lines, indent+s.Name+"\n"+tree(spans, s.SpanContext.SpanID().String(), indent+"  "))
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

func attributeOf(s tracetest.SpanStub, key attribute.Key) string {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// TestTraces has a span for each operation, for the fields that have to wait, and below
// those for the calls.
func TestTraces(t *testing.T) {
	w := new(watched)
	e := newEnv(t, withTelemetry(w))
	e.ask(`{ teams(first: 1) { nodes { name workspaces(first: 2) { nodes { name contacts(first: 2) { nodes { emailAddress } } formSubmissions(first: 30) { edges { node { contact { emailAddress } } } } } } } } }`,
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	const want = `query
  FormSubmission.contact
    GET /workspaces/{id}/contacts
  Query.teams
    GET /teams
  Team.workspaces
    GET /teams/{id}/workspaces
  Workspace.contacts
    GET /workspaces/{id}/contacts
  Workspace.formSubmissions
    GET /workspaces/{id}/form_submissions
`
	spans := w.spans.GetSpans()
	if got := tree(spans, "b7ad6b7169203331", ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	fields := make(map[string]time.Time) // when they end
	for _, s := range spans {
		if !strings.HasPrefix(s.Name, "GET ") {
			if _, twice := fields[s.Name]; twice {
				t.Errorf("%s has a span for each of its objects", s.Name)
			}
			fields[s.Name] = s.EndTime
		}
	}
	for _, s := range spans {
		if call := strings.TrimPrefix(s.Name, "GET "); call == "/workspaces/{id}/form_submissions" && s.EndTime.After(fields["Workspace.formSubmissions"]) {
			t.Error("a field ends before one of its calls")
		}
		if s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s is of another trace", s.Name)
		}
		if strings.HasPrefix(s.Name, "GET ") && (attributeOf(s, "http.response.status_code") != "200" || attributeOf(s, "funnelgraph.origin") != "" || attributeOf(s, "server.address") == "") {
			t.Errorf("%s: %v", s.Name, s.Attributes)
		}
		if text := fmt.Sprint(s.Attributes, s.Events); strings.Contains(text, demo.Token) || strings.Contains(text, "@") {
			t.Error(text)
		}
	}
}

// TestTracesOfWhatOthersNeed has a field ask for what those below it need, and not wait for it:
// it has not ended before that.
func TestTracesOfWhatOthersNeed(t *testing.T) {
	w := new(watched)
	e := newEnv(t, withTelemetry(w))
	e.ask(`{ workspace(id: "101") { contacts(first: 20) { edges { node { emailAddress tags { name createdAt } } } } } }`, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	const want = `query
  Contact.tags
    GET /workspaces/{id}/contacts/tags
  Query.workspace
    GET /workspaces/{id}
  Workspace.contacts
    GET /workspaces/{id}/contacts
`
	spans := w.spans.GetSpans()
	if got := tree(spans, "b7ad6b7169203331", ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	ends := make(map[string]time.Time)
	for _, s := range spans {
		ends[s.Name] = s.EndTime
	}
	if ends["Contact.tags"].Before(ends["GET /workspaces/{id}/contacts/tags"]) {
		t.Error("a field ends before its call")
	}
	if !ends["Query.workspace"].Before(ends["GET /workspaces/{id}/contacts"]) {
		t.Error("a field ends with the operation")
	}
}

// TestTracesInParts has a deferred field wait until another part has been sent, for a client
// that stays and for one that goes: every span ends, and none before what is below it.
func TestTracesInParts(t *testing.T) {
	w := new(watched)
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	come := make(chan struct{}, 8)
	e := newEnv(t, withTelemetry(w), withFault(held(goOn, func(path string) bool {
		if ofContacts(path) {
			come <- struct{}{}
		}
		return ofContacts(path)
	})))
	const query = `{ workspace(id: "101") { name ... @defer { contacts(first: 2) { nodes { emailAddress } } } } ... @defer { teams(first: 1) { nodes { name } } } }`
	for _, stays := range []bool{false, true} {
		for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
			w.spans.Reset()
			ctx, hangUp := context.WithCancel(t.Context())
			p := e.begin(ctx, query, nil, "Accept: "+accept, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			<-come
			for range 2 {
				if !p.read() {
					t.Fatal("no part")
				}
			}
			if stays {
				release()
				for p.read() {
				}
			} else {
				hangUp()
			}
			e.told()
			hangUp()
			const want = `query
  Query.teams
    GET /teams
  Query.workspace
    GET /workspaces/{id}
  Workspace.contacts
    GET /workspaces/{id}/contacts
`
			var spans tracetest.SpanStubs
			for deadline := time.Now().Add(10 * time.Second); len(spans) < 7 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				spans = w.spans.GetSpans()
			}
			if got := tree(spans, "b7ad6b7169203331", ""); got != want {
				t.Errorf("%s, stays: %t: got\n%swant\n%s", accept, stays, got, want)
			}
			ends := make(map[string]time.Time)
			for _, s := range spans {
				ends[s.Name] = s.EndTime
				if s.EndTime.Before(s.StartTime) {
					t.Errorf("%s ends before it begins", s.Name)
				}
			}
			if stays && ends["Workspace.contacts"].Before(ends["GET /workspaces/{id}/contacts"]) {
				t.Errorf("%s: a field ends before its call", accept)
			}
		}
	}
}

// TestTracesOfShared links the spans of what is shared: a call of two operations, and an
// operation of two requests.
func TestTracesOfShared(t *testing.T) {
	w := new(watched)
	held, come := make(chan struct{}), make(chan struct{}, 8)
	e := newEnv(t, withTelemetry(w), withFault(func(http.ResponseWriter, *http.Request, string, string) bool {
		come <- struct{}{}
		<-held
		return false
	}))
	var asked sync.WaitGroup
	for i, query := range []string{`{ teams(first: 1) { nodes { name } } }`, `query Other { teams(first: 1) { nodes { name } } }`, `query Other { teams(first: 1) { nodes { name } } }`} {
		asked.Go(func() { e.ask(query) })
		if i == 0 {
			<-come
		}
	}
	// The others make no call that could be waited for.
	for deadline := time.Now().Add(10 * time.Second); e.telemetry.InFlight() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("three requests are not three")
		}
	}
	time.Sleep(100 * time.Millisecond)
	close(held)
	asked.Wait()
	var operations, calls, linkedOperations, linkedCalls int
	for _, s := range w.spans.GetSpans() {
		switch s.Name {
		case "query":
			operations++
			linkedOperations += len(s.Links)
		case "GET /teams":
			calls++
			linkedCalls += len(s.Links)
			if origin := attributeOf(s, "funnelgraph.origin"); (origin == "coalesced") != (len(s.Links) == 1) {
				t.Errorf("%s with %d links", origin, len(s.Links))
			}
		}
	}
	if operations != 3 || linkedOperations != 1 || calls != 2 || linkedCalls != 1 {
		t.Errorf("%d operations, %d linked; %d calls, %d linked", operations, linkedOperations, calls, linkedCalls)
	}
	var shared, coalesced int
	for _, l := range w.lines(t) {
		if l["shared"] == true {
			shared++
			if l["name"] != "Other" || l["type"] != "query" || l["outcome"] != "ok" {
				t.Errorf("shared: %v", l)
			}
		}
		if l["coalesced"] == 1.0 {
			coalesced++
		}
	}
	if shared != 1 || coalesced != 1 {
		t.Errorf("%d lines of shared operations, %d of coalesced calls", shared, coalesced)
	}
}

// admin serves what is for those who run the server, and returns how it is asked.
func (e *env) admin(w *watched, more ...prometheus.Collector) func(method, path, body string) (int, string) {
	server := httptest.NewServer(e.telemetry.Admin(e.client.Stats, &w.level, more...))
	e.t.Cleanup(server.Close)
	return func(method, path, body string) (int, string) {
		e.t.Helper()
		r, _ := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			e.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
}

// TestMetrics reads the metrics with Prometheus' own parser, while calls are under way and
// after them.
func TestMetrics(t *testing.T) {
	w := new(watched)
	held, come := make(chan struct{}), make(chan struct{}, 64)
	e := newEnv(t, withTelemetry(w), withCache(time.Minute), withoutRetries, withFault(func(rw http.ResponseWriter, _ *http.Request, subdomain, path string) bool {
		if strings.HasSuffix(path, "/users") {
			come <- struct{}{}
			<-held
		}
		if subdomain == "acme-retreats" {
			rw.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}))
	admin := e.admin(w)
	scrape := func() map[string]float64 {
		status, text := admin(http.MethodGet, "/metrics", "")
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if status != http.StatusOK || err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		all := make(map[string]float64)
		for name, family := range families {
			if !strings.HasPrefix(name, "funnelgraph_") {
				continue
			}
			if family.GetHelp() == "" {
				t.Errorf("%s has no help", name)
			}
			for _, m := range family.GetMetric() {
				labels := make([]string, 0, 3)
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				all[name+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		return all
	}
	expect := func(at string, want map[string]float64) {
		t.Helper()
		got := scrape()
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s is %v, and not %v", at, name, got[name], value)
			}
		}
		if t.Failed() {
			t.Log(got)
		}
	}
	var asked sync.WaitGroup
	asked.Go(func() { e.ask(`{ users { nodes { rawId } } }`) })
	<-come
	expect("under way", map[string]float64{
		"funnelgraph_operations_in_flight{}": 1, "funnelgraph_upstream_in_flight{}": 1, "funnelgraph_upstream_lanes{}": 1, "funnelgraph_upstream_waiting{}": 0,
	})
	close(held)
	asked.Wait()
	for range 2 {
		e.ask(`{ teams(first: 1) { nodes { workspaces { nodes { contacts { nodes { emailAddress } } } } } } }`)
	}
	e.ask(`{ nothing }`)
	e.ask(`{ a: teams { nodes { id } } b: teams { nodes { id } } } `+strings.Repeat("#", 10), "Accept", "text/plain")
	expect("after", map[string]float64{
		"funnelgraph_operations_in_flight{}":                                         0,
		"funnelgraph_upstream_in_flight{}":                                           0,
		"funnelgraph_operations_total{outcome=ok,type=query}":                        1,
		"funnelgraph_operations_total{outcome=partial,type=query}":                   2,
		"funnelgraph_operations_total{outcome=refused,type=none}":                    2,
		"funnelgraph_operation_duration_seconds{type=query}":                         3,
		"funnelgraph_operation_calls{type=query}":                                    3,
		"funnelgraph_errors_total{code=RATE_LIMITED}":                                2,
		"funnelgraph_errors_total{code=BAD_USER_INPUT}":                              1,
		"funnelgraph_upstream_calls_total{host=accounts,origin=network,status=200}":  3,
		"funnelgraph_upstream_calls_total{host=accounts,origin=cache,status=200}":    2,
		"funnelgraph_upstream_calls_total{host=workspace,origin=network,status=200}": 3,
		"funnelgraph_upstream_calls_total{host=workspace,origin=network,status=429}": 2,
		"funnelgraph_upstream_calls_total{host=workspace,origin=cache,status=200}":   3,
		"funnelgraph_upstream_attempts_total{host=workspace,status=429}":             2,
		"funnelgraph_upstream_call_duration_seconds{host=accounts}":                  3,
		"funnelgraph_upstream_wait_seconds{host=accounts}":                           3,
		"funnelgraph_upstream_breaker_open{}":                                        0,
		"funnelgraph_cache_entries{}":                                                6,
		"funnelgraph_build_info{version=test}":                                       1,
	})
}

// TestAdmin has what is for those who run the server on its own port, and nowhere else.
func TestAdmin(t *testing.T) {
	w := new(watched)
	e := newEnv(t, withTelemetry(w))
	admin := e.admin(w)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/log-level", "", 200, "info\n"},
		{"PUT", "/log-level", "debug\n", 200, "debug\n"},
		{"GET", "/log-level", "", 200, "debug\n"},
		{"PUT", "/log-level", "loud", 400, "The body must be debug, info, warn or error.\n"},
		{"PUT", "/log-level", strings.Repeat("x", 1<<20), 400, "The body must be debug, info, warn or error.\n"},
		{"POST", "/log-level", "info", 405, "Method Not Allowed\n"},
		{"GET", "/debug/pprof/", "", 200, ""},
		{"GET", "/debug/pprof/goroutine?debug=1", "", 200, ""},
		{"GET", "/debug/pprof/heap", "", 200, ""},
		{"GET", "/debug/pprof/cmdline", "", 404, ""}, // which can hold a password
		{"GET", "/graphql", "", 404, "404 page not found\n"},
	} {
		status, text := admin(test.method, test.path, test.body)
		if status != test.status || test.want != "" && text != test.want {
			t.Errorf("%s %s: %d %q", test.method, test.path, status, text)
		}
	}
	if w.level.Level() != slog.LevelDebug {
		t.Errorf("level %s", w.level.Level())
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/log-level"} {
		resp, err := http.Get(e.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the public port: %d", path, resp.StatusCode)
		}
	}
}
