// Package config reads the server's configuration from flags, environment variables and a
// YAML file.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/funnelgraph/funnelgraph/internal/configfile"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/redis"
	"github.com/funnelgraph/funnelgraph/internal/signin"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

//go:generate go test . -run ^TestReference$ -update

// Config is the server's configuration. Every field with an environment variable can also be
// set in the configuration file, where its key is the flag's name. "go generate
// ./internal/config" writes the table of all settings to docs/configuration.md.
type Config struct {
	File        file             `name:"config" env:"FUNNELGRAPH_CONFIG" placeholder:"FILE" help:"YAML file whose keys are the names of flags. Flags and environment variables override it."`
	PrintConfig bool             `name:"print-config" help:"Print the configuration as a YAML file for --config, with the source of each value and without secrets, and exit."`
	Version     kong.VersionFlag `name:"version" help:"Print the version of this build, and exit."`

	Listen      string        `group:"Serving" name:"listen" env:"FUNNELGRAPH_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	Demo        bool          `group:"Serving" name:"demo" env:"FUNNELGRAPH_DEMO" help:"Serve a simulated ClickFunnels API with sample data. Needs no network, account or token."`
	DemoLatency time.Duration `group:"Serving" name:"demo-latency" env:"FUNNELGRAPH_DEMO_LATENCY" default:"0s" help:"Duration of each call to the simulated API, such as 300ms. Only with --demo."`
	DemoFaults  string        `group:"Serving" name:"demo-faults" env:"FUNNELGRAPH_DEMO_FAULTS" placeholder:"STATUS=SHARE" help:"Share of REST calls that fail, by status, such as 429=0.1,502=0.1,timeout=0.05. timeout means no response. The sequence of faults is the same after each start. Only with --demo."`
	GraphiQL    bool          `group:"Serving" name:"graphiql" env:"FUNNELGRAPH_GRAPHIQL" default:"true" negatable:"" help:"Serve GraphiQL on /."`
	CORSOrigins []string      `group:"Serving" name:"cors-origin" env:"FUNNELGRAPH_CORS_ORIGINS" placeholder:"ORIGIN" help:"Web origin whose pages may call funnelgraph from a browser, such as https://app.example.com. Repeat the flag, or separate several origins by commas. Wildcards are not supported. With --demo, localhost is allowed on any port."`
	CDN         bool          `group:"Serving" name:"cdn" env:"FUNNELGRAPH_CDN" help:"Let a CDN store responses to GET: those to client keys of the access file are public, with the header Cache-Tag. Needs --cache-ttl and --access-file. Read docs/caching.md first: the CDN must have Authorization in its cache key."`

	UpstreamURL     string        `group:"ClickFunnels" name:"upstream-url" env:"CLICKFUNNELS_API_URL" default:"${upstream_url}" help:"Base URL of the ClickFunnels API. The optional placeholder {subdomain}, in the host or in the path, is replaced by \"accounts\" or the workspace's subdomain. Plain http is allowed on loopback only."`
	UserAgent       string        `group:"ClickFunnels" name:"user-agent" env:"CLICKFUNNELS_USER_AGENT" default:"funnelgraph/${release}" help:"User-Agent header of the REST calls. ClickFunnels requires a distinct name, such as YourAppYourOrg."`
	UpstreamTimeout time.Duration `group:"ClickFunnels" name:"upstream-timeout" env:"FUNNELGRAPH_UPSTREAM_TIMEOUT" default:"30s" help:"Timeout of one attempt of a REST call."`
	Attempts        int           `group:"ClickFunnels" name:"max-attempts" env:"FUNNELGRAPH_MAX_ATTEMPTS" default:"${attempts}" help:"Maximum number of attempts of a REST call that is rate-limited (429), gets no response, or fails with 408, 425, 502–504, 520–527 or 530. A 500 is retried at most twice. A call that creates a record is retried only if it was certainly not delivered."`
	FilteredReads   int           `group:"ClickFunnels" name:"filtered-reads" env:"FUNNELGRAPH_FILTERED_READS" default:"${filtered_reads}" help:"Maximum number of concurrent list calls with a filter, for each token and workspace; 0 means no limit. The ClickFunnels documentation gives a limit of 2."`
	CacheTTL        CacheTTL      `group:"ClickFunnels" name:"cache-ttl" env:"FUNNELGRAPH_CACHE_TTL" default:"0s" help:"How long REST responses are cached for the same token: a time such as 30s, or times by type such as contacts=5m,orders=1m,30s. 0s disables the cache. A mutation or a webhook clears the responses that it can have changed. A request with Cache-Control: no-cache bypasses the cache."`
	CacheStale      time.Duration `group:"ClickFunnels" name:"cache-stale" env:"FUNNELGRAPH_CACHE_STALE" default:"0s" help:"How long an expired response replaces one that ClickFunnels cannot give because it is down, such as 10m. Needs --cache-ttl."`
	CacheSize       int           `group:"ClickFunnels" name:"cache-size" env:"FUNNELGRAPH_CACHE_SIZE" default:"64" help:"Maximum memory for cached responses, in MiB."`

	AccessFile    string `group:"Callers" name:"access-file" env:"FUNNELGRAPH_ACCESS_FILE" placeholder:"FILE" help:"YAML file with the clients, their ClickFunnels tokens and their permissions. Clients then send a client key (made by \"funnelgraph key new\") or a JSON Web Token, and never see the ClickFunnels token. The file is reloaded when it changes."`
	TrustedFile   string `group:"Callers" name:"trusted-documents" env:"FUNNELGRAPH_TRUSTED_DOCUMENTS" placeholder:"FILE" help:"Manifest of trusted documents (persisted queries), in the format of graphql-codegen, the Relay compiler or Apollo's tools. Clients send the id or hash of a document."`
	TrustedOnly   bool   `group:"Callers" name:"trusted-documents-only" env:"FUNNELGRAPH_TRUSTED_DOCUMENTS_ONLY" help:"Reject documents that are not in the manifest."`
	Introspection bool   `group:"Callers" name:"introspection" env:"FUNNELGRAPH_INTROSPECTION" default:"true" negatable:"" help:"Allow introspection, and suggest names of the schema in error messages. Disable it if all clients are your own applications."`

	OAuthClientID   string        `group:"Sign-in" name:"oauth-client-id" env:"CLICKFUNNELS_OAUTH_CLIENT_ID" placeholder:"ID" help:"Client id of the platform application with which people sign in. Without one, the endpoints below /auth/ do not exist."`
	OAuthURL        string        `group:"Sign-in" name:"oauth-url" env:"CLICKFUNNELS_OAUTH_URL" default:"${oauth_url}" help:"Base URL of the OAuth server. Plain http is allowed on loopback only."`
	PublicURL       string        `group:"Sign-in" name:"public-url" env:"FUNNELGRAPH_PUBLIC_URL" placeholder:"URL" help:"Origin under which browsers reach this server, such as https://api.example.com. The redirect URI of the platform application is this origin with the path /auth/callback."`
	ReturnTo        []string      `group:"Sign-in" name:"return-to" env:"FUNNELGRAPH_RETURN_TO" placeholder:"URL" help:"Place that may receive a person after the sign-in, in addition to this server's own pages: an origin such as https://app.example.com, an https app link, or a URL with a custom scheme such as com.example.app:/signed-in. Repeat the flag, or separate several places by commas."`
	SessionLifetime time.Duration `group:"Sign-in" name:"session-lifetime" env:"FUNNELGRAPH_SESSION_LIFETIME" default:"168h" help:"How long a session lasts after the sign-in."`
	SessionIdle     time.Duration `group:"Sign-in" name:"session-idle" env:"FUNNELGRAPH_SESSION_IDLE" default:"24h" help:"How long a session lasts without a request."`

	LimitsMode string        `group:"Limits" name:"limits" env:"FUNNELGRAPH_LIMITS" enum:"enforce,measure" default:"enforce" help:"enforce: reject what exceeds the limits below. measure: only log it, to find suitable values. --max-body is always enforced."`
	MaxBody    int64         `group:"Limits" name:"max-body" env:"FUNNELGRAPH_MAX_BODY" default:"1048576" help:"Maximum size of a request body, in bytes; at least 1."`
	Limits     limits.Limits `group:"Limits" embed:""`
	MaxStreams int           `group:"Limits" name:"max-streams" env:"FUNNELGRAPH_MAX_STREAMS" default:"10000" help:"Maximum number of subscriptions of all clients at once, and of WebSocket connections."`

	AdminListen  string        `group:"Operations" name:"admin-listen" env:"FUNNELGRAPH_ADMIN_LISTEN" placeholder:"HOST:PORT" help:"Private address for /metrics, /debug/pprof/ and /log-level, such as 127.0.0.1:9090."`
	LogFormat    string        `group:"Operations" name:"log-format" env:"FUNNELGRAPH_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json."`
	LogLevel     string        `group:"Operations" name:"log-level" env:"FUNNELGRAPH_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Lowest level that is logged: debug, info (a line for each operation), warn or error. A PUT of /log-level on --admin-listen changes it while the server runs."`
	RedisURL     string        `group:"Operations" name:"redis-url" env:"FUNNELGRAPH_REDIS_URL" placeholder:"URL" secret:"url" help:"Redis or Valkey server, such as redis://user:password@host:6379/0. Replicas share the concurrency limits for ClickFunnels, the cache, persisted documents, idempotency keys, ended sessions and the events of webhooks through it. If the URL contains a password, use the environment variable or the configuration file: other users can read command-line arguments."`
	DrainDelay   time.Duration `group:"Operations" name:"drain-delay" env:"FUNNELGRAPH_DRAIN_DELAY" default:"2s" help:"Time after SIGTERM during which the server still accepts requests but /readyz fails, so that load balancers stop sending new ones. Ctrl-C skips the delay."`
	DrainTimeout time.Duration `group:"Operations" name:"drain-timeout" env:"FUNNELGRAPH_DRAIN_TIMEOUT" default:"25s" help:"Maximum time for shutdown, including --drain-delay. Requests that still run after it are aborted. A second signal ends the process at once."`

	// Command is the command to run, such as [Serve].
	Command string `kong:"-"`
	// Webhook holds the arguments of a webhook command.
	Webhook Webhook `kong:"-"`
	// Token is the server-held ClickFunnels token; empty means that each caller sends
	// their own. It has no flag because other users of the machine can read a process's
	// arguments.
	Token upstream.Token `kong:"-"`
	// OAuthSecret is the client secret of the platform application; empty for a public client.
	OAuthSecret upstream.Token `kong:"-"`
	// SessionKeys seal and open sessions.
	SessionKeys signin.Keys `kong:"-"`
}

const help = `One GraphQL endpoint in front of the ClickFunnels 2.0 API. "funnelgraph --demo" runs it with sample data and without an account.

By default, each caller sends their own ClickFunnels token as "Authorization: Bearer …". To keep the tokens on the server instead, list the clients in an --access-file.

The environment variable CLICKFUNNELS_API_TOKEN holds a ClickFunnels token. Clients in the access file that have no token of their own use it. If there is no access file, every request uses it, and --listen must then be a loopback address. CLICKFUNNELS_API_TOKEN_FILE is the path of a file that contains this token.

People can sign in with ClickFunnels if --oauth-client-id is set. The environment variable CLICKFUNNELS_OAUTH_CLIENT_SECRET holds the secret of the platform application. FUNNELGRAPH_SESSION_KEYS holds keys of 32 bytes in base64, separated by commas, that encrypt the sessions: the first one encrypts, and all of them decrypt. To read one of them from a file, set the variable with the suffix _FILE to its path.

The exit code is 0 on success. It is 1, with the reason on standard error, if funnelgraph failed to start or aborted requests at shutdown.`

// groups are the groups of flags in --help and in the reference.
var groups = []kong.Group{
	{Key: "Serving", Title: "Serving:"},
	{Key: "ClickFunnels", Title: "Calling ClickFunnels:"},
	{Key: "Callers", Title: "Clients and documents:"},
	{Key: "Sign-in", Title: "Signing in with ClickFunnels:"},
	{Key: "Limits", Title: "Limits of a request (0 means no limit, except for --max-body):"},
	{Key: "Operations", Title: "Operations:"},
}

// The commands.
const (
	Serve       = "serve"
	NewKey      = "key new"
	PrintSchema = "schema"

	AddWebhook    = "webhook add"
	ListWebhooks  = "webhook list"
	RemoveWebhook = "webhook remove <id>"
)

// commands is the command line.
type commands struct {
	Config

	Serve struct{} `cmd:"" default:"1" help:"Serve the GraphQL endpoint. This is the default command."`
	Key   struct {
		New struct{} `cmd:"" help:"Make a client key, and print it with its hash. Give the key to the client, and put the hash into the access file."`
	} `cmd:"" help:"Client keys."`
	Schema  struct{} `cmd:"" help:"Print the GraphQL schema as clients see it."`
	Webhook struct {
		Add    webhookAdd    `cmd:"" help:"Create an endpoint at ClickFunnels, and print the secret that signs its webhooks."`
		List   webhookList   `cmd:"" help:"List the endpoints of a workspace at ClickFunnels."`
		Remove webhookRemove `cmd:"" help:"Delete an endpoint at ClickFunnels."`
	} `cmd:"" help:"Manage webhook endpoints at ClickFunnels. Set CLICKFUNNELS_API_TOKEN or CLICKFUNNELS_API_TOKEN_FILE."`
}

type webhookAdd struct {
	Workspace string   `required:"" placeholder:"ID" help:"Raw or public id of the workspace."`
	URL       string   `name:"url" required:"" placeholder:"URL" help:"URL of the webhook, such as https://api.example.com/webhooks/academy."`
	Name      string   `default:"funnelgraph" placeholder:"NAME" help:"Name of the endpoint at ClickFunnels. Default: funnelgraph."`
	Event     []string `placeholder:"TYPE" help:"Type of events to send, such as contact.created. Repeat the flag for several types. ClickFunnels does not document which types it sends without it."`
}

type webhookList struct {
	Workspace string `required:"" placeholder:"ID" help:"Raw or public id of the workspace."`
}

type webhookRemove struct {
	Workspace string `required:"" placeholder:"ID" help:"Raw or public id of the workspace."`
	ID        string `arg:"" name:"id" help:"Raw or public id of the endpoint."`
}

// Webhook holds the arguments of a webhook command.
type Webhook struct {
	Workspace string
	// URL, Name and Events are those of a new endpoint.
	URL, Name string
	Events    []string
	// ID is the id of an endpoint to delete.
	ID string
}

// ErrHelp is returned by [Parse] after it has printed the help, the version or the
// configuration, as the arguments asked.
var ErrHelp = errors.New("help was requested")

// maxHelpWidth is the maximum width of --help in columns; longer lines are hard to read.
const maxHelpWidth = 120

// Parse reads the configuration from the arguments, the environment and the configuration file
// that they name. An error is one line that says what is wrong, where and why. It contains no
// secret.
func Parse(args []string, stdout io.Writer) (cfg Config, err error) {
	ended := false
	line, written := new(commands), new(values)
	parser, err := newParser(line, written, stdout, func(int) { ended = true })
	if err != nil {
		return Config{}, err
	}
	parsed, err := parser.Parse(args)
	if ended {
		return Config{}, ErrHelp
	}
	if err != nil {
		return Config{}, formatFlagError(err)
	}
	cfg = line.Config
	switch cfg.Command = parsed.Command(); cfg.Command {
	case NewKey, PrintSchema:
		return cfg, nil
	case AddWebhook:
		add := line.Webhook.Add
		cfg.Webhook = Webhook{Workspace: add.Workspace, URL: add.URL, Name: add.Name, Events: add.Event}
	case ListWebhooks:
		cfg.Webhook = Webhook{Workspace: line.Webhook.List.Workspace}
	case RemoveWebhook:
		cfg.Webhook = Webhook{Workspace: line.Webhook.Remove.Workspace, ID: line.Webhook.Remove.ID}
	}
	if err := cfg.readSecrets(); err != nil {
		return Config{}, err
	}
	all := settings(parsed, cfg.File)
	if err := cfg.check(all); err != nil {
		return Config{}, err
	}
	if written.secret() {
		configfile.WarnIfReadableByOthers(string(cfg.File))
	}
	if cfg.PrintConfig {
		return Config{}, errors.Join(cfg.print(stdout, all), ErrHelp)
	}
	return cfg, nil
}

// newParser returns a parser for the command line. It reads the configuration file into
// written.
func newParser(line *commands, written *values, stdout io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(line,
		kong.Name("funnelgraph"),
		kong.Description(help),
		kong.Vars{"version": Build(), "release": Version(), "upstream_url": upstream.DefaultURLTemplate, "attempts": strconv.Itoa(transport.DefaultAttempts), "filtered_reads": strconv.Itoa(transport.DefaultFilteredReads), "oauth_url": signin.DefaultOAuthURL},
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{FlagsLast: true, WrapUpperBound: maxHelpWidth}),
		kong.Help(func(options kong.HelpOptions, ctx *kong.Context) error {
			for _, flag := range ctx.Model.Flags { // the server's flags
				isWebhook := strings.HasPrefix(ctx.Command(), "webhook")
				flag.Hidden = flag.Group != nil && (ctx.Command() == NewKey || isWebhook && flag.Name != "upstream-url")
			}
			return kong.DefaultHelpPrinter(options, ctx)
		}),
		kong.Bind(written),
		kong.Writers(stdout, io.Discard),
		kong.Exit(exit),
	)
}

// maxCacheSize is a terabyte, in MiB.
const maxCacheSize = 1 << 20

// check rejects invalid values, whichever source they come from.
func (c *Config) check(all []setting) error {
	for _, s := range all {
		switch v := s.Target.Interface().(type) {
		case int, int64, time.Duration:
			if s.Target.Int() < 0 {
				return fmt.Errorf("%s %v must not be negative", s, v)
			}
		case CacheTTL:
			if shortest, _ := v.bounds(); shortest < 0 {
				return fmt.Errorf("%s %v must not be negative", s, v)
			}
		}
	}
	name := func(flag string) setting {
		return all[slices.IndexFunc(all, func(s setting) bool { return s.Name == flag })]
	}
	if c.Command != Serve {
		return cmp.Or(c.checkWebhook(), c.checkUpstream(name))
	}
	for _, check := range []func(*Config, func(string) setting) error{
		(*Config).checkServing, (*Config).checkUpstream, (*Config).checkRedis, (*Config).checkCallers, (*Config).checkSignIn, (*Config).checkDemo,
	} {
		if err := check(c, name); err != nil {
			return err
		}
	}
	return nil
}

// checkWebhook checks a command about webhooks.
func (c *Config) checkWebhook() error {
	switch {
	case c.Demo:
		return errors.New("--demo has no webhook commands: its simulated API exists only within the server")
	case c.Token == "":
		return errors.New("CLICKFUNNELS_API_TOKEN is not set: set it to a token that reaches the workspace, or set CLICKFUNNELS_API_TOKEN_FILE to the path of a file with the token")
	case c.Command != AddWebhook:
		return nil
	}
	u, err := url.Parse(c.Webhook.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !upstream.IsLoopback(u.Hostname())) {
		return errors.New("--url must be the https URL of the webhook, such as https://api.example.com/webhooks/academy")
	}
	return nil
}

func (c *Config) checkServing(name func(string) setting) error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("%s %q is not HOST:PORT, such as 127.0.0.1:8080 or :8080", name("listen"), c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.AdminListen); err != nil && c.AdminListen != "" {
		return fmt.Errorf("%s %q is not HOST:PORT, such as 127.0.0.1:9090 or :9090", name("admin-listen"), c.AdminListen)
	}
	if c.MaxStreams < 0 {
		return fmt.Errorf("%s %d must not be negative; 0 is no limit", name("max-streams"), c.MaxStreams)
	}
	if c.MaxBody < 1 {
		return fmt.Errorf("%s %d must be at least 1, in bytes", name("max-body"), c.MaxBody)
	}
	for _, origin := range c.CORSOrigins {
		if err := checkOrigin(origin); err != nil {
			return fmt.Errorf("%s %w", name("cors-origin"), err)
		}
	}
	return nil
}

func (c *Config) checkUpstream(name func(string) setting) error {
	if c.UpstreamURL == "" {
		return fmt.Errorf("%s cannot be empty: omit it to use its default", name("upstream-url"))
	}
	if c.UserAgent == "" {
		return fmt.Errorf("%s cannot be empty: omit it to use its default", name("user-agent"))
	}
	if err := upstream.CheckTemplate(c.UpstreamURL); err != nil {
		return fmt.Errorf("%s: %w", name("upstream-url"), err)
	}
	if c.UpstreamTimeout == 0 {
		return fmt.Errorf("%s %s must be positive, such as 30s", name("upstream-timeout"), c.UpstreamTimeout)
	}
	if c.Attempts < 1 {
		return fmt.Errorf("%s %d must be at least 1, which disables retries", name("max-attempts"), c.Attempts)
	}
	if c.CacheStale > 0 && c.CacheTTL.Longest() == 0 {
		return fmt.Errorf("%s %s needs %s", name("cache-stale"), c.CacheStale, name("cache-ttl"))
	}
	if c.CDN && (c.CacheTTL.Longest() == 0 || c.AccessFile == "") {
		return fmt.Errorf("%s needs %s and %s: only responses to client keys can be public", name("cdn"), name("cache-ttl"), name("access-file"))
	}
	if c.CDN && !strings.Contains(c.UpstreamURL, "{subdomain}") {
		return fmt.Errorf("%s needs {subdomain} in %s: cache tags begin with it", name("cdn"), name("upstream-url"))
	}
	if c.CacheSize < 1 || c.CacheSize > maxCacheSize {
		return fmt.Errorf("%s %d must be from 1 to %d, in MiB", name("cache-size"), c.CacheSize, maxCacheSize)
	}
	return nil
}

func (c *Config) checkRedis(name func(string) setting) error {
	if c.RedisURL == "" {
		return nil
	}
	if err := redis.Check(c.RedisURL); err != nil {
		return fmt.Errorf("%s cannot be used: %w", name("redis-url"), err)
	}
	if strings.Contains(c.RedisURL, ":"+secretMask+"@") {
		return fmt.Errorf("%s has %s instead of its password, as --print-config prints it: put the password there", name("redis-url"), secretMask)
	}
	if c.CacheTTL.Longest()+c.CacheStale > redis.MaxTTL {
		return fmt.Errorf("%s %s must be at most %s with %s, together with %s", name("cache-ttl"), c.CacheTTL, redis.MaxTTL, name("redis-url"), name("cache-stale"))
	}
	return nil
}

func (c *Config) checkCallers(name func(string) setting) error {
	if c.TrustedOnly && c.TrustedFile == "" {
		return fmt.Errorf("%s needs --trusted-documents: there would be nothing to run", name("trusted-documents-only"))
	}
	host, _, _ := net.SplitHostPort(c.Listen) // checkServing has reported the error
	if c.Token != "" && c.AccessFile == "" && !c.Demo && !upstream.IsLoopback(host) {
		return fmt.Errorf("%s %s with a server-held token (CLICKFUNNELS_API_TOKEN) would open the whole team to anyone who can reach this port: authenticate callers with --access-file, or listen on a loopback address, or unset the token so that callers send their own", name("listen"), c.Listen)
	}
	return nil
}

// checkSignIn checks the settings of the sign-in. The simulated API brings its own.
func (c *Config) checkSignIn(name func(string) setting) error {
	if c.PublicURL != "" {
		if _, err := signin.ParsePublicURL(c.PublicURL); err != nil {
			return fmt.Errorf("%s %w", name("public-url"), err)
		}
	}
	if err := signin.ParseOAuthURL(c.OAuthURL); err != nil {
		return fmt.Errorf("%s %w", name("oauth-url"), err)
	}
	c.OAuthURL = strings.TrimSuffix(c.OAuthURL, "/")
	for _, place := range c.ReturnTo {
		if _, err := signin.ParseReturnTo(place); err != nil {
			return fmt.Errorf("%s %w", name("return-to"), err)
		}
	}
	if c.SessionLifetime == 0 || c.SessionIdle == 0 {
		return fmt.Errorf("%s and %s must be positive, such as 24h", name("session-lifetime"), name("session-idle"))
	}
	switch {
	case c.Demo && c.OAuthClientID != "":
		return fmt.Errorf("%s has no use with --demo, which has a simulated sign-in: omit one of them", name("oauth-client-id"))
	case c.OAuthClientID == "" && c.OAuthSecret != "" && !c.Demo:
		return errors.New("CLICKFUNNELS_OAUTH_CLIENT_SECRET needs --oauth-client-id (CLICKFUNNELS_OAUTH_CLIENT_ID): set both, or neither")
	case c.OAuthClientID == "":
		return nil
	case c.PublicURL == "":
		return fmt.Errorf("%s needs --public-url: the origin under which browsers reach this server, such as https://api.example.com", name("oauth-client-id"))
	case c.SessionKeys.Missing():
		return fmt.Errorf("%s needs FUNNELGRAPH_SESSION_KEYS or FUNNELGRAPH_SESSION_KEYS_FILE: make a key with `openssl rand -base64 32`", name("oauth-client-id"))
	}
	return nil
}

func (c *Config) checkDemo(name func(string) setting) error {
	if c.DemoLatency > 0 && !c.Demo {
		return fmt.Errorf("%s needs --demo: only the simulated API can be made slow", name("demo-latency"))
	}
	if c.DemoFaults == "" {
		return nil
	}
	if !c.Demo {
		return fmt.Errorf("%s needs --demo: only the simulated API can be made to fail", name("demo-faults"))
	}
	if _, err := demo.ParseFaults(c.DemoFaults); err != nil {
		return fmt.Errorf("%s: %w", name("demo-faults"), err)
	}
	return nil
}

// checkOrigin accepts exactly the values that a browser sends as Origin. It rejects wildcards
// because every listed origin may send credentials.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ContainsAny(origin, "* ") {
		return fmt.Errorf("%q is not an origin: give scheme and host, and the port if it has one, such as https://app.example.com; there are no wildcards", origin)
	}
	return nil
}

// maxSecretFile is the maximum size of a file with a secret, in bytes.
const maxSecretFile = 64 << 10

// readSecrets reads the settings that have no flags.
func (c *Config) readSecrets() error {
	for _, secret := range []struct {
		name, noun string
		value      *upstream.Token
	}{{"CLICKFUNNELS_API_TOKEN", "token", &c.Token}, {"CLICKFUNNELS_OAUTH_CLIENT_SECRET", "secret", &c.OAuthSecret}} {
		if c.Command != Serve && secret.value != &c.Token {
			continue // the server's
		}
		text, from, err := readSecret(secret.name)
		if err != nil {
			return err
		}
		if *secret.value = upstream.Token(text); text != "" && !secret.value.Valid() {
			return fmt.Errorf("%[1]s holds no %[2]s: a %[2]s is printable text without spaces", from, secret.noun)
		}
	}
	text, from, err := readSecret("FUNNELGRAPH_SESSION_KEYS")
	if err != nil || text == "" || c.Command != Serve {
		return err
	}
	if c.SessionKeys, err = signin.ParseKeys(text); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

// readSecret reads a secret from an environment variable, or from the file that the variable with the
// suffix _FILE names. from is the variable that is set.
func readSecret(name string) (text, from string, err error) {
	text, file := os.Getenv(name), os.Getenv(name+"_FILE")
	if text != "" && file != "" {
		return "", "", fmt.Errorf("%[1]s and %[1]s_FILE are both set: set one", name)
	}
	if file == "" {
		return text, name, nil
	}
	from = name + "_FILE"
	b, err := configfile.Read(file, maxSecretFile)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", from, err)
	}
	if text = strings.TrimSpace(string(b)); text == "" {
		return "", "", fmt.Errorf("%s: the file is empty", from)
	}
	configfile.WarnIfReadableByOthers(file)
	return text, from, nil
}

// formatFlagError formats an error of the flag library as one line, to be printed after the
// program's name.
func formatFlagError(err error) error {
	if of, ok := errors.AsType[fileError](err); ok {
		return of
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(text + " (--help lists the flags)")
}

// Version returns the version of the binary: the module version, which Go takes from the tag of
// the commit, or "dev" if it was built without version control.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Build describes this build in one line: the version, the commit and its time if Go knew them,
// the Go version and the platform. It omits the build time so that builds of one commit are
// identical.
func Build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return describeBuild(Version(), info.Settings)
}

func describeBuild(version string, settings []debug.BuildSetting) string {
	known := make(map[string]string, len(settings))
	for _, s := range settings {
		known[s.Key] = s.Value
	}
	about := []string{runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	if commit := known["vcs.revision"]; commit != "" {
		if known["vcs.modified"] == "true" {
			commit += " and changes"
		}
		about = append([]string{"commit " + commit + " of " + known["vcs.time"]}, about...)
	}
	return version + " (" + strings.Join(about, ", ") + ")"
}
