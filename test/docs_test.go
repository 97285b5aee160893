package test

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/docstest"
	"github.com/funnelgraph/funnelgraph/internal/documents"
	"github.com/funnelgraph/funnelgraph/internal/explain"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/internal/server"
	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/internal/telemetry"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestDocsExamplesRun runs every fenced block of the README, SECURITY.md and docs/. The blocks of a
// page run in order against one demo, so that a page can read what it has written.
//
//   - graphql is an operation, which is sent unchanged. A block "json variables" directly before or
//     after it holds its variables. An operation without a response on the page must have no errors.
//   - json after an operation or a request is the whole response, errors included. "…" stands for
//     any value; as the last item of a list also for more items, and as a key for more keys.
//   - sh holds commands. curl commands are sent to the demo. The flags of "go run . …" are loaded
//     as the configuration, and --demo restarts the page's demo. The files of other commands must
//     exist. NAME=value sets a variable, and echo writes a file. $JWT is a JSON Web Token for the
//     page's access file.
//   - http after sh is the status line of the last request, some of its headers, and after an empty
//     line the body. A header that ends in "…" is a beginning.
//   - yaml and json with a title that ends in .yaml or .json are files: access files and manifests
//     of trusted documents. Their loaders must accept them.
//   - go, graphqls, and yaml with the title gqlgen.yml quote lines of a file of the project.
//   - A block without a language lists existing files and folders.
//   - log quotes lines of the log, whose messages must be in the code.
//   - js runs in test/e2e/docs_test.go, and text holds drawings.
func TestDocsExamplesRun(t *testing.T) {
	pages, err := docstest.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	sources := sourceFiles(t)
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(page.Name, func(t *testing.T) {
			t.Chdir(t.TempDir()) // flags name files by relative paths
			r := &docReader{t: t, page: page, root: root, sources: sources, variables: make(map[string]string)}
			r.start(config.Config{})
			for len(page.Blocks) > 0 {
				page.Blocks = page.Blocks[r.block(page.Blocks):]
			}
		})
	}
}

// TestDocsLinksResolve follows the links within the project.
func TestDocsLinksResolve(t *testing.T) {
	pages, err := docstest.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	anchors := make(map[string]map[string]bool)
	for _, page := range pages {
		anchors[page.Name] = page.Anchors
	}
	for _, page := range pages {
		for _, link := range page.Links {
			if strings.Contains(link, "://") {
				continue
			}
			path, anchor, _ := strings.Cut(link, "#")
			target := filepath.ToSlash(filepath.Join(filepath.Dir(page.Name), path))
			if path == "" {
				target = page.Name
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page.Name, link, err)
			}
			if anchor != "" && !anchors[target][anchor] {
				t.Errorf("%s links to %s, which has no such heading", page.Name, link)
			}
		}
	}
}

// docReader runs the blocks of a page.
type docReader struct {
	t       *testing.T
	page    docstest.Page
	root    string
	sources map[string]string
	e       *env
	admin   string // the URL of the demo's admin endpoints
	line    int
	// variables are set by the page's commands. JWT is a JSON Web Token for the page's access
	// file.
	variables map[string]string
}

// errorf reports an error at the line of the current block.
func (r *docReader) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: %s", r.page.Name, r.line, fmt.Sprintf(format, args...))
}

// start restarts the page's demo with the configuration.
func (r *docReader) start(cfg config.Config) {
	var page config.Config
	r.e = newEnv(r.t, func(e *env, usual *config.Config) {
		if cfg.Listen != "" {
			*usual = cfg
		}
		usual.Demo, usual.Token = true, demo.Token
		e.telemetry = telemetry.New(telemetry.Config{Log: slog.New(slog.DiscardHandler), Metrics: true})
		var err error
		if e.gate, err = server.NewGate(r.t.Context(), *usual); err != nil {
			r.errorf("%v", err)
		}
		if usual.TrustedFile != "" {
			if e.trusted, err = documents.Load(usual.TrustedFile); err != nil {
				r.errorf("%v", err)
			}
		}
		page = *usual
	})
	state := new(serving.State)
	state.SetReady()
	simulated, err := server.NewDemo(r.t.Context(), page, server.Parts{Gate: r.e.gate, Trusted: r.e.trusted, State: state, Telemetry: r.e.telemetry})
	if err != nil {
		r.t.Fatal(err)
	}
	front := httptest.NewServer(simulated)
	r.t.Cleanup(front.Close)
	r.e.url = front.URL
	admin := httptest.NewServer(r.e.telemetry.Admin(simulated.Stats, new(slog.LevelVar)))
	r.t.Cleanup(admin.Close)
	r.admin = admin.URL
}

