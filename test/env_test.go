package test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/documents"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// env is a whole funnelgraph in front of the simulated API. Both are served over real HTTP.
type env struct {
	t   testing.TB
	url string // the server's
	// upstreamURL is the template of the simulated API's URL.
	upstreamURL string
	// gate authenticates clients. By default each client sends a token of its own.
	gate    access.Gate
	trusted *documents.Trusted
	front   *httptest.Server
	// telemetry observes the operations. By default it discards everything.
	telemetry *telemetry.Telemetry
	client    *upstream.Client
	events    *server.Events

	mu    sync.Mutex
	calls map[string][]string // by token: "subdomain /path?query", with the method in front unless it is GET
	fault func(w http.ResponseWriter, r *http.Request, subdomain, path string) bool
}

// envOption changes an env before it starts.
type envOption func(*env, *config.Config)

// withLatency makes every REST call take at least d.
func withLatency(d time.Duration) envOption {
	return withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	})
}

// withFault lets f answer a REST call in place of the API. f reports whether it has answered.
func withFault(f func(w http.ResponseWriter, r *http.Request, subdomain, path string) bool) envOption {
	return func(e *env, _ *config.Config) { e.fault = f }
}

func withTimeout(d time.Duration) envOption {
	return func(_ *env, cfg *config.Config) { cfg.UpstreamTimeout = d }
}

// withoutRetries makes every REST call at most once.
func withoutRetries(_ *env, cfg *config.Config) { cfg.Attempts = 1 }

func withCache(ttl time.Duration) envOption {
	return func(_ *env, cfg *config.Config) { cfg.CacheTTL.Default = ttl }
}

// withLimits changes the limits of a request.
func withLimits(change func(*limits.Limits)) envOption {
	return func(_ *env, cfg *config.Config) { change(&cfg.Limits) }
}

// withMeasuredLimits reports exceeded limits and does not enforce them.
func withMeasuredLimits(_ *env, cfg *config.Config) { cfg.LimitsMode = "measure" }

func withOrigins(origins ...string) envOption {
	return func(_ *env, cfg *config.Config) { cfg.CORSOrigins = origins }
}

// discardTelemetry returns telemetry that discards everything.
func discardTelemetry() *telemetry.Telemetry {
	return telemetry.New(telemetry.Config{Log: slog.New(slog.DiscardHandler)})
}

// defaults returns the configuration without any flags.
var defaults = sync.OnceValues(func() (config.Config, error) { return config.Parse(nil, nil) })

// newEnv starts an env that ends with the test. The simulated API accepts every token that
// begins with the demo's token, so that each client can have its own.
func newEnv(tb testing.TB, options ...envOption) *env {
	tb.Helper()
	e := &env{t: tb, calls: make(map[string][]string)}
	cfg, err := defaults()
	if err != nil {
		tb.Fatal(err)
	}
	for _, option := range options {
		option(e, &cfg)
	}
	simulated := demo.New()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		subdomain, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), demo.BasePath)
		call := subdomain + " " + path
		if r.URL.RawQuery != "" {
			call += "?" + r.URL.RawQuery
		}
		if r.Method != http.MethodGet {
			call = r.Method + " " + call
		}
		e.mu.Lock()
		e.calls[token] = append(e.calls[token], call)
		e.mu.Unlock()
		if e.fault != nil && e.fault(w, r, subdomain, path) {
			return
		}
		if strings.HasPrefix(token, demo.Token) {
			r.Header.Set("Authorization", "Bearer "+demo.Token)
		}
		simulated.ServeHTTP(w, r)
	}))
	tb.Cleanup(api.Close)
	cfg.UpstreamURL = demo.Template(strings.TrimPrefix(api.URL, "http://"))
	e.upstreamURL = cfg.UpstreamURL
	if e.telemetry == nil {
		e.telemetry = discardTelemetry()
	}
	client, redis, err := server.NewClient(tb.Context(), cfg, e.telemetry.Observer())
	if err != nil {
		tb.Fatal(err)
	}
	if e.gate == nil {
		e.gate = access.PassThrough{Policy: limits.Policy{Limits: cfg.Limits, Measure: cfg.LimitsMode == "measure"}}
	}
	e.client = client
	state := new(serving.State)
	state.SetReady()
	parts := server.Parts{Gate: e.gate, Client: client, Trusted: e.trusted, Redis: redis, State: state, Telemetry: e.telemetry}
	e.events = server.NewEvents(tb.Context(), e.gate, client, redis)
	parts.Events = e.events
	e.front = httptest.NewUnstartedServer(nil)
	if cfg.OAuthClientID != "" {
		cfg.PublicURL = strings.Replace("http://"+e.front.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
		if parts.SignIn, err = server.NewSignIn(cfg, cfg.OAuthURL+"/authorize", nil, func() *upstream.Client { return client }); err != nil {
			tb.Fatal(err)
		}
	}
	e.front.Config.Handler = server.Handler(cfg, parts)
	e.front.Start()
	tb.Cleanup(e.front.Close)
	e.url = e.front.URL
	return e
}

// callsOf returns the REST calls made with a token so far, sorted.
func (e *env) callsOf(token string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(slices.Values(e.calls[token]))
}

