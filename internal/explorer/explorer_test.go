package explorer

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	Handler("/api/graphql").ServeHTTP(w, r)
	return w
}

func TestFilesAreServedWithTheirTypes(t *testing.T) {
	for path, media := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/calls.js": "text/javascript; charset=utf-8", "/page.css": "text/css; charset=utf-8",
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
	for _, path := range []string{"/nothing", "/assets/", "/assets/graphiql.js.gz", "/examples/1-nested.graphql"} {
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
	if !strings.Contains(page, "/api/graphql") || strings.Contains(page, "https://") || strings.Contains(page, "//cdn") {
		t.Error("the page lacks the endpoint, or names another host")
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
