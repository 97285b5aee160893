package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// clearEnvironment unsets all variables of funnelgraph for a test.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "FUNNELGRAPH_") || strings.HasPrefix(name, "CLICKFUNNELS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
}

// writeConfig creates a configuration file that only its owner can read, and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "funnelgraph.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// configOutput returns the output of --print-config with these flags.
func configOutput(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := Parse(append([]string{"--print-config"}, args...), &out); !errors.Is(err, ErrHelp) {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

func TestDefaults(t *testing.T) {
	clearEnvironment(t)
	cfg, err := Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:8080" || cfg.Demo || cfg.UpstreamURL != upstream.DefaultURLTemplate || cfg.UserAgent != "funnelgraph/"+Version() ||
		len(cfg.CORSOrigins) != 0 || cfg.Token != "" || cfg.UpstreamTimeout != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
}

func TestFlagsAndEnvironment(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("FUNNELGRAPH_LISTEN", "127.0.0.1:1")
	t.Setenv("FUNNELGRAPH_DEMO", "1")
	t.Setenv("CLICKFUNNELS_API_URL", "http://localhost:9/{subdomain}")
	t.Setenv("CLICKFUNNELS_USER_AGENT", "MyAppMyOrg")
	t.Setenv("FUNNELGRAPH_CORS_ORIGINS", "https://a.example,https://b.example:8443")
	t.Setenv("CLICKFUNNELS_API_TOKEN", "t0ken")
	cfg, err := Parse([]string{"--listen", "127.0.0.1:2", "--upstream-timeout=5s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:2" || !cfg.Demo || cfg.UpstreamURL != "http://localhost:9/{subdomain}" || cfg.UserAgent != "MyAppMyOrg" ||
		strings.Join(cfg.CORSOrigins, " ") != "https://a.example https://b.example:8443" || cfg.Token != "t0ken" || cfg.UpstreamTimeout != 5*time.Second {
		t.Errorf("%+v", cfg)
	}
	cfg, err = Parse([]string{"--cors-origin", "https://a.example", "--cors-origin", "http://localhost:3000"}, nil)
	if err != nil || strings.Join(cfg.CORSOrigins, " ") != "https://a.example http://localhost:3000" {
		t.Errorf("%v %v", cfg.CORSOrigins, err)
	}
}

func TestTokenFile(t *testing.T) {
	clearEnvironment(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLICKFUNNELS_API_TOKEN_FILE", file)
	if cfg, err := Parse(nil, nil); err != nil || cfg.Token != "t0ken" {
		t.Errorf("%v", err)
	}
}

// TestBadValues checks that each error is one line with the flag and the reason.
func TestBadValues(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{args: []string{"--listen", "8080"}, want: "HOST:PORT"},
		{args: []string{"--nope"}, want: "--nope"},
		{args: []string{"save"}, want: "save"},
		{args: []string{"--demo=perhaps"}, want: "--demo"},
		{args: []string{"--upstream-url", ""}, want: "--upstream-url"},
		{args: []string{"--user-agent="}, want: "--user-agent"},
		{args: []string{"--upstream-timeout", "soon"}, want: "--upstream-timeout"},
		{args: []string{"--upstream-timeout", "0s"}, want: "--upstream-timeout"},
		{args: []string{"--cache-ttl", "-1s"}, want: "--cache-ttl"},
		{args: []string{"--cache-ttl", "30"}, want: "--cache-ttl"},
		{args: []string{"--cache-ttl", "contacts=-1m,30s"}, want: "--cache-ttl contacts=-1m0s,30s must not be negative"},
		{args: []string{"--cache-ttl", "kontacts=1m"}, want: "--cache-ttl"},
		{args: []string{"--cdn", "--access-file=access.yaml"}, want: "--cdn needs --cache-ttl and --access-file"},
		{args: []string{"--cdn", "--access-file=access.yaml", "--cache-ttl=30s", "--upstream-url=https://api.example.com"}, want: "--cdn needs {subdomain} in --upstream-url"},
		{args: []string{"--cdn", "--cache-ttl=30s"}, want: "--cdn needs --cache-ttl and --access-file"},
		{args: []string{"--cache-stale=10m"}, want: "--cache-stale 10m0s needs --cache-ttl"},
		{args: []string{"--redis-url", "redis://host", "--cache-ttl=contacts=23h", "--cache-stale=2h"}, want: "must be at most 24h0m0s"},
		{args: []string{"--cache-size", "0"}, want: "--cache-size"},
		{args: []string{"--cache-size", "9999999999"}, want: "--cache-size"},
		{args: []string{"--max-body", "0"}, want: "--max-body"},
		{args: []string{"--max-streams=-1"}, want: "--max-streams -1 must not be negative"},
		{args: []string{"--max-subscriptions=-1"}, want: "--max-subscriptions -1 must not be negative"},
		{args: []string{"--max-depth=-1"}, want: "--max-depth -1 must not be negative"},
		{args: []string{"--max-calls", "many"}, want: "--max-calls"},
		{args: []string{"--request-timeout=-1s"}, want: "--request-timeout -1s must not be negative"},
		{args: []string{"--limits", "off"}, want: "--limits"},
		{args: []string{"--introspection=perhaps"}, want: "--introspection"},
		{args: []string{"--admin-listen", "9090"}, want: "--admin-listen \"9090\" is not HOST:PORT"},
		{args: []string{"--max-attempts=0"}, want: "--max-attempts 0 must be at least 1"},
		{args: []string{"--filtered-reads=-1"}, want: "--filtered-reads -1 must not be negative"},
		{args: []string{"--drain-timeout=-1s"}, want: "must not be negative"},
		{args: []string{"--drain-delay=soon"}, want: "--drain-delay"},
		{args: []string{"--redis-url", "http://user:hush@host:6379"}, want: "--redis-url cannot be used: it must look like redis://"},
		{args: []string{"--redis-url", "redis://user:hush@host:port"}, want: "--redis-url cannot be used"},
		{args: []string{"--redis-url", "redis://user:hush@host/zero"}, want: "--redis-url cannot be used"},
		{args: []string{"--redis-url", "redis://host", "--cache-ttl=25h"}, want: "--cache-ttl 25h0m0s must be at most 24h0m0s"},
		{args: []string{"--trusted-documents-only"}, want: "there would be nothing to run"},
		{args: []string{"--oauth-client-id", "app"}, want: "--oauth-client-id needs --public-url"},
		{args: []string{"--oauth-client-id", "app", "--public-url", "https://api.example.com"}, want: "needs FUNNELGRAPH_SESSION_KEYS or FUNNELGRAPH_SESSION_KEYS_FILE: make a key with `openssl rand -base64 32`"},
		{args: []string{"--oauth-client-id", "app", "--demo"}, want: "--oauth-client-id has no use with --demo"},
		{args: []string{"--public-url", "http://api.example.com"}, want: "--public-url \"http://api.example.com\" must begin with https://, or with http:// on localhost or a loopback address"},
		{args: []string{"--public-url", "https://api.example.com/graph"}, want: "--public-url \"https://api.example.com/graph\" is not an origin"},
		{args: []string{"--public-url", "https://:8080"}, want: "--public-url \"https://:8080\" is not an origin"},
		{args: []string{"--public-url", "https://api.example.com:99999"}, want: "is not an origin"},
		{args: []string{"--public-url", "https://*.example.com"}, want: "is not an origin"},
		{args: []string{"--oauth-url", "http://oauth.example.com"}, want: "--oauth-url \"http://oauth.example.com\" is not the URL of an OAuth server"},
		{args: []string{"--return-to", "javascript:alert(1)"}, want: "has a scheme that is not safe to open"},
		{args: []string{"--return-to", "http://app.example.com"}, want: "--return-to \"http://app.example.com\" must begin with https://"},
		{args: []string{"--return-to", "app.example.com"}, want: "--return-to \"app.example.com\" is not a URL"},
		{args: []string{"--return-to", "https://hush@app.example.com"}, want: "is not a URL"},
		{args: []string{"--session-idle", "0s"}, want: "--session-idle must be positive"},
		{env: map[string]string{"CLICKFUNNELS_OAUTH_CLIENT_SECRET": "hush"}, want: "CLICKFUNNELS_OAUTH_CLIENT_SECRET needs --oauth-client-id"},
		{env: map[string]string{"CLICKFUNNELS_OAUTH_CLIENT_SECRET_FILE": empty}, want: "CLICKFUNNELS_OAUTH_CLIENT_SECRET_FILE: the file is empty"},
		{env: map[string]string{"FUNNELGRAPH_SESSION_KEYS": "hush"}, want: "FUNNELGRAPH_SESSION_KEYS: key 1 is not 32 bytes in base64"},
		{env: map[string]string{"FUNNELGRAPH_SESSION_KEYS": strings.Repeat("hush", 11)[:43] + ",hush"}, want: "FUNNELGRAPH_SESSION_KEYS: key 2 is not 32 bytes in base64"},
		{env: map[string]string{"FUNNELGRAPH_SESSION_KEYS": " , "}, want: "FUNNELGRAPH_SESSION_KEYS: there is no key"},
		{env: map[string]string{"FUNNELGRAPH_SESSION_KEYS": "hush", "FUNNELGRAPH_SESSION_KEYS_FILE": empty}, want: "both set"},
		{args: []string{"key"}, want: "new"},
		{args: []string{"webhook", "add", "--workspace=101"}, want: "--url"},
		{args: []string{"webhook", "list", "--workspace=101"}, want: "CLICKFUNNELS_API_TOKEN is not set"},
		{args: []string{"webhook", "list", "--workspace=101", "--demo"}, want: "--demo has no webhook commands"},
		{args: []string{"webhook", "add", "--workspace=101", "--url=notaurl"}, env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush"}, want: "--url must be the https URL"},
		{args: []string{"webhook", "add", "--workspace=101", "--url=http://api.example.com/"}, env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush"}, want: "--url must be the https URL"},
		{env: map[string]string{"FUNNELGRAPH_LISTEN": "8080"}, want: "FUNNELGRAPH_LISTEN \"8080\" is not HOST:PORT"},
		{args: []string{"--redis-url", "redis://user:***@host"}, want: "put the password there"},
		{env: map[string]string{"FUNNELGRAPH_MAX_TOKENS": "x"}, want: "FUNNELGRAPH_MAX_TOKENS"},
		{env: map[string]string{"FUNNELGRAPH_CACHE_TTL": "long"}, want: "FUNNELGRAPH_CACHE_TTL"},
		{args: []string{"--cors-origin", "*"}, want: "no wildcards"},
		{args: []string{"--cors-origin", "https://*.example.com"}, want: "no wildcards"},
		{args: []string{"--cors-origin", "app.example.com"}, want: "not an origin"},
		{args: []string{"--cors-origin", "https://app.example.com/"}, want: "not an origin"},
		{args: []string{"--cors-origin", "null"}, want: "not an origin"},
		{env: map[string]string{"FUNNELGRAPH_DEMO": "perhaps"}, want: "FUNNELGRAPH_DEMO"},
		{env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush, hush"}, want: "CLICKFUNNELS_API_TOKEN holds no token"},
		{env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush", "CLICKFUNNELS_API_TOKEN_FILE": empty}, want: "both set"},
		{env: map[string]string{"CLICKFUNNELS_API_TOKEN_FILE": empty}, want: "is empty"},
		{env: map[string]string{"CLICKFUNNELS_API_TOKEN_FILE": empty + ".none"}, want: "no such file"},
		{args: []string{"--listen", ":8080"}, env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush"}, want: "open the whole team"},
		{args: []string{"--listen", "192.0.2.1:8080"}, env: map[string]string{"CLICKFUNNELS_API_TOKEN": "hush"}, want: "open the whole team"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			clearEnvironment(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			_, err := Parse(test.args, new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v, want something of %q", err, test.want)
			}
		})
	}
}

// TestWebhookCommandsIgnoreTheServer runs a webhook command beside settings that only the server checks.
func TestWebhookCommandsIgnoreTheServer(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("CLICKFUNNELS_API_TOKEN", "hush")
	t.Setenv("FUNNELGRAPH_LISTEN", ":8080")
	t.Setenv("CLICKFUNNELS_OAUTH_CLIENT_SECRET", "hush")
	t.Setenv("FUNNELGRAPH_SESSION_KEYS", "hush")
	if cfg, err := Parse([]string{"webhook", "remove", "--workspace=101", "7"}, nil); err != nil || cfg.Webhook.Workspace != "101" || cfg.Webhook.ID != "7" || cfg.Command != RemoveWebhook {
		t.Errorf("%+v, %v", cfg.Webhook, err)
	}
}

// TestTokenWithAccessFile allows a server-held token on other addresses than loopback if
// callers have to authenticate.
func TestTokenWithAccessFile(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("CLICKFUNNELS_API_TOKEN", "hush")
	cfg, err := Parse([]string{"--listen", ":8080", "--access-file", "access.yaml", "--introspection=false", "--no-graphiql", "--limits=measure"}, nil)
	if err != nil || cfg.AccessFile != "access.yaml" || cfg.Introspection || cfg.GraphiQL || cfg.LimitsMode != "measure" {
		t.Errorf("%+v %v", cfg, err)
	}
}

func TestCommands(t *testing.T) {
	clearEnvironment(t)
	for args, want := range map[string]string{"": Serve, "serve": Serve, "--demo": Serve, "key new": NewKey, "schema": PrintSchema} {
		if cfg, err := Parse(strings.Fields(args), nil); err != nil || cfg.Command != want {
			t.Errorf("%q: %q, %v", args, cfg.Command, err)
		}
	}
}

// TestPrintConfig prints each setting with its value and its source, without secrets.
func TestPrintConfig(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("CLICKFUNNELS_API_TOKEN", "hush")
	t.Setenv("CLICKFUNNELS_OAUTH_CLIENT_ID", "the-client")
	t.Setenv("CLICKFUNNELS_OAUTH_CLIENT_SECRET", "hush")
	t.Setenv("FUNNELGRAPH_PUBLIC_URL", "https://api.example.com")
	t.Setenv("FUNNELGRAPH_SESSION_KEYS", strings.Repeat("hush", 11)[:43])
	t.Setenv("FUNNELGRAPH_MAX_DEPTH", "7")
	t.Setenv("FUNNELGRAPH_REDIS_URL", "rediss://user:hush@redis.example:6379/1")
	got := configOutput(t, "--config", writeConfig(t, "max-rows: 50\nmax-depth: 8"), "--cors-origin", "https://a.example", "--cors-origin", "https://b.example", "--no-graphiql")
	for _, want := range []string{
		"# CLICKFUNNELS_API_TOKEN=*** (environment)\n# CLICKFUNNELS_OAUTH_CLIENT_SECRET=*** (environment)\n# FUNNELGRAPH_SESSION_KEYS=*** (environment)\n\n# Serving\nlisten: 127.0.0.1:8080 # default\n", "\nmax-depth: 7 # environment\n", "\nrequest-timeout: 1m0s # default\n",
		"\nmax-rows: 50 # file\n", "\ngraphiql: false # flag\n", "\ncors-origin: ['https://a.example', 'https://b.example'] # flag\n",
		"\nredis-url: rediss://user:***@redis.example:6379/1 # environment\n", "\n\n# Operations\nadmin-listen: \"\" # default\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	if strings.Contains(got, "hush") {
		t.Error("a secret is printed")
	}
}

// TestPrintedConfigCanBeLoaded loads the printed configuration.
func TestPrintedConfigCanBeLoaded(t *testing.T) {
	clearEnvironment(t)
	comments := regexp.MustCompile(` # (flag|environment|file|default)\n`)
	for _, args := range [][]string{nil, {"--demo", "--no-introspection", "--cors-origin=https://a.example", "--user-agent", "5 # 'x': \"y\"", "--cache-ttl=1h2m3.5s", "--max-body=0x10", "--limits=measure", "--access-file=true"}} {
		first := configOutput(t, args...)
		if again := configOutput(t, "--config", writeConfig(t, first)); comments.ReplaceAllString(again, "\n") != comments.ReplaceAllString(first, "\n") {
			t.Errorf("%v: %s\nis not\n%s", args, again, first)
		} else if n := strings.Count(again, " # file\n"); n != len(comments.FindAllString(first, -1)) || n < 30 {
			t.Errorf("%d of\n%s", n, again)
		}
	}
}

// TestHelp checks that --help fits into a terminal and lists each flag once, in its group.
func TestHelp(t *testing.T) {
	clearEnvironment(t)
	for columns, most := range map[string]int{"80": 80, "120": 120, "300": maxHelpWidth} {
		t.Setenv("COLUMNS", columns)
		var out bytes.Buffer
		if _, err := Parse([]string{"--help"}, &out); !errors.Is(err, ErrHelp) {
			t.Error(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > most {
				t.Errorf("at %s columns, %d: %s", columns, n, line)
			}
		}
		if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, "The exit code is 0") || !strings.Contains(text, "CLICKFUNNELS_API_TOKEN_FILE") || !strings.Contains(text, "Commands: serve [flags] Serve") || !strings.Contains(text, "key new Make") {
			t.Error(out.String())
		}
		_, rest, _ := strings.Cut(out.String(), "\nFlags:\n")
		parts := regexp.MustCompile(`(?m)^\S.*:\n`).Split(rest, -1)
		if len(parts) != len(groups)+1 {
			t.Fatalf("%d groups", len(parts)-1)
		}
		for _, flag := range parserModel(t).Flags {
			in := 0
			if flag.Group != nil {
				in = 1 + setting{Flag: flag}.group()
			}
			if found := regexp.MustCompile(`(?m)^[ h,-]+--(\[no-])?`+flag.Name+`(=| |$)`).FindAllString(parts[in], -1); len(found) != 1 {
				t.Errorf("--%s is there %d times:\n%s", flag.Name, len(found), parts[in])
			}
			for _, name := range flag.Envs {
				if !strings.Contains(parts[in], "$"+name+")") {
					t.Errorf("$%s is missing", name)
				}
			}
		}
	}
}

// TestHelpOfKeyNew checks that the help of "key new" omits the server's flags.
func TestHelpOfKeyNew(t *testing.T) {
	clearEnvironment(t)
	var out bytes.Buffer
	if _, err := Parse([]string{"key", "new", "--help"}, &out); !errors.Is(err, ErrHelp) || !strings.Contains(out.String(), "Make a client key") || strings.Contains(out.String(), "--listen") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestVersion(t *testing.T) {
	clearEnvironment(t)
	var out bytes.Buffer
	if _, err := Parse([]string{"--version"}, &out); !errors.Is(err, ErrHelp) || strings.TrimSpace(out.String()) != Build() {
		t.Errorf("%v %q", err, out.String())
	}
}

// TestBuild checks that the version line identifies the build. The binary of a test or of a
// downloaded module has no commit, so that the line has none either.
func TestBuild(t *testing.T) {
	with := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "c0ffee"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}}
	for want, settings := range map[string][]debug.BuildSetting{
		"v1.2.3 (" + with + ")": nil,
		"v1.2.3 (commit c0ffee of 2026-01-02T03:04:05Z, " + with + ")":             commit,
		"v1.2.3 (commit c0ffee and changes of 2026-01-02T03:04:05Z, " + with + ")": append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
	} {
		if got := describeBuild("v1.2.3", settings); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestCacheTTL reads times by type.
func TestCacheTTL(t *testing.T) {
	for text, want := range map[string]string{
		"30s": "30s", "contacts=5m,orders=30s,10s": "contacts=5m0s,orders=30s,10s", "orders=1m": "orders=1m0s", "contacts=1m , 2s": "contacts=1m0s,2s", "0s": "0s", "0": "0s",
		"contacts=1m,0s": "contacts=1m0s", "salesOpportunities=1m": "salesOpportunities=1m0s", "workspaces=1h,teams=0s,1m": "teams=0s,workspaces=1h0m0s,1m0s",
		"contact=1m": "has an unknown type", "hush=1m": "has an unknown type", "contacts=": "must be a time", "contacts": "must be a time", "contacts=1m,": "must be a time",
		"contacts=1m,contacts=2m": "has contacts twice", "1m,2m": "only once", "1m,contacts=2m": "last", "": "must be a time", "=1m": "unknown type",
	} {
		var c CacheTTL
		if err := c.UnmarshalText([]byte(text)); err != nil {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
			continue
		}
		if got := c.String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		var again CacheTTL
		if err := again.UnmarshalText([]byte(c.String())); err != nil || again.String() != want {
			t.Errorf("%s: again %s, %v", text, again, err)
		}
	}
}