// block runs the first block, and returns how many blocks it has used.
func (r *docReader) block(blocks []docstest.Block) (used int) {
	b := blocks[0]
	r.line = b.Line
	following := func(i int) docstest.Block {
		if i < len(blocks) {
			return blocks[i]
		}
		return docstest.Block{}
	}
	switch kind := kindOf(b); kind {
	case "graphql", "json variables":
		operation, variables := b, docstest.Block{Text: "null"}
		used = 1
		if kind == "json variables" {
			operation, variables, used = following(1), b, 2
		} else if kindOf(following(1)) == "json variables" {
			variables, used = following(1), 2
		}
		if kindOf(operation) != "graphql" {
			r.errorf("variables without an operation")
			return 1
		}
		answer := following(used)
		if kindOf(answer) != "json" {
			r.operation(operation.Text, variables.Text, "")
			return used
		}
		r.operation(operation.Text, variables.Text, answer.Text)
		return used + 1
	case "sh":
		answer := following(1)
		if kind := kindOf(answer); kind == "json" || kind == "http" {
			r.shell(b.Text, kind, answer.Text)
			return 2
		}
		r.shell(b.Text, "", "")
	case "yaml file":
		if b.Title != "funnelgraph.yaml" {
			r.accessFile(b.Title, b.Text)
			break
		}
		r.write(b.Title, b.Text)
		if strings.Contains(b.Text, "oauth-client-id") {
			r.t.Setenv("CLICKFUNNELS_OAUTH_CLIENT_SECRET_FILE", "oauth.secret")
			r.t.Setenv("FUNNELGRAPH_SESSION_KEYS_FILE", "session.keys")
		}
		if _, err := config.Parse([]string{"--config", b.Title}, io.Discard); err != nil {
			r.errorf("%v", err)
		}
	case "json file":
		r.write(b.Title, b.Text)
		if _, err := documents.Load(b.Title); err != nil {
			r.errorf("%v", err)
		}
	case "source":
		r.quoted(b)
	case "":
		for _, entry := range regexp.MustCompile(`(?m)^\S+`).FindAllString(b.Text, -1) {
			if _, err := os.Stat(filepath.Join(r.root, entry)); err != nil {
				r.errorf("%v", err)
			}
		}
	case "log":
		for _, line := range strings.Split(strings.TrimSpace(b.Text), "\n") {
			if message := regexp.MustCompile(`msg=(?:"([^"]+)"|(\w+))`).FindStringSubmatch(line); message == nil || !r.isLogged(message[1]+message[2]) {
				r.errorf("nothing logs %q", line)
			}
		}
	case "js", "text": // js runs in test/e2e/docs_test.go, and text holds drawings
	default:
		r.errorf("nothing can run a block of %q here", kind)
	}
	return 1
}

// kindOf returns the kind of a block: its language, refined by its title.
func kindOf(b docstest.Block) string {
	switch title := filepath.Ext(b.Title); {
	case (b.Language == "go" || b.Language == "graphqls") && b.Title == "", b.Title == "gqlgen.yml":
		return "source"
	case title == "."+b.Language:
		return b.Language + " file"
	case b.Title != "":
		return b.Language + " " + b.Title
	}
	return b.Language
}

// quoted expects all lines of a block in one of the project's files.
func (r *docReader) quoted(b docstest.Block) {
	for _, source := range r.sources {
		missing := slices.ContainsFunc(strings.Split(strings.TrimSpace(b.Text), "\n"), func(line string) bool {
			return !strings.Contains(source, spaced(line))
		})
		if !missing {
			return
		}
	}
	r.errorf("no file of the project has these lines:\n%s", b.Text)
}

// spaced replaces each run of white space by one blank.
func spaced(text string) string { return strings.Join(strings.Fields(text), " ") }

// sourceFiles returns the hand-written sources by path, passed through [spaced].
func sourceFiles(t *testing.T) map[string]string {
	t.Helper()
	sources := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || path == filepath.Join("graph", "exec")):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"), path == "gqlgen.yml", filepath.Ext(path) == ".graphqls":
			text, err := os.ReadFile(path)
			sources[path] = spaced(string(text))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// operation sends an operation, and compares the response with the page's.
