// Package server wires the parts of funnelgraph together and runs it.
package server

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/rs/cors"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/documents"
	"github.com/funnelgraph/funnelgraph/internal/explain"
	"github.com/funnelgraph/funnelgraph/internal/explorer"
	"github.com/funnelgraph/funnelgraph/internal/gqlhttp"
	"github.com/funnelgraph/funnelgraph/internal/idempotency"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/memory"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/internal/webhooks"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Main runs the command of the command line. By default it serves until the process gets SIGINT
// or SIGTERM.
func Main(args []string) error {
	cfg, err := config.Parse(args, os.Stdout)
	if err != nil {
		return err
	}
	switch cfg.Command {
	case config.NewKey:
		key, hash := access.NewKey()
		_, err := fmt.Fprintf(os.Stdout, "key:  %s\nhash: %s\n\nGive the key to the client; it is not shown again. The hash goes into the access file.\n", key, hash)
		return err
	case config.PrintSchema:
		_, err := io.WriteString(os.Stdout, graph.SDL())
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		told := <-signals
		signal.Stop(signals) // a second signal ends the process at once
		if told == os.Interrupt {
			cancel(serving.ErrInterrupted)
		}
		cancel(nil)
	}()
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	slog.SetDefault(telemetry.NewLog(os.Stderr, cfg.LogFormat, level))
	if cfg.Command != config.Serve {
		return runWebhook(ctx, cfg, os.Stdout)
	}
	memory.Tune()
	return Run(ctx, cfg, level, os.Stderr)
}

// Run serves until the context ends, and then drains. The admin endpoint changes level. Run writes
// a line with the addresses to log.
func Run(ctx context.Context, cfg config.Config, level *slog.LevelVar, log io.Writer) error {
	if cfg.Demo {
		cfg.Token = demo.Token
	}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx)) // until draining has ended
	defer end()
	gate, err := NewGate(lasting, cfg)
	if err != nil {
		return err
	}
	traces, flush, err := telemetry.NewTraces(lasting, config.Version())
	if err != nil {
		return err
	}
	defer flush(lasting)
	p := Parts{Gate: gate, State: new(serving.State), Streams: gqlhttp.NewStreams(cfg.MaxStreams), Telemetry: telemetry.New(telemetry.Config{
		Log: slog.Default(), Metrics: cfg.AdminListen != "", Traces: traces, Version: config.Version(),
	})}
	if cfg.TrustedFile != "" {
		if p.Trusted, err = documents.Load(cfg.TrustedFile); err != nil {
			return err
		}
	}
	listener, err := listen(ctx, cfg.Listen, "--listen")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	cfg.PublicURL = cmp.Or(cfg.PublicURL, map[bool]string{true: localURL(listener)}[cfg.Demo])
	h, err := newHandler(lasting, cfg, &p)
	if err != nil {
		return err
	}
	if cfg.AdminListen != "" {
		shut, err := serveAdmin(ctx, cfg.AdminListen, p, level)
		if err != nil {
			return err
		}
		defer shut()
	}
	where := "http://" + listener.Addr().String()
	explores := map[bool]string{true: "GraphiQL on " + where + "/, "}[cfg.GraphiQL]
	_, _ = fmt.Fprintf(log, "funnelgraph %s: %sGraphQL on %s%s%s\n", config.Version(), explores, where, Endpoint, map[bool]string{true: " (demo data)"}[cfg.Demo])
	return serving.Serve(ctx, listener, h, p.State, serving.Drain{Delay: cfg.DrainDelay, Timeout: cfg.DrainTimeout})
}

// newHandler returns the handler of all requests. It completes the parts, which last until the context
// ends.
func newHandler(ctx context.Context, cfg config.Config, p *Parts) (http.Handler, error) {
	if cfg.Demo {
		d, err := NewDemo(ctx, cfg, *p)
		if err != nil {
			return nil, err
		}
		p.client = func() *upstream.Client { return d.current.Load().client }
		p.stats, p.Redis, p.Events = d.Stats, d.current.Load().redis, d.events
		return d, nil
	}
	var err error
	if p.Client, p.Redis, err = NewClient(ctx, cfg, p.Telemetry.Observer()); err != nil {
		return nil, err
	}
	if cfg.OAuthClientID != "" {
		var shared signin.Store
		if p.Redis != nil {
			shared = p.Redis.SignInStore()
		}
		if p.SignIn, err = NewSignIn(cfg, cfg.OAuthURL+"/authorize", shared, func() *upstream.Client { return p.Client }); err != nil {
			return nil, err
		}
	}
	p.Events = NewEvents(ctx, p.Gate, p.Client, p.Redis)
	p.stats, p.client = p.Client.Stats, func() *upstream.Client { return p.Client }
	if cfg.CacheTTL.Longest() > freshForLong {
		go warnOfMissingWebhooks(ctx, p.Gate, p.Client)
	}
	return Handler(cfg, *p), nil
}

