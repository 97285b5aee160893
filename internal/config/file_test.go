package config

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// TestPrecedence tests each pair of sources: a flag overrides the environment, which overrides
// the file, which overrides the default.
func TestPrecedence(t *testing.T) {
	for name, test := range map[string]struct {
		flag, env, file string
		want            int
	}{
		"default":                       {want: 20},
		"file over default":             {file: "3", want: 3},
		"environment over default":      {env: "2", want: 2},
		"flag over default":             {flag: "1", want: 1},
		"environment over file":         {env: "2", file: "3", want: 2},
		"flag over file":                {flag: "1", file: "3", want: 1},
		"flag over environment":         {flag: "1", env: "2", want: 1},
		"flag over all":                 {flag: "1", env: "2", file: "3", want: 1},
		"0 in the file is a value":      {file: "0", want: 0},
		"a default on the command line": {flag: "20", env: "2", file: "3", want: 20},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			var args []string
			if test.file != "" {
				args = append(args, "--config", writeConfig(t, "max-depth: "+test.file))
			}
			if test.env != "" {
				t.Setenv("FUNNELGRAPH_MAX_DEPTH", test.env)
			}
			if test.flag != "" {
				args = append(args, "--max-depth", test.flag)
			}
			if cfg, err := Parse(args, nil); err != nil || cfg.Limits.Depth != test.want {
				t.Errorf("%d, %v", cfg.Limits.Depth, err)
			}
		})
	}
}

// TestPrecedenceOfLists checks that a list comes from one source and is not merged.
func TestPrecedenceOfLists(t *testing.T) {
	clearEnvironment(t)
	name := writeConfig(t, "cors-origin: [https://file.example]\ngraphiql: false")
	cfg, err := Parse([]string{"--config", name}, nil)
	if err != nil || !reflect.DeepEqual(cfg.CORSOrigins, []string{"https://file.example"}) || cfg.GraphiQL {
		t.Errorf("%v %v", cfg, err)
	}
	cfg, err = Parse([]string{"--config", name, "--cors-origin", "https://flag.example", "--graphiql"}, nil)
	if err != nil || !reflect.DeepEqual(cfg.CORSOrigins, []string{"https://flag.example"}) || !cfg.GraphiQL {
		t.Errorf("%v %v", cfg, err)
	}
	t.Setenv("FUNNELGRAPH_CORS_ORIGINS", "https://env.example")
	if cfg, err = Parse([]string{"--config", name}, nil); err != nil || !reflect.DeepEqual(cfg.CORSOrigins, []string{"https://env.example"}) {
		t.Errorf("%v %v", cfg, err)
	}
}

// TestPrecedenceOfFilePaths names a file by a flag and another by the environment. The flag wins.
func TestPrecedenceOfFilePaths(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("FUNNELGRAPH_CONFIG", writeConfig(t, "max-depth: 2"))
	if cfg, err := Parse(nil, nil); err != nil || cfg.Limits.Depth != 2 {
		t.Errorf("%d, %v", cfg.Limits.Depth, err)
	}
	if cfg, err := Parse([]string{"--config", writeConfig(t, "max-depth: 1")}, nil); err != nil || cfg.Limits.Depth != 1 {
		t.Errorf("%d, %v", cfg.Limits.Depth, err)
	}
	if cfg, err := Parse([]string{"--config="}, nil); err != nil || cfg.Limits.Depth != 20 {
		t.Errorf("%d, %v", cfg.Limits.Depth, err)
	}
}

// parserModel returns the flags.
func parserModel(tb testing.TB) *kong.Application {
	tb.Helper()
	parser, err := newParser(new(commands), new(values), io.Discard, func(int) {})
	if err != nil {
		tb.Fatal(err)
	}
	return parser.Model
}