func (r *docReader) operation(query, variables, want string) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": json.RawMessage(variables)})
	if err != nil {
		r.errorf("its variables: %v", err)
		return
	}
	req, err := http.NewRequest(http.MethodPost, r.e.url+server.Endpoint, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(explain.Header, "0")
	_, raw, _ := r.e.do(req)
	r.compare(raw, want)
}

// compare compares a response with the page's. If want is empty, the response must have data
// and no errors.
func (r *docReader) compare(raw, want string) {
	var got map[string]any
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		r.errorf("%v: %s", err, raw)
		return
	}
	if want == "" {
		if got["errors"] != nil || got["data"] == nil {
			r.errorf("errors: %s", raw)
		}
		return
	}
	var expected map[string]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		r.errorf("the answer on the page: %v; it is\n%s", err, raw)
		return
	}
	if at := differs(expected, got); at != "" {
		r.errorf("the answer differs at %s:\n%s", at, raw)
	}
}

// elided stands for values that a page does not show.
const elided = "…"

// differs returns the path of the first difference, or "".
func differs(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		given, ok := got.(map[string]any)
		if !ok {
			return "."
		}
		for key, value := range want {
			other, ok := given[key]
			if key == elided {
				continue
			}
			if at := differs(value, other); !ok || at != "" {
				return "." + key + at
			}
		}
		for key := range given {
			if _, ok := want[key]; !ok && want[elided] == nil {
				return "." + key
			}
		}
		return ""
	case []any:
		given, ok := got.([]any)
		if n := len(want); ok && n > 0 && want[n-1] == elided && len(given) >= n {
			want, given = want[:n-1], given[:n-1]
		}
		if len(given) != len(want) || !ok {
			return "[]"
		}
		for i := range want {
			if at := differs(want[i], given[i]); at != "" {
				return fmt.Sprintf("[%d]%s", i, at)
			}
		}
		return ""
	}
	if want == elided || reflect.DeepEqual(want, got) {
		return ""
	}
	return "."
}

// shell runs the commands of a block. kind and want describe the response to the last request.
func (r *docReader) shell(text, kind, want string) {
	script, err := syntax.NewParser().Parse(strings.NewReader(text), r.page.Name)
	if err != nil {
		r.errorf("%v", err)
		return
	}
	variables := &expand.Config{NoUnset: true, Env: expand.FuncEnviron(func(name string) string { return r.variables[name] })}
	for i, statement := range script.Stmts {
		call, ok := statement.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Assigns) > 0 && len(call.Args) > 0 {
			r.errorf("the test knows plain commands only")
			return
		}
		for _, assign := range call.Assigns {
			if r.variables[assign.Name.Value], err = expand.Literal(variables, assign.Value); err != nil {
				r.errorf("%v", err)
			}
		}
		if len(call.Args) == 0 {
			continue
		}
		words, err := expand.Fields(variables, call.Args...)
		if err != nil {
			r.errorf("%v", err)
			return
		}
		if words[0] == "openssl" && len(statement.Redirs) == 1 { // openssl rand -base64 32
			key := make([]byte, 32)
			_, _ = rand.Read(key)
			r.write(statement.Redirs[0].Word.Lit(), base64.StdEncoding.EncodeToString(key)+"\n")
			continue
		}
		if words[0] == "echo" && len(statement.Redirs) == 1 && statement.Redirs[0].Op == syntax.RdrOut {
			r.write(statement.Redirs[0].Word.Lit(), strings.Join(words[1:], " ")+"\n")
			continue
		}
		if len(statement.Redirs) > 0 {
			r.errorf("the test knows plain commands only")
			return
		}
		if words[0] != "curl" {
			r.command(words)
			continue
		}
		status, raw, header := r.curl(words[1:])
		switch last := i == len(script.Stmts)-1; {
		case !last || kind == "":
			r.compare(raw, "")
		case kind == "http":
			r.compareHTTP(status, raw, header, want)
		default:
			r.compare(raw, want)
		}
	}
}