// Parts are the parts that handle requests.
type Parts struct {
	Gate      access.Gate
	Client    *upstream.Client
	Trusted   *documents.Trusted // nil if there is no manifest
	Redis     *redis.Client      // nil without --redis-url
	SignIn    *signin.Server     // nil if people cannot sign in
	State     *serving.State
	Streams   *gqlhttp.Streams // nil for streams of its own
	Telemetry *telemetry.Telemetry

	Events    *Events                // nil without events
	reset     http.HandlerFunc       // resets the demo's data; nil without the demo
	authorize http.Handler           // the pages of the demo's OAuth server; nil without the demo
	stats     func() transport.Stats // statistics of the client
	client    func() *upstream.Client
}

// NewClient returns a client of the REST API with an observer. If the configuration has a Redis
// URL, it also returns the Redis client, which is used until the context ends.
func NewClient(ctx context.Context, cfg config.Config, observer upstream.Observer) (*upstream.Client, *redis.Client, error) {
	settings := upstream.Config{
		URLTemplate: cfg.UpstreamURL, UserAgent: cfg.UserAgent, Observer: observer,
		Transport: transport.Config{
			CallTimeout: cfg.UpstreamTimeout, Attempts: cfg.Attempts, FilteredReads: cmp.Or(cfg.FilteredReads, -1),
			CacheTTL: cfg.CacheTTL.Default, CacheTTLs: make(map[string]time.Duration), CacheStale: cfg.CacheStale, CacheSize: uint64(cfg.CacheSize) << 20, //nolint:gosec // checked
		},
	}
	var replicas *redis.Client
	for kind, ttl := range cfg.CacheTTL.Kinds {
		settings.Transport.CacheTTLs[string(kind)] = ttl
	}
	if cfg.RedisURL != "" {
		var err error
		if replicas, err = redis.Connect(ctx, cfg.RedisURL); err != nil {
			return nil, nil, err
		}
		settings.Transport.Replicas = replicas
	}
	client, err := upstream.New(settings)
	return client, replicas, err
}

// NewGate returns the gate for the configuration.
func NewGate(ctx context.Context, cfg config.Config) (access.Gate, error) {
	policy := limits.Policy{Limits: cfg.Limits, Measure: cfg.LimitsMode == "measure"}
	switch {
	case cfg.AccessFile != "":
		return access.NewClients(ctx, cfg.AccessFile, cfg.Token, policy)
	case cfg.Demo:
		return access.PassThrough{Default: cfg.Token, Policy: policy}, nil
	case cfg.Token != "":
		return access.Held{Token: cfg.Token, Policy: policy}, nil
	}
	return access.PassThrough{Policy: policy}, nil
}

// newExecutor returns the executor of operations, which enforces the limits of each caller.
func newExecutor(cfg config.Config, p Parts) *executor.Executor {
	e := graph.NewExecutor(func(ctx context.Context) graph.Session {
		caller := access.From(ctx)
		if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
			var err error
			if caller, err = access.Again(ctx); err != nil {
				return graph.Session{Refused: err}
			}
		}
		client := p.Client.WithToken(caller.Token).Within(caller.Scope)
		if !caller.OwnToken {
			client = client.Held()
		}
		if caller.Place.Subdomain != "" {
			client.Learn(caller.Place)
		}
		calls := caller.Policy.Allow(ctx)
		if cfg.CDN && caller.Public && !explain.Wanted(ctx) {
			transport.AllowanceOf(calls).CacheTags = new(transport.CacheTags)
		}
		var events graph.Events
		if p.Events != nil {
			events = p.Events
		}
		return graph.Session{
			Client: client, Calls: calls,
			Viewer:  graph.Viewer{Name: caller.Policy.Client, ReadOnly: caller.ReadOnly},
			Events:  events,
			Objects: caller.Policy.Objects, Exceeded: caller.Policy.Exceeded(ctx, "objects", caller.Policy.Objects),
		}
	}, cfg.Introspection)
	kept := documents.NewCache()
	if p.Redis != nil {
		kept = p.Redis.Documents(kept)
	}
	documents.Apply(e, p.Trusted, cfg.TrustedOnly, kept)
	limits.Apply(e, func(ctx context.Context) limits.Policy { return access.From(ctx).Policy })
	access.Apply(e)
	explain.Apply(e)
	p.Telemetry.Apply(e, func(ctx context.Context) string { return access.From(ctx).Policy.Client })
	return e
}

// Endpoint is the path of the GraphQL endpoint, and schemaFile the path of the schema as text.
const (
	Endpoint   = "/graphql"
	schemaFile = "/schema.graphql"
)

