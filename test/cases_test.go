package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

var update = flag.Bool("update", false, "rewrite result.json and calls of the cases in test/testdata that fail")

// dataCase is a whole-server case in a file test/testdata/<group>/<name>.txtar. The text before its
// sections says what it pins. These sections describe the servers:
//
//   - flags are funnelgraph's flags, one a line.
//   - access.yaml is the access file. Its clients use the demo's token. The file access.yaml of a
//     group is for all its cases.
//   - "METHOD /path" or "METHOD /path?query" is the API's response to these calls, as on the wire.
//     Several responses to the same calls are sent in order, and the last one repeatedly. The demo
//     answers all other calls.
//
// These sections are an operation. A case can have several, which are sent in order:
//
//   - query.graphql is the document. It begins the operation.
//   - variables.json holds the variables, which are sent unchanged.
//   - clients are the clients of the access file that send the operation, one a line. All must get
//     the same response. The key of a client is fgk_ and its name.
//   - result.json is the whole response, in any layout. The order of its keys counts.
//   - calls are the REST calls, "METHOD subdomain /path?query" one a line, in any order. They are
//     not compared if there is no such section.
type dataCase struct {
	name, pins string
	file       string
	archive    *txtar.Archive
	flags      []string
	access     []byte
	responses  map[string][][]byte // by "METHOD /path?query" or "METHOD /path"
	steps      []*step
}

// step is an operation of a [dataCase] and what it must lead to. result and calls are sections
// of the case's archive; calls can be nil.
type step struct {
	query         string
	variables     json.RawMessage
	tokens        []string
	result, calls *txtar.File
}

// readCases reads the cases of a group.
func readCases(t *testing.T, group string) []*dataCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("test", "testdata", group, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the group %s has no cases: %v", group, err)
	}
	clients, err := os.ReadFile(filepath.Join("test", "testdata", group, "access.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	cases := make([]*dataCase, 0, len(files))
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := &dataCase{
			name: strings.TrimSuffix(filepath.Base(file), ".txtar"), pins: strings.Join(strings.Fields(string(archive.Comment)), " "),
			file: file, archive: archive, access: clients, responses: make(map[string][][]byte),
		}
		for i := range archive.Files {
			if section := &archive.Files[i]; !c.add(section) {
				t.Fatalf("%s: the section %q is unknown or has no query.graphql before it", file, section.Name)
			}
		}
		if c.pins == "" || len(c.steps) == 0 || slices.ContainsFunc(c.steps, func(s *step) bool { return s.result == nil }) {
			t.Fatalf("%s: want a text in front, and a result.json for each query.graphql", file)
		}
		cases = append(cases, c)
	}
	return cases
}

var restCall = regexp.MustCompile(`^[A-Z]+ /`)

// add adds a section. It reports whether the section is valid where it is.
func (c *dataCase) add(section *txtar.File) bool {
	switch {
	case section.Name == "query.graphql":
		c.steps = append(c.steps, &step{query: string(section.Data), tokens: []string{demo.Token}})
	case section.Name == "flags":
		c.flags = lines(section.Data)
	case section.Name == "access.yaml":
		c.access = section.Data
	case restCall.MatchString(section.Name):
		c.responses[section.Name] = append(c.responses[section.Name], bytes.TrimSuffix(section.Data, []byte("\n")))
	case len(c.steps) > 0:
		return c.steps[len(c.steps)-1].add(section)
	default:
		return false
	}
	return true
}

func (s *step) add(section *txtar.File) bool {
	switch section.Name {
	case "variables.json":
		s.variables = section.Data
	case "clients":
		s.tokens = nil
		for _, name := range lines(section.Data) {
			s.tokens = append(s.tokens, "fgk_"+name)
		}
	case "result.json":
		s.result = section
	case "calls":
		s.calls = section
	default:
		return false
	}
	return true
}

// lines returns the lines of a section.
func lines(data []byte) []string {
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' })
}