// take returns the REST calls made with a token, and forgets them.
func (e *env) take(token string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls[token]
	delete(e.calls, token)
	return calls
}

// forget forgets the REST calls of all tokens.
func (e *env) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.calls)
}

// result is a GraphQL response.
type result struct {
	Data   map[string]any `json:"data"`
	Errors []fieldError   `json:"errors"`
	raw    string
}

type fieldError struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path"`
	Extensions map[string]any `json:"extensions"`
}

// get returns the value at a path such as "teams.nodes.0.name", or nil.
func (r result) get(path string) any {
	var v any = r.Data
	for _, step := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// code returns the code of the error at a path such as "teams.nodes.0.name", or "".
func (r result) code(path string) string {
	for _, e := range r.Errors {
		var steps []string
		for _, step := range e.Path {
			steps = append(steps, fmt.Sprint(step))
		}
		if strings.Join(steps, ".") == path {
			return fmt.Sprint(e.Extensions["code"])
		}
	}
	return ""
}

// query sends an operation with the demo's token. The result may hold errors.
func (e *env) query(query string, variables ...map[string]any) result {
	e.t.Helper()
	return e.queryAs(demo.Token, query, variables...)
}

// must sends an operation as query does, and fails the test if the result holds errors.
func (e *env) must(query string, variables ...map[string]any) result {
	e.t.Helper()
	r := e.query(query, variables...)
	if len(r.Errors) > 0 {
		e.t.Fatalf("want no errors, got %s", r.raw)
	}
	return r
}

// queryAs sends an operation with a token. An empty token sends no Authorization header.
func (e *env) queryAs(token, query string, variables ...map[string]any) result {
	e.t.Helper()
	params := map[string]any{"query": query}
	if len(variables) > 0 {
		params["variables"] = variables[0]
	}
	body, err := json.Marshal(params)
	if err != nil {
		e.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, e.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	status, raw, _ := e.do(req)
	var r result
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		e.t.Errorf("want JSON, got status %d and %s", status, raw)
	}
	r.raw = raw
	return r
}

// do sends a request and returns the status code, the body and the headers of the response.
func (e *env) do(req *http.Request) (status int, body string, header http.Header) {
	e.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Error(err)
		return 0, "{}", nil
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		e.t.Error(err)
	}
	return resp.StatusCode, b.String(), resp.Header
}

// bad is the code of errors for which the caller is to blame.
const bad = string(upstream.BadUserInput)

// post builds a request with a JSON body and the demo's token. headers are "Name: value", and
// replace the defaults.
func post(body string, headers ...string) func(*env) *http.Request {
	return func(e *env) *http.Request {
		r, err := http.NewRequest(http.MethodPost, e.url+"/graphql", strings.NewReader(body))
		if err != nil {
			e.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		return r
	}
}

// each joins the results of f for 0 to n-1.
func each(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

// hashOf returns the SHA-256 hash of a text in hexadecimal.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// lockedWriter is a writer that is safe for concurrent use.
type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// captureLog captures the default log until the test ends. The returned function returns the
// text so far.
func captureLog(t *testing.T) func() string {
	t.Helper()
	var mu sync.Mutex
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &b}, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

// request sends one HTTP request to the server. headers are "Name: value".
func (e *env) request(method, path, body string, headers ...string) (status int, answer string, header http.Header) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	return e.do(req)
}

const (
	asDemo = "Authorization: Bearer " + demo.Token
	isJSON = "Content-Type: application/json"
)

// badGateway is an error page of a proxy. Its text must not reach a client.
const badGateway = `<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1> secret-inside</body></html>`

// answer returns a handler that sends this response in place of the API.
func answer(status int, media, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// on answers the REST calls to one path with f.
func on(path string, f func(http.ResponseWriter, *http.Request)) envOption {
	return withFault(func(w http.ResponseWriter, r *http.Request, _, at string) bool {
		if at == path {
			f(w, r)
		}
		return at == path
	})
}

// held returns a fault that holds the calls to some paths until goOn is closed.
func held(goOn <-chan struct{}, waits func(path string) bool) func(http.ResponseWriter, *http.Request, string, string) bool {
	return func(_ http.ResponseWriter, r *http.Request, _, path string) bool {
		if waits(path) {
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
		}
		return false
	}
}

// isContacts reports whether a path lists contacts.
func isContacts(path string) bool { return strings.HasSuffix(path, "/contacts") }

// serveLikeProduction serves the env with the production server's settings, HTTP/2 included.
func (e *env) serveLikeProduction() {
	listener := newLocalListener(e.t)
	server := serving.New(e.front.Config.Handler)
	go func() { _ = server.Serve(listener) }()
	e.t.Cleanup(func() { _ = server.Close() })
	e.url = "http://" + listener.Addr().String()
}

func newLocalListener(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

// withRandomLatency makes every REST call take up to d.
func withRandomLatency(d time.Duration) envOption {
	return withFault(func(_ http.ResponseWriter, _ *http.Request, _, _ string) bool {
		time.Sleep(rand.N(d))
		return false
	})
}