// Handler wires the HTTP handlers: CORS → telemetry → access → explain → GraphQL. The explorer is
// served beside them.
func Handler(cfg config.Config, p Parts) http.Handler {
	operations := gqlhttp.Handler(gqlhttp.Config{
		Executor:  newExecutor(cfg, p),
		Scope:     func(ctx context.Context) any { return access.From(ctx).Key() },
		Epoch:     func() any { return currentEpoch(p) },
		Explained: explain.Wanted,
		Shared:    p.Telemetry.Shared,
		Keys:      newKeys(p),
		Caller: func(ctx context.Context) idempotency.Caller {
			caller := access.From(ctx)
			return idempotency.Caller{ID: caller.ID() + "\n" + cfg.UpstreamURL, Rights: caller.Rights(), Timeout: caller.Policy.Timeout}
		},
		Replayed: func(ctx context.Context) { p.Telemetry.Replayed(ctx, access.From(ctx).Policy.Client) },
		InParts:  graph.InParts,
		Expired:  graph.Expired, FreshUntil: graph.FreshUntil, CacheTags: graph.CacheTags,
		LastEvent: graph.LastEvent,
		Streams:   p.Streams,
		MayStream: func(ctx context.Context, running int) bool { return access.From(ctx).Policy.AllowsStream(ctx, running) },
		Draining:  p.State.Draining(),
		MaxBody:   cfg.MaxBody,
	})
	operations = explain.Handler(cfg.Demo, func(ctx context.Context) bool { return access.From(ctx).MayExplain() }, operations)
	schema := gqlhttp.Schema(graph.SDL)
	// Operations and the schema share one access handler, so that one rate limit counts both.
	guarded := access.Handler(p.Gate, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == schemaFile {
			schema.ServeHTTP(w, r)
			return
		}
		operations.ServeHTTP(w, r)
	}))
	mux := http.NewServeMux()
	if p.SignIn != nil {
		guarded = p.SignIn.Authenticate(guarded)
		mux.Handle(signInPath, signInHandler(p))
	}
	mux.Handle(Endpoint, &gqlhttp.WebSocket{
		Operations: p.Telemetry.Handler(guarded), Connections: guarded, Hosts: publicHosts(cfg.PublicURL),
		MaxMessage: cfg.MaxBody, Draining: p.State.Draining(),
	})
	if cfg.Introspection && !cfg.TrustedOnly { // clients that cannot introspect must not read it here either
		mux.Handle("GET "+schemaFile, guarded)
	}
	if clients, ok := p.Gate.(*access.Clients); ok && p.Events != nil {
		mux.Handle("POST "+webhooks.Path, p.Events.receiver(clients, cfg.MaxBody))
	}
	if cfg.GraphiQL {
		mux.Handle("/", explorer.Handler(Endpoint, p.SignIn != nil))
	}
	mux.HandleFunc("GET /healthz", p.State.Healthz)
	mux.HandleFunc("GET /readyz", p.State.Readyz)
	if p.reset != nil {
		mux.HandleFunc("POST "+DemoReset, p.reset)
	}
	if p.authorize != nil {
		mux.Handle(demoPrefix+"/oauth/authorize", p.authorize)
	}
	return withCORS(cfg, mux)
}

// epoch is a time without changes. Changes of other replicas are known after a second at the latest.
type epoch struct {
	changes uint64
	second  int64
}

func currentEpoch(p Parts) epoch {
	now := epoch{changes: p.Client.Changes()}
	if p.Redis != nil {
		now.second = time.Now().Unix()
	}
	return now
}

// publicHosts returns the host of the public URL, if there is one.
func publicHosts(publicURL string) []string {
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		return []string{u.Host}
	}
	return nil
}

// newKeys returns the idempotency keys of this process, or of all replicas if they share Redis.
func newKeys(p Parts) *idempotency.Keys {
	if p.Redis != nil {
		return idempotency.New(p.Redis.IdempotencyKeys())
	}
	return idempotency.New(idempotency.NewMemory())
}

// withCORS adds the headers of CORS to a handler. It allows the listed origins with credentials and,
// with --demo, origins on this machine without them.
func withCORS(cfg config.Config, next http.Handler) http.Handler {
	options := cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Cache-Status", "ETag", "Retry-After", idempotency.ReplayedHeader, telemetry.RequestID},
		MaxAge:         600,
	}
	options.AllowOriginFunc = func(origin string) bool {
		u, err := url.Parse(origin)
		return err == nil && cfg.Demo && upstream.IsLoopback(u.Hostname())
	}
	others := cors.New(options).Handler(next)
	options.AllowOriginFunc = func(origin string) bool { return slices.Contains(cfg.CORSOrigins, origin) }
	options.AllowCredentials = true
	listed := cors.New(options).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(cfg.CORSOrigins, r.Header.Get("Origin")) {
			listed.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// serveAdmin starts the admin endpoints.
func serveAdmin(ctx context.Context, address string, p Parts, level *slog.LevelVar) (shut func(), err error) {
	metrics := append(p.Streams.Metrics(), p.Events.Metrics()...)
	if p.Redis != nil {
		metrics = append(metrics, p.Redis.Metrics()...)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.Telemetry.Admin(p.stats, level, metrics...))
	mux.HandleFunc("POST "+evictPath, evict(p.client))
	_, shut, err = serveSeparately(ctx, address, mux)
	return shut, err
}

// listen listens on an address. Its error names the flag that sets the address.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; %s sets another address", address, err, flag)
	}
	return listener, nil
}

// serveSeparately serves on a separate address until shut is called.
func serveSeparately(ctx context.Context, address string, h http.Handler) (at string, shut func(), err error) {
	listener, err := listen(ctx, address, "--admin-listen")
	if err != nil {
		return "", nil, err
	}
	server := serving.New(serving.Guard(listener.Addr(), h))
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), func() { _ = server.Close() }, nil
}