// command checks a command that this test does not run.
func (r *docReader) command(words []string) {
	switch program := words[0]; {
	case program == "go" && words[1] == "run" && words[2] == ".":
		cfg, err := config.Parse(words[3:], io.Discard)
		if err != nil {
			r.errorf("%q: %v", words, err)
		} else if cfg.Demo {
			r.start(cfg)
		}
	case program == "go" && words[1] == "run":
		if _, err := os.Stat(filepath.Join(r.root, words[2])); err != nil {
			r.errorf("%q: %v", words, err)
		}
	case program == "go" && words[1] == "test" && words[2] == "./...": // the running tests
	case program == "chmod":
		mode, err := strconv.ParseUint(words[1], 8, 32)
		if err = cmp.Or(err, os.Chmod(words[2], os.FileMode(mode))); err != nil {
			r.errorf("%q: %v", words, err)
		}
	case strings.Contains(program, "/"):
		if _, err := os.Stat(filepath.Join(r.root, program)); err != nil {
			r.errorf("%q: %v", words, err)
		}
	default:
		r.errorf("the test does not know %q", words)
	}
}

// curl sends the request that curl would send.
func (r *docReader) curl(args []string) (status int, body string, header http.Header) {
	method, address, data, query := "", "", "", make([]string, 0)
	headers := make(http.Header)
	get := false
	for i := 0; i < len(args); i++ {
		option := args[i]
		value := func() string {
			i++
			return args[i]
		}
		switch option {
		case "-i", "-s", "-si":
		case "-G":
			get = true
		case "-X":
			method = value()
		case "-H":
			name, text, _ := strings.Cut(value(), ":")
			headers.Add(name, strings.TrimSpace(text))
		case "-d":
			data = value()
		case "--data-urlencode":
			query = append(query, value())
		default:
			if strings.HasPrefix(option, "-") || address != "" {
				r.errorf("the test does not know curl's %q", option)
			}
			address = option
		}
	}
	address = strings.Replace(address, "127.0.0.1:8080", strings.TrimPrefix(r.e.url, "http://"), 1)
	address = strings.Replace(address, "127.0.0.1:9090", strings.TrimPrefix(r.admin, "http://"), 1)
	if !strings.HasPrefix(address, "http://") {
		address = "http://" + address
	}
	if method == "" {
		method = map[bool]string{true: http.MethodGet, false: http.MethodPost}[get || data == "" && len(query) == 0]
	}
	req, err := http.NewRequest(method, address, strings.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	if get {
		values := req.URL.Query()
		for _, pair := range query {
			name, text, _ := strings.Cut(pair, "=")
			values.Set(name, text)
		}
		req.URL.RawQuery = values.Encode()
	}
	req.Header = headers
	if headers.Get("Accept") == "" {
		headers.Set("Accept", "*/*")
	}
	if headers.Get(explain.Header) == "" {
		headers.Set(explain.Header, "0")
	}
	return r.e.do(req)
}

// compareHTTP compares the status line, the listed headers, and the body if the page shows one.
func (r *docReader) compareHTTP(status int, raw string, header http.Header, want string) {
	head, body, hasBody := strings.Cut(want, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	if got := fmt.Sprintf("HTTP/1.1 %d %s", status, http.StatusText(status)); got != lines[0] {
		r.errorf("%s, not %s: %s", got, lines[0], raw)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		begins, isElided := strings.CutSuffix(value, elided)
		if !slices.ContainsFunc(header.Values(name), func(got string) bool { return got == value || isElided && strings.HasPrefix(got, begins) }) {
			r.errorf("%s: %q, not %q", name, header.Values(name), value)
		}
	}
	switch {
	case !hasBody:
	case strings.HasPrefix(body, "{"):
		r.compare(raw, body)
	default: // a response in parts
		if raw = strings.TrimSpace(strings.ReplaceAll(raw, "\r", "")); raw != strings.TrimSpace(body) {
			r.errorf("answered %s", raw)
		}
	}
}

// write writes a file into the page's folder.
func (r *docReader) write(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// isLogged reports whether the code contains a log message.
func (r *docReader) isLogged(message string) bool {
	found := false
	err := filepath.WalkDir(r.root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil || found:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != r.root):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		code, err := os.ReadFile(path)
		found = bytes.Contains(code, []byte(strconv.Quote(message)))
		return err
	})
	if err != nil {
		r.errorf("%v", err)
	}
	return found
}

// accessFile loads an access file, and keeps it for a server that is started with it. It
// replaces system secrets and the keys of the JWT issuer by local ones.
func (r *docReader) accessFile(name, text string) {
	r.write("token", demo.Token)
	text = regexp.MustCompile(`/run/secrets/\w+`).ReplaceAllString(text, "token")
	issuer, sign := newDocIssuer(r.t)
	text = regexp.MustCompile(`(jwks: )https://\S+`).ReplaceAllString(text, "${1}"+issuer)
	r.write(name, text)
	if _, err := access.NewClients(r.t.Context(), name, "", limits.Policy{}); err != nil {
		r.errorf("%v", err)
	}
	r.variables["JWT"] = sign(jwt.MapClaims{
		"iss": "https://login.example.com/", "aud": "funnelgraph", "exp": time.Now().Add(time.Hour).Unix(),
		"azp": "web-app", "roles": []string{"admin", "sales"},
	})
}

// newDocIssuer serves the keys of a JWT issuer, and returns their URL and a function that signs
// tokens.
func newDocIssuer(t *testing.T) (keys string, sign func(jwt.MapClaims) string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
			"kty": "EC", "kid": "docs", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]),
		}}})
	}))
	t.Cleanup(server.Close)
	return server.URL, func(claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		token.Header["kid"] = "docs"
		text, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// TestDocsFlagsMatchTheConfiguration compares the flags in the README's table with the
// configuration, and the figures of docs/limits.md with the defaults.
func TestDocsFlagsMatchTheConfiguration(t *testing.T) {
	readme, limited := tableOf(t, "README.md"), tableOf(t, "docs/limits.md")
	flags := 0
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		for i := range of.NumField() {
			field := of.Field(i)
			name, preset := field.Tag.Get("name"), field.Tag.Get("default")
			if _, embedded := field.Tag.Lookup("embed"); embedded {
				walk(field.Type)
			}
			if field.Tag.Get("env") == "" {
				continue
			}
			row, listed := readme["--"+name]
			if listed {
				flags++
			}
			switch {
			case !listed: // docs/configuration.md lists every flag
			case len(row) < 4 || row[1] != field.Tag.Get("env"):
				t.Errorf("want the environment variable of --%s in the README, got %q", name, row)
			case strings.HasPrefix(preset, "${") || strings.Contains(preset, "${release}"): // a constant of another package
			case field.Type.Kind() == reflect.Bool:
				preset = map[string]string{"true": "on", "": "off"}[preset]
				fallthrough
			default:
				if preset == "" {
					preset = "none"
				}
				if preset == "0s" {
					preset = "off"
				}
				if row[2] != preset && !strings.HasPrefix(row[2], preset+";") {
					t.Errorf("--%s is %s by default, but %s in the README", name, preset, row[2])
				}
			}
			limit := strings.Replace(field.Tag.Get("yaml"), "root-fields", "rootFields", 1)
			if row, ok := limited[limit]; ok && strings.Split(strings.ReplaceAll(row[2], ",", ""), ";")[0] != preset {
				t.Errorf("docs/limits.md has %q for %s, which is %s", row, limit, preset)
			}
		}
	}
	walk(reflect.TypeFor[config.Config]())
	if in := slices.DeleteFunc(slices.Collect(maps.Keys(readme)), func(name string) bool { return !strings.HasPrefix(name, "--") }); flags < len(in) || flags < 5 || len(limited) < 7 {
		t.Errorf("%d flags and %d rows of limits were compared, want every flag of the README, at least 5 and 7", flags, len(limited))
	}
}

