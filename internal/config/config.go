// Package config reads what the server is started with: flags, and for each an
// environment variable.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/replicas"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Config is what the server is started with. The names and defaults are the
// README's table.
type Config struct {
	Listen          string           `name:"listen" env:"FUNNELGRAPH_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	AdminListen     string           `name:"admin-listen" env:"FUNNELGRAPH_ADMIN_LISTEN" placeholder:"HOST:PORT" help:"Address to serve /metrics, /debug/pprof/ and /log-level on, for those who run the server only, such as 127.0.0.1:9090."`
	LogFormat       string           `name:"log-format" env:"FUNNELGRAPH_LOG_FORMAT" enum:"text,json" default:"text" help:"How the log's lines are written: text or json."`
	LogLevel        slog.Level       `name:"log-level" env:"FUNNELGRAPH_LOG_LEVEL" default:"info" help:"What is logged: debug, info (a line for each operation), warn or error. It can be changed at --admin-listen while the server runs."`
	Demo            bool             `name:"demo" env:"FUNNELGRAPH_DEMO" help:"Serve a simulated ClickFunnels API with made-up data. Needs no network, no account and no token."`
	UpstreamURL     string           `name:"upstream-url" env:"CLICKFUNNELS_API_URL" default:"${upstream_url}" help:"Base of the ClickFunnels API. {subdomain} stands for \"accounts\" or a workspace's own subdomain, in the host or in the path; it may be left out. Plain http is for loopback only."`
	UpstreamTimeout time.Duration    `name:"upstream-timeout" env:"FUNNELGRAPH_UPSTREAM_TIMEOUT" default:"30s" help:"How long one attempt at a REST call may take."`
	Attempts        int              `name:"max-attempts" env:"FUNNELGRAPH_MAX_ATTEMPTS" default:"${attempts}" help:"How often a REST call is made at most, where ClickFunnels refused it (429), could not be reached or was out of order (502, 503, 504). What creates something is repeated only if it has certainly not arrived."`
	FilteredReads   int              `name:"filtered-reads" env:"FUNNELGRAPH_FILTERED_READS" default:"${filtered_reads}" help:"Most filtered reads of one token under way in a workspace; 0 is no limit. ClickFunnels documents 2."`
	UserAgent       string           `name:"user-agent" env:"CLICKFUNNELS_USER_AGENT" default:"funnelgraph/${version}" help:"User-Agent of every REST call. ClickFunnels wants a distinct one, such as YourAppYourOrg."`
	CacheTTL        time.Duration    `name:"cache-ttl" env:"FUNNELGRAPH_CACHE_TTL" default:"0s" help:"How long an answer of ClickFunnels may be given again to the same token, such as 30s. Off by default. A mutation empties the cache for its workspace; a request with Cache-Control: no-cache passes by it."`
	CacheSize       int              `name:"cache-size" env:"FUNNELGRAPH_CACHE_SIZE" default:"64" help:"Most memory for answers that are kept, in MiB."`
	RedisURL        string           `name:"redis-url" env:"FUNNELGRAPH_REDIS_URL" placeholder:"URL" secret:"url" help:"Redis or Valkey server through which replicas share their pace towards ClickFunnels, the cache and persisted documents, such as redis://user:password@host:6379/0. Give one with a password by the environment, which other users of the machine cannot read."`
	AccessFile      string           `name:"access-file" env:"FUNNELGRAPH_ACCESS_FILE" placeholder:"FILE" help:"YAML file that says who may call, with which ClickFunnels token, and what each may see and do. Callers then send a client key (made by \"funnelgraph key new\") or a JSON Web Token, and never see the ClickFunnels token. The file is read again when it changes."`
	TrustedFile     string           `name:"trusted-documents" env:"FUNNELGRAPH_TRUSTED_DOCUMENTS" placeholder:"FILE" help:"Manifest of documents that clients name by their id or hash, as graphql-codegen, the Relay compiler or Apollo's tools write it."`
	TrustedOnly     bool             `name:"trusted-documents-only" env:"FUNNELGRAPH_TRUSTED_DOCUMENTS_ONLY" help:"Run nothing but these."`
	Introspection   bool             `name:"introspection" env:"FUNNELGRAPH_INTROSPECTION" default:"true" negatable:"" help:"Let callers read the schema, and suggest names in errors. Switch it off where only your own applications call."`
	GraphiQL        bool             `name:"graphiql" env:"FUNNELGRAPH_GRAPHIQL" default:"true" negatable:"" help:"Serve GraphiQL on /."`
	CORSOrigins     []string         `name:"cors-origin" env:"FUNNELGRAPH_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origin whose pages may call from a browser, such as https://app.example.com. Repeat it, or separate several by commas. With --demo, localhost on any port as well."`
	MaxBody         int64            `name:"max-body" env:"FUNNELGRAPH_MAX_BODY" default:"1048576" help:"Largest body of a request, in bytes."`
	LimitsMode      string           `name:"limits" env:"FUNNELGRAPH_LIMITS" enum:"enforce,measure" default:"enforce" help:"Whether the limits below are enforced, or only reported in the log (measure), to find out which ones fit."`
	Limits          limits.Limits    `embed:""`
	DrainDelay      time.Duration    `name:"drain-delay" env:"FUNNELGRAPH_DRAIN_DELAY" default:"2s" help:"How long requests are still accepted after SIGTERM, while /readyz says no, so that load balancers notice. Ctrl-C does without."`
	DrainTimeout    time.Duration    `name:"drain-timeout" env:"FUNNELGRAPH_DRAIN_TIMEOUT" default:"25s" help:"How long it may take to end: what is still running by then is cut off. A second signal ends at once."`
	PrintConfig     bool             `name:"print-config" help:"Print the configuration, without secrets, and end."`
	Version         kong.VersionFlag `name:"version" help:"Print the version and end."`

	// Command is what to do: [Serve], [NewKey] or [PrintSchema].
	Command string `kong:"-"`
	// Token is the server-held ClickFunnels token; empty means that each caller
	// brings their own. There is no flag for it, on purpose: other users of the
	// machine can read a process's arguments.
	Token upstream.Token `kong:"-"`
}

const help = `One GraphQL endpoint in front of the ClickFunnels 2.0 API.

Each caller sends their own ClickFunnels token as "Authorization: Bearer …". To hold tokens for callers instead, say in an --access-file who they are. CLICKFUNNELS_API_TOKEN, or CLICKFUNNELS_API_TOKEN_FILE with the path of a file with nothing else in it, is a token for clients of that file that name no other; without such a file it is for whoever calls, and funnelgraph then serves on a loopback address only.`

// The commands.
const (
	Serve       = "serve"
	NewKey      = "key new"
	PrintSchema = "schema"
)

// commands is the command line.
type commands struct {
	Config

	Serve struct{} `cmd:"" default:"1" help:"Serve the GraphQL endpoint. This is what is done without a command."`
	Key   struct {
		New struct{} `cmd:"" help:"Make a client key, and print it with its hash, which is for the access file."`
	} `cmd:"" help:"Client keys."`
	Schema struct{} `cmd:"" help:"Print the GraphQL schema as clients see it."`
}

// ErrHelp is returned by [Parse] when the arguments asked for help or the
// version, which has then been printed.
var ErrHelp = errors.New("help was asked for")

// Parse reads the configuration from arguments and the environment. Its errors
// are one line that says what is wrong and why; none holds a secret.
func Parse(args []string, stdout io.Writer) (cfg Config, err error) {
	ended := false
	line := new(commands)
	parser, err := kong.New(line,
		kong.Name("funnelgraph"),
		kong.Description(help),
		kong.Vars{"version": Version(), "upstream_url": upstream.DefaultURLTemplate, "attempts": strconv.Itoa(upstream.DefaultAttempts), "filtered_reads": strconv.Itoa(upstream.DefaultFilteredReads)},
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { ended = true }),
	)
	if err != nil {
		return Config{}, err
	}
	parsed, err := parser.Parse(args)
	if ended {
		return Config{}, ErrHelp
	}
	if err != nil {
		return Config{}, oneLine(err)
	}
	cfg = line.Config
	if cfg.Command = parsed.Command(); cfg.Command != Serve {
		return cfg, nil
	}
	if cfg.Token, err = readToken(); err != nil {
		return Config{}, err
	}
	if err := cfg.check(); err != nil {
		return Config{}, err
	}
	if cfg.PrintConfig {
		return Config{}, errors.Join(cfg.print(stdout), ErrHelp)
	}
	return cfg, nil
}

// print writes the configuration as it came out of flags, environment and defaults.
// Secrets show as "***".
func (c *Config) print(w io.Writer) error {
	var b strings.Builder
	writeFields(&b, reflect.ValueOf(c).Elem())
	if c.Token != "" {
		_, _ = fmt.Fprintf(&b, "CLICKFUNNELS_API_TOKEN=%s\n", c.Token)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFields(b *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		switch field := v.Type().Field(i); {
		case field.Type.Kind() == reflect.Struct:
			writeFields(b, v.Field(i))
		case field.Tag.Get("env") != "":
			value := v.Field(i).Interface()
			if u, err := url.Parse(fmt.Sprint(value)); field.Tag.Get("secret") == "url" && err == nil {
				value = strings.Replace(u.Redacted(), ":xxxxx@", ":***@", 1)
			}
			if all, ok := value.([]string); ok {
				value = strings.Join(all, ",")
			}
			_, _ = fmt.Fprintf(b, "%s=%v\n", field.Tag.Get("env"), value)
		}
	}
}

// maxCacheSize is a terabyte, in MiB.
const maxCacheSize = 1 << 20

func (c *Config) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT, such as 127.0.0.1:8080 or :8080", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.AdminListen); err != nil && c.AdminListen != "" {
		return fmt.Errorf("--admin-listen %q is not HOST:PORT, such as 127.0.0.1:9090 or :9090", c.AdminListen)
	}
	if c.UpstreamURL == "" || c.UserAgent == "" {
		return errors.New("--upstream-url and --user-agent cannot be empty: leave them away for their defaults")
	}
	if err := upstream.CheckTemplate(c.UpstreamURL); err != nil {
		return err
	}
	if c.UpstreamTimeout <= 0 {
		return fmt.Errorf("--upstream-timeout %s must be more than nothing, such as 30s", c.UpstreamTimeout)
	}
	if c.Attempts < 1 {
		return fmt.Errorf("--max-attempts %d must be at least 1, which is never again", c.Attempts)
	}
	if c.FilteredReads < 0 {
		return fmt.Errorf("--filtered-reads %d must not be negative; 0 is no limit", c.FilteredReads)
	}
	if c.DrainDelay < 0 || c.DrainTimeout < 0 {
		return errors.New("--drain-delay and --drain-timeout must not be negative")
	}
	if c.CacheTTL < 0 {
		return fmt.Errorf("--cache-ttl %s must not be negative: give a time such as 30s, or 0s for no cache", c.CacheTTL)
	}
	if c.RedisURL != "" {
		if err := replicas.Check(c.RedisURL); err != nil {
			return fmt.Errorf("--redis-url cannot be used: %w", err)
		}
		if c.CacheTTL > replicas.MaxTTL {
			return fmt.Errorf("--cache-ttl %s must be %s at most with --redis-url", c.CacheTTL, replicas.MaxTTL)
		}
	}
	if c.CacheSize < 1 || c.CacheSize > maxCacheSize {
		return fmt.Errorf("--cache-size %d must be 1 to %d, in MiB", c.CacheSize, maxCacheSize)
	}
	if c.TrustedOnly && c.TrustedFile == "" {
		return errors.New("--trusted-documents-only needs --trusted-documents: there would be nothing to run")
	}
	if c.MaxBody < 1 {
		return fmt.Errorf("--max-body %d must be at least 1, in bytes", c.MaxBody)
	}
	if err := c.Limits.Check(); err != nil {
		return err
	}
	for _, origin := range c.CORSOrigins {
		if err := checkOrigin(origin); err != nil {
			return err
		}
	}
	if c.Token != "" && c.AccessFile == "" && !c.Demo && !upstream.IsLoopback(host) {
		return fmt.Errorf("--listen %s with a server-held token (CLICKFUNNELS_API_TOKEN) would open the whole team to anyone who can reach this port: say who may call with --access-file, or listen on a loopback address, or unset the token so that callers bring their own", c.Listen)
	}
	return nil
}

// checkOrigin accepts exactly what a browser sends as Origin. A wildcard is
// refused: credentials are allowed for every origin listed.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ContainsAny(origin, "* ") {
		return fmt.Errorf("--cors-origin %q is not an origin: give scheme and host, and the port if it has one, such as https://app.example.com; there are no wildcards", origin)
	}
	return nil
}

// maxTokenFile bounds what is read as a token.
const maxTokenFile = 64 << 10

// readToken takes the server-held token from the environment.
func readToken() (upstream.Token, error) {
	token, file := os.Getenv("CLICKFUNNELS_API_TOKEN"), os.Getenv("CLICKFUNNELS_API_TOKEN_FILE")
	if token != "" && file != "" {
		return "", errors.New("CLICKFUNNELS_API_TOKEN and CLICKFUNNELS_API_TOKEN_FILE are both set: set one")
	}
	name := "CLICKFUNNELS_API_TOKEN"
	if file != "" {
		name = "CLICKFUNNELS_API_TOKEN_FILE"
		f, err := os.Open(file) //nolint:gosec // the operator names the file
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, withoutName(err))
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if token = strings.TrimSpace(string(b)); token == "" {
			return "", fmt.Errorf("%s: the file is empty", name)
		}
		access.WarnOfOpenSecret(file)
	}
	if token != "" && !upstream.Token(token).Valid() {
		return "", fmt.Errorf("%s holds no token: a token is printable text without spaces", name)
	}
	return upstream.Token(token), nil
}

// withoutName is why a file cannot be read, without its name: it can be the token
// itself, by mistake.
func withoutName(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// oneLine makes an error of the flag library fit to be printed after the
// program's name.
func oneLine(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(text + " (--help lists the flags)")
}

// Version returns the version that the binary was built as: the module's, or
// "dev" for a build from a working copy.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
