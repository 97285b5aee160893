package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// dataCase is a whole-server case in a file test/testdata/<group>/<name>.txtar. The text before its
// sections says what it pins. The sections are:
//
//   - "METHOD /path" is the API's response to these calls, as on the wire. The demo answers all
//     other calls.
//   - query.graphql is the operation, and variables.json its variables, if it has any.
//   - result.json is the whole response, in any layout. The order of its keys counts.
type dataCase struct {
	name      string
	responses map[string][]byte // by "METHOD /path"
	query     string
	variables map[string]any
	result    []byte // compact JSON
}

// readCases reads the cases of a group.
func readCases(t *testing.T, group string) []dataCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("test", "testdata", group, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the group %s has no cases: %v", group, err)
	}
	cases := make([]dataCase, 0, len(files))
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := dataCase{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), responses: make(map[string][]byte)}
		for _, section := range archive.Files {
			switch section.Name {
			case "query.graphql":
				c.query = string(section.Data)
			case "variables.json":
				err = json.Unmarshal(section.Data, &c.variables)
			case "result.json":
				var b bytes.Buffer
				err = json.Compact(&b, section.Data)
				c.result = b.Bytes()
			default:
				c.responses[section.Name] = bytes.TrimSuffix(section.Data, []byte("\n"))
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", file, section.Name, err)
			}
		}
		cases = append(cases, c)
	}
	return cases
}

// runCases runs the cases of a group, each as a subtest with an env of its own.
func runCases(t *testing.T, group string) {
	t.Helper()
	for _, c := range readCases(t, group) {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
				recorded, ok := c.responses[r.Method+" "+path]
				if ok {
					replay(t, w, recorded)
				}
				return ok
			}))
			if got := e.query(c.query, c.variables).raw; got != string(c.result) {
				t.Errorf("got\n%s\nwant\n%s", got, c.result)
			}
		})
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