// tableOf returns the rows of a page's tables by their first cell, without backquotes.
func tableOf(t *testing.T, page string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		if cells, ok := strings.CutPrefix(strings.ReplaceAll(strings.TrimSpace(line), "`", ""), "| "); ok {
			row := strings.Split(strings.TrimSuffix(cells, " |"), " | ")
			rows[row[0]] = row
		}
	}
	return rows
}

// TestDocsExampleKeyIsWarnedAbout loads an access file with the key of docs/auth.md, which is
// not secret.
func TestDocsExampleKeyIsWarnedAbout(t *testing.T) {
	const key = "fgk_example-key-of-the-docs-not-for-production"
	page, err := os.ReadFile(filepath.Join("docs", "auth.md"))
	if err != nil || !strings.Contains(string(page), "KEY="+key+"\n") || !strings.Contains(string(page), "sha256:"+hashOf(key)) {
		t.Fatalf("want docs/auth.md to have the example key: %v", err)
	}
	file := filepath.Join(t.TempDir(), "access.yaml")
	if err := os.WriteFile(file, []byte(`clients: [{name: app, keys: ["sha256:`+hashOf(key)+`"], teams: all}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	if _, err := access.NewClients(t.Context(), file, demo.Token, limits.Policy{}); err != nil || !strings.Contains(log.String(), "docs/auth.md") || strings.Contains(log.String(), key) {
		t.Errorf("want a warning that names docs/auth.md and not the key, got %v and the log %s", err, log.String())
	}
}