// TestCases runs the cases of all groups, each as a subtest with an env of its own.
func TestCases(t *testing.T) {
	groups, err := os.ReadDir(filepath.Join("test", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		for _, c := range readCases(t, group.Name()) {
			t.Run(group.Name()+"/"+c.name, c.run)
		}
	}
}

// run sends the operations, and compares their responses and calls.
func (c *dataCase) run(t *testing.T) {
	api := &script{responses: c.responses, sent: make(map[string]int)}
	e := c.start(t, withFault(api.serve(t)))
	for _, s := range c.steps {
		for _, token := range s.tokens {
			s.run(t, e, token, c.pins)
		}
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	for call, recorded := range c.responses {
		if api.sent[call] < len(recorded) {
			t.Errorf("want a call for each response to %s, got %d calls for %d responses", call, api.sent[call], len(recorded))
		}
	}
	if *update && t.Failed() {
		if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run sends the operation with a token, and compares the response and the calls. It updates the
// sections that differ. Errors begin with the text that says what the case pins.
func (s *step) run(t *testing.T, e *env, token, pins string) {
	t.Helper()
	e.forget()
	if got, want := s.send(e, token).raw, s.want(t); got != want {
		t.Errorf("%s\nresponse to\n%s\ngot\n%s\nwant\n%s", pins, s.query, got, want)
		s.result.Data = indented(t, got)
	}
	if s.calls == nil {
		return
	}
	if got, want := restCalls(e), slices.Sorted(slices.Values(lines(s.calls.Data))); !slices.Equal(got, want) {
		t.Errorf("%s\nREST calls of\n%s\ngot\n%s\nwant\n%s", pins, s.query, strings.Join(got, "\n"), strings.Join(want, "\n"))
		s.calls.Data = []byte(strings.Join(append(got, ""), "\n"))
	}
}

// start starts an env with the flags and the access file of the case.
func (c *dataCase) start(t *testing.T, options ...envOption) *env {
	t.Helper()
	return newEnv(t, append([]envOption{func(e *env, cfg *config.Config) {
		parsed, err := config.Parse(c.flags, io.Discard)
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		*cfg = parsed
		if c.access == nil {
			return
		}
		file := filepath.Join(t.TempDir(), "access.yaml")
		if err := os.WriteFile(file, c.access, 0o600); err != nil {
			t.Fatal(err)
		}
		if e.gate, err = access.NewClients(t.Context(), file, demo.Token, limits.Policy{Limits: cfg.Limits}); err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
	}}, options...)...)
}

// send sends the operation with a token.
func (s *step) send(e *env, token string) result {
	e.t.Helper()
	body, err := json.Marshal(struct {
		Query     string          `json:"query"`
		Variables json.RawMessage `json:"variables,omitempty"`
	}{s.query, s.variables})
	if err != nil {
		e.t.Fatal(err)
	}
	_, raw, _ := e.do(post(string(body), "Authorization: Bearer "+token)(e))
	r := result{raw: raw}
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		e.t.Errorf("want JSON, got %s", raw)
	}
	return r
}

// want returns the response that the operation must have, as compact JSON.
func (s *step) want(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, s.result.Data); err != nil && !*update {
		t.Fatalf("result.json is not JSON: %v", err)
	}
	return b.String()
}

// indented lays out a response as a result.json. Objects and lists that fit into 100 columns take
// one line.
func indented(t *testing.T, response string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(response), "", "  "); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	in := lines(b.Bytes())
	for i := 0; i < len(in); i++ {
		line := in[i]
		if flat, end := flatten(in, i); len(flat) <= 100 {
			line, i = flat, end
		}
		text.WriteString(line + "\n")
	}
	return []byte(text.String())
}

// flatten joins the object or list that begins in a line of indented JSON. It returns the text and
// the last line.
func flatten(in []string, begin int) (string, int) {
	flat, end := in[begin], begin
	if last := flat[len(flat)-1]; last != '{' && last != '[' {
		return flat, end
	}
	margin := flat[:len(flat)-len(strings.TrimLeft(flat, " "))]
	for closed := false; !closed; {
		end++
		closed = in[end][len(margin)] != ' '
		if part := strings.TrimLeft(in[end], " "); part[0] == ']' || flat[len(flat)-1] == '[' {
			flat += part
		} else {
			flat += " " + part
		}
	}
	return flat, end
}

// brackets makes filters in URLs readable.
var brackets = strings.NewReplacer("%5B", "[", "%5D", "]")

// restCalls returns the REST calls so far as the section calls lists them.
func restCalls(e *env) []string {
	calls := e.callsOf(demo.Token)
	for i, call := range calls {
		if strings.Count(call, " ") == 1 {
			call = "GET " + call
		}
		calls[i] = brackets.Replace(call)
	}
	slices.Sort(calls)
	return calls
}

// script sends the recorded responses of a case.
type script struct {
	responses map[string][][]byte
	mu        sync.Mutex
	sent      map[string]int // number of responses by call
}

// serve returns a fault that answers the calls that have recorded responses.
func (s *script) serve(t *testing.T) func(http.ResponseWriter, *http.Request, string, string) bool {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		call := r.Method + " " + path
		if exact := call + "?" + brackets.Replace(r.URL.RawQuery); s.responses[exact] != nil {
			call = exact
		}
		recorded := s.responses[call]
		if recorded == nil {
			return false
		}
		s.mu.Lock()
		next := min(s.sent[call], len(recorded)-1)
		s.sent[call]++
		s.mu.Unlock()
		replay(t, w, recorded[next])
		return true
	}
}

// replay sends a recorded response.
func replay(t *testing.T, w http.ResponseWriter, recorded []byte) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(recorded)), nil)
	if err != nil {
		t.Errorf("the recorded response is not HTTP: %v", err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		t.Error(err)
	}
}