// TestEveryFlag sets each flag in the file, to a value other than its default. It also checks new
// flags, which must have a variable, a group, and a type that this test supports.
func TestEveryFlag(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("FUNNELGRAPH_SESSION_KEYS", strings.Repeat("hush", 11)[:43])
	special := map[string]string{
		"listen": "127.0.0.1:1", "admin-listen": "127.0.0.1:2", "cors-origin": "[https://a.example, https://b.example]",
		"oauth-client-id": "something\npublic-url: https://a.example", "oauth-url": "http://localhost:9/oauth", "public-url": "https://a.example", "return-to": "[https://a.example, https://b.example]",
		"upstream-url": "http://localhost:9", "redis-url": "redis://localhost:6379", "trusted-documents-only": "true\ntrusted-documents: manifest.json",
		"cache-ttl": "contacts=5m0s,17s", "cache-stale": "17s\ncache-ttl: 1s",
		"cdn":          "true\ncache-ttl: 1s\naccess-file: access.yaml",
		"demo-latency": "17s\ndemo: true", "demo-faults": "429=0.1\ndemo: true",
	}
	for _, flag := range parserModel(t).Flags {
		if slices.Contains([]string{"help", "config", "print-config", "version"}, flag.Name) {
			continue
		}
		value := special[flag.Name]
		switch of := flag.Target.Interface().(type) {
		case string:
			if flag.Enum != "" {
				all := flag.EnumSlice()
				value = all[len(all)-1]
			}
			if value == "" {
				value = "something"
			}
		case bool:
			if value == "" {
				value = fmt.Sprint(flag.Default != "true")
			}
		case int, int64:
			value = "17"
		case float64:
			value = "0.5"
		case time.Duration:
			value = cmp.Or(value, "17s")
		case []string:
		default:
			if value == "" {
				t.Errorf("--%s is of type %T: say here and in expected what can stand in the file", flag.Name, of)
			}
		}
		if flag.Group == nil || (setting{Flag: flag}).group() < 0 || len(flag.Envs) != 1 {
			t.Errorf("--%s needs an env and a group", flag.Name)
			continue
		}
		got := configOutput(t, "--config", writeConfig(t, flag.Name+": "+value))
		value, _, _ = strings.Cut(value, "\n")
		value = strings.NewReplacer("[https://a.example, https://b.example]", "['https://a.example', 'https://b.example']").Replace(value)
		if want := "\n" + flag.Name + ": " + value + " # file\n"; !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

const tooLarge = "it is larger than 1048576 bytes"

// TestBadFiles checks that each error is one line with the file, the line and the key.
func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		// Keys.
		"max-dept: 5":                        `line 1: "max-dept" is not known: did you mean max-depth`,
		"demo: true\n\nmax_depth: 5":         `line 3: "max_depth" is not known: did you mean max-depth`,
		"maxDepth: 5":                        `did you mean max-depth`,
		"FUNNELGRAPH_CORS_ORIGINS: []":       "line 1: FUNNELGRAPH_CORS_ORIGINS is an environment variable: its key is cors-origin",
		"cors-origins: []":                   "did you mean cors-origin",
		"colour: red":                        `line 1: "colour" is not known: keys are the names of flags`,
		"demo: true\nDEMO: true":             "did you mean demo",
		"demo: true\nlisten: :1\ndemo: true": "line 3: demo appears twice, first on line 1",
		"print-config: true":                 "print-config is allowed on the command line only",
		"config: other.yaml":                 "config is allowed on the command line only",
		"version: 1":                         "version is allowed on the command line only",
		"help: true":                         "help is allowed on the command line only",
		"serve: {}":                          `"serve" is not known`,
		"? [a, b]\n: c":                      "line 1: this key is not known",
		"5: 5":                               "line 1: this key is not known",
		"<<: {demo: true}":                   "line 1: this key is not known",
		strings.Repeat("k", 1000) + ": 1":    "line 1: this key is too long",
		// Values.
		"max-depth: hush":                                 "line 1: max-depth must be a whole number",
		"max-depth: 1.5":                                  "line 1: max-depth must be a whole number",
		"max-depth: true":                                 "line 1: max-depth must be a whole number",
		"max-depth:":                                      "line 1: max-depth must be a whole number",
		"max-depth: [5]":                                  "line 1: max-depth must be a whole number",
		"max-depth: {hush: 5}":                            "line 1: max-depth must be a whole number",
		"max-depth: 99999999999999999999":                 "line 1: max-depth must be a whole number",
		"max-depth: 9223372036854775808":                  "line 1: max-depth must be a whole number",
		"max-depth: -1":                                   "max-depth -1 must not be negative",
		"max-body: 1e6":                                   "line 1: max-body must be a whole number",
		"max-body: 0":                                     "max-body 0 must be at least 1",
		"demo: hush":                                      "line 1: demo must be true or false",
		"demo: yes":                                       "line 1: demo must be true or false",
		"demo: 1":                                         "line 1: demo must be true or false",
		"cache-ttl: 30":                                   "line 1: cache-ttl must be a time with its unit, such as 30s",
		"cache-ttl: hush":                                 "line 1: cache-ttl must be a time",
		"cache-ttl: [30s]":                                "line 1: cache-ttl must be a time",
		"cache-ttl: -1s":                                  "cache-ttl -1s must not be negative",
		"limits: hush":                                    "line 1: limits must be one of: enforce, measure",
		"limits: {max-depth: 5}":                          "line 1: limits must be one of: enforce, measure",
		"limits: 1":                                       "line 1: limits must be one of: enforce, measure",
		"listen: 8080":                                    "line 1: listen must be text",
		"listen: true":                                    "line 1: listen must be text",
		"listen: ~":                                       "line 1: listen must be text",
		"listen: [hush]":                                  "line 1: listen must be text",
		"listen: 2024-01-01":                              "line 1: listen must be text",
		"listen: !!binary aHVzaA==":                       "line 1: listen must be text",
		"listen: port":                                    `listen "port" is not HOST:PORT`,
		"user-agent: ''":                                  "user-agent cannot be empty",
		"upstream-url: http://example.com":                "upstream-url: upstream URL",
		"cors-origin: https://a.example":                  "line 1: cors-origin must be a list",
		"cors-origin: [[https://a.example]]":              "line 1: cors-origin must be a list, each item text",
		"cors-origin: [hush, 5]":                          "line 1: cors-origin must be a list, each item text",
		"cors-origin: [~]":                                "line 1: cors-origin must be a list, each item text",
		"cors-origin: ['*']":                              `cors-origin "*" is not an origin`,
		"trusted-documents-only: true":                    "trusted-documents-only needs --trusted-documents",
		"redis-url: http://user:hush@host:6379":           "redis-url cannot be used: it must look like redis://",
		"redis-url: redis://user:***@host:6379":           "redis-url has *** instead of its password",
		"cache-ttl: &a 30s\nupstream-timeout: *a":         "line 2: upstream-timeout must be a time",
		"listen: &a [x]\ncors-origin: [*a, *a, *a]":       "line 1: listen must be text",
		"cors-origin: &a [https://hush.example, *a]":      "line 1: cors-origin must be a list",
		"cors-origin: [&a https://hush.example, *a]":      "line 1: cors-origin must be a list",
		"listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n": "there is more than one document in it",
		// Text that is not such a file.
		"- listen: hush":               "it must consist of keys and values",
		"hush":                         "it must consist of keys and values",
		"5":                            "it must consist of keys and values",
		"listen: 'hush":                "found unexpected end of stream",
		"\tlisten: hush":               "cannot start any token",
		"listen: *hush":                "unknown anchor referenced",
		"cors-origin: [a b: c":         "did not find expected ',' or ']'",
		"\x00\x01\x02":                 "control characters are not allowed",
		"listen: \xff\xfehush":         "invalid",
		aliasBomb():                    `line 1: "a0" is not known`,
		strings.Repeat("[", maxFile/2): "exceeded max depth",
		strings.Repeat("{a: ", 200000): "exceeded max depth",
		strings.Repeat("#", maxFile+1): tooLarge,
		// Secrets.
		"clickfunnels-api-token: hush":           "the ClickFunnels token is not allowed in this file: set CLICKFUNNELS_API_TOKEN, or set CLICKFUNNELS_API_TOKEN_FILE",
		"CLICKFUNNELS_API_TOKEN: hush":           "the ClickFunnels token is not allowed in this file",
		"CLICKFUNNELS_API_TOKEN_FILE: hush":      "the ClickFunnels token is not allowed in this file",
		"api_token: hush":                        "the ClickFunnels token is not allowed in this file",
		"token: hush":                            "the ClickFunnels token is not allowed in this file",
		"access-token: hush":                     "the ClickFunnels token is not allowed in this file",
		"max-token: 1":                           "did you mean max-tokens",
		"hush-hush-hush-hush-hush-hush-hush: 1":  "line 1: this key is not known",
		"listen: a\nhush hush: 1":                "line 2: this key is not known",
		"access-file: hush\nmax-depth: 'hush'\n": "line 2: max-depth must be a whole number",
	} {
		t.Run(fmt.Sprintf("%.40q", text), func(t *testing.T) {
			clearEnvironment(t)
			name := writeConfig(t, text)
			began := time.Now()
			_, err := Parse([]string{"--config", name}, new(bytes.Buffer))
			if err == nil {
				t.Fatal("it is taken")
			}
			said, named := strings.CutPrefix(err.Error(), name+": ")
			if !strings.Contains(said, want) || strings.ContainsAny(said, "\n\x00") || strings.Contains(said, "hush") || len(said) > 300 {
				t.Errorf("%v, want something of %q", err, want)
			}
			if !named && want != tooLarge {
				t.Errorf("%v does not begin with the file", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// aliasBomb returns a small file that would expand to 9¹⁰ words if aliases were followed.
func aliasBomb() string {
	text := "a0: &a0 [hush]\n"
	for i := 1; i <= 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return text
}

// TestFileWithoutValues reads files that set nothing.
func TestFileWithoutValues(t *testing.T) {
	clearEnvironment(t)
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "--- ~\n", "{}", "\ufeff"} {
		if cfg, err := Parse([]string{"--config", writeConfig(t, text)}, nil); err != nil || cfg.Listen != "127.0.0.1:8080" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestUnreadableFile checks that the error has a reason but not the file's name, which can be a
// secret.
func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{filepath.Join(dir, "hush.yaml"): "no such file", dir: "is a directory", "hush\x00": "invalid argument"} {
		clearEnvironment(t)
		_, err := Parse([]string{"--config", name}, nil)
		if err == nil || !strings.Contains(err.Error(), "--config") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
		if strings.Contains(name, "\x00") {
			continue // a variable cannot contain it
		}
		t.Setenv("FUNNELGRAPH_CONFIG", name)
		if _, err := Parse(nil, nil); err == nil || !strings.Contains(err.Error(), "FUNNELGRAPH_CONFIG") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}

// FuzzFile reads files with a token in the wrong place. The error must be one line without the
// token, and the process must not crash.
func FuzzFile(f *testing.F) {
	for _, around := range [][2]string{
		{}, {"", "\n"}, {"Bearer ", ""}, {"", ":"}, {"", ": x"}, {"token: ", ""}, {"max-depth: ", ""}, {"- ", ""}, {"{", ""}, {"[", ""}, {"*", ""}, {"&", " x"},
		{"!", " x"}, {"demo: !", " x"}, {"max-depth: *", ""}, {"'", ""}, {"%", ""}, {"%TAG !", "! x\n---\na"}, {"cors-origin: [", "]: x"}, {"cors-origin: [", ", 5]"},
		{"limits: ", ""}, {"cache-ttl: ", ""}, {"max-calls: '", "'"}, {"", ": &a [*a]"}, {"? [", "]\n: x"}, {"listen: |", ""}, {"demo: true\ndemo: ", ""},
	} {
		f.Add(around[0], []byte("32 bytes that are a token, or so"), around[1])
		f.Add(around[0], bytes.Repeat([]byte{0xfb, 0xff}, 16), around[1])
	}
	flags := parserModel(f).Flags
	f.Fuzz(func(t *testing.T, before string, raw []byte, after string) {
		if len(raw) < 30 || len(before)+len(after) > 1000 {
			return
		}
		token := base64.RawURLEncoding.EncodeToString(raw)
		if strings.Contains(before, token) || strings.Contains(after, token) {
			return
		}
		err := new(values).read([]byte(before+token+after), flags)
		if err == nil {
			return // a comment, or the name of a file
		}
		if said := err.Error(); strings.Contains(said, token[:12]) || strings.Contains(said, token[len(token)-12:]) || strings.ContainsAny(said, "\n\r") || len(said) > 300 {
			t.Error(said)
		}
	})
}

// TestWarningAboutReadableSecrets checks the warning about a file with a password that other users
// can read.
func TestWarningAboutReadableSecrets(t *testing.T) {
	clearEnvironment(t)
	for _, test := range []struct {
		text string
		mode os.FileMode
		want bool
	}{
		{"redis-url: redis://user:hush@host:6379", 0o644, true},
		{"redis-url: redis://user:hush@host:6379", 0o600, false},
		{"redis-url: redis://host:6379", 0o644, false},
		{"listen: 127.0.0.1:1", 0o644, false},
	} {
		name := writeConfig(t, test.text)
		if err := os.Chmod(name, test.mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		_, err := Parse([]string{"--config", name}, nil)
		slog.SetDefault(before)
		if got := strings.Contains(log.String(), "can be read by others"); err != nil || got != test.want || strings.Contains(log.String(), "hush") {
			t.Errorf("%s, %s: %v %s", test.text, test.mode, err, log.String())
		}
	}
}
