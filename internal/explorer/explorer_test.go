package explorer

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// get requests a path of the explorer. headers are "Name: value".
func get(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	Handler("/api/graphql", true).ServeHTTP(w, r)
	return w
}

func TestFilesAreServedWithTheirTypes(t *testing.T) {
	for path, media := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/account.js": "text/javascript; charset=utf-8", "/page.css": "text/css; charset=utf-8",
		"/assets/graphiql.js": "text/javascript; charset=utf-8", "/assets/graphiql.css": "text/css; charset=utf-8", "/assets/LICENSES.txt": "text/plain; charset=utf-8",
	} {
		w := get(t, http.MethodGet, path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != media || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, type %q, %d bytes; want 200 and %s", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len(), media)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: want a policy that allows no other source and no frames, got %q", path, policy)
		}
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/graphiql.js.gz", "/examples/1-nested.graphql", "/index.html"} {
		if w := get(t, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, w.Code)
		}
	}
	if w := get(t, http.MethodPost, "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || !strings.Contains(w.Body.String(), "/api/graphql") {
		t.Errorf("POST: status %d with Allow %q and %q; want 405 that names the endpoint", w.Code, w.Header().Get("Allow"), w.Body)
	}
}

// TestFilesAreCompressedForClientsThatAcceptIt compares both forms of a file.
func TestFilesAreCompressedForClientsThatAcceptIt(t *testing.T) {
	plain, packed := get(t, http.MethodGet, "/page.js"), get(t, http.MethodGet, "/page.js", "Accept-Encoding: gzip")
	if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("encodings %q and %q, want none and gzip", plain.Header().Get("Content-Encoding"), packed.Header().Get("Content-Encoding"))
	}
	r, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != plain.Body.String() {
		t.Errorf("the compressed file has other contents: %v", err)
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	for _, path := range []string{"/", "/page.js"} {
		etag := get(t, http.MethodGet, path).Header().Get("ETag")
		if w := get(t, http.MethodGet, path, "If-None-Match: "+etag); etag == "" || w.Code != http.StatusNotModified || w.Body.Len() > 0 {
			t.Errorf("%s with the entity tag %s: status %d and %d bytes, want 304 without a body", path, etag, w.Code, w.Body.Len())
		}
		if w := get(t, http.MethodGet, path, `If-None-Match: W/"old"`); w.Code != http.StatusOK {
			t.Errorf("%s with an old entity tag: status %d, want 200", path, w.Code)
		}
	}
}

// TestPageHasTheEndpointAndTheExamples reads the page's data, and pins that it names no other host.
func TestPageHasTheEndpointAndTheExamples(t *testing.T) {
	page := get(t, http.MethodGet, "/").Body.String()
	if !strings.Contains(page, `data-endpoint="/api/graphql"`) || !strings.Contains(page, `data-sign-in="true"`) || strings.Contains(page, "https://") || strings.Contains(page, "//cdn") {
		t.Error("the page lacks the endpoint or the sign-in, or names another host")
	}
	if page := string(index("/graphql", false)); !strings.Contains(page, `data-sign-in="false"`) {
		t.Error("the page offers a sign-in that the server does not have")
	}
	examples := Examples()
	if len(examples) < 10 {
		t.Errorf("%d examples, want one for each feature", len(examples))
	}
	for i, example := range examples {
		if example.Name == "" || example.Query == "" || i > 0 && example.Name <= examples[i-1].Name {
			t.Errorf("example %d: %q has no query, or is out of order", i, example.Name)
		}
		if needs := strings.Contains(example.Query, "($"); example.Variables == "" && needs || example.Variables != "" && !json.Valid([]byte(example.Variables)) {
			t.Errorf("%s: its variables are %q; want JSON if its query declares some", example.Name, example.Variables)
		}
		if !strings.Contains(page, `"name":"`+example.Name+`"`) {
			t.Errorf("the page lacks the example %s", example.Name)
		}
	}
}

// TestImportedFilesAreServed reads the imports of the page's modules.
func TestImportedFilesAreServed(t *testing.T) {
	imports := regexp.MustCompile(`from '\./([^']+)'`)
	modules, err := fs.Glob(files, "page/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		for _, name := range append([]string{path.Base(module)}, submatches(imports, read(module))...) {
			if w := get(t, http.MethodGet, "/"+name); w.Code != http.StatusOK {
				t.Errorf("%s: status %d for %s, want 200", module, w.Code, name)
			}
		}
	}
}

func submatches(pattern *regexp.Regexp, text []byte) []string {
	var all []string
	for _, match := range pattern.FindAllSubmatch(text, -1) {
		all = append(all, string(match[1]))
	}
	return all
}

// TestIDsOfExamplesAreVariables checks that the page can replace each id of an example: it is a
// variable with the name of a type that the page can find, and no literal. Titles are short.
func TestIDsOfExamplesAreVariables(t *testing.T) {
	text, err := os.ReadFile("../../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: string(text)})
	_, finders, _ := strings.Cut(string(read("page/examples.js")), "const finders = {")
	finders, _, _ = strings.Cut(finders, "\n};")
	for _, example := range Examples() {
		document, errs := gqlparser.LoadQueryWithRules(schema, example.Query, rules.NewDefaultRules())
		if errs != nil {
			t.Errorf("%s: %v", example.Name, errs)
			continue
		}
		operation := document.Operations[0]
		if len(operation.Name) == 0 || len(operation.Name) > 12 {
			t.Errorf("%s: %q is the title of its tab, want at most 12 letters", example.Name, operation.Name)
		}
		if writes := strings.HasPrefix(example.Query, "# Writes: "); writes != (operation.Operation == ast.Mutation) {
			t.Errorf("%s: it says that it writes: %t, want the truth", example.Name, writes)
		}
		for _, variable := range operation.VariableDefinitions {
			if variable.Type.Name() == "ID" && !strings.Contains(finders, "\n  "+variable.Variable+": ") {
				t.Errorf("%s: the page cannot find a value of $%s", example.Name, variable.Variable)
			}
		}
		observers := new(validator.Events)
		observers.OnValue(func(_ *validator.Walker, value *ast.Value) {
			if value.Definition != nil && value.Definition.Name == "ID" && value.Kind != ast.Variable && value.Kind != ast.ListValue {
				t.Errorf("%s: the id %s is a literal, want a variable", example.Name, value.Raw)
			}
		})
		validator.Walk(schema, document, observers)
	}
}
