package test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpacked decodes a body.
func unpacked(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	case "gzip":
		r, err = gzip.NewReader(r)
	}
	var b bytes.Buffer
	if err == nil {
		_, err = b.ReadFrom(r)
	}
	if err != nil {
		t.Errorf("want a valid %s body: %v", coding, err)
	}
	return b.String()
}

// vary returns the names in the Vary header, sorted.
func vary(header http.Header) string {
	names := strings.Split(strings.ReplaceAll(strings.Join(header.Values("Vary"), ","), " ", ""), ",")
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestCompressionIsNegotiated compresses large responses with the coding that the client
// prefers.
func TestCompressionIsNegotiated(t *testing.T) {
	e := newEnv(t)
	large := e.must(nested).raw
	for _, test := range []struct{ accept, want string }{
		{"identity", ""}, {"gzip", "gzip"}, {"zstd", "zstd"}, {"br", "br"}, {"gzip, deflate, br, zstd", "br"}, {"gzip;q=0, zstd;q=0.1", "zstd"}, {"br;q=0.1, gzip;q=0.2", "gzip"}, {"deflate", ""}, {"*;q=0", ""},
	} {
		status, body, header := e.request("POST", "/graphql", `{"query":"`+nested+`"}`, isJSON, asDemo, "Accept-Encoding: "+test.accept)
		coding := header.Get("Content-Encoding")
		if status != 200 || coding != test.want || vary(header) != "Accept-Encoding Origin" || unpacked(t, coding, body) != large {
			t.Errorf("Accept-Encoding %q: got %d, %q, Vary %s and %d bytes; want 200 with the preferred coding and the same body", test.accept, status, coding, vary(header), len(body))
		}
		if coding != "" && len(body) > len(large)/3 {
			t.Errorf("%s: %d bytes of %d, want at most a third", coding, len(body), len(large))
		}
	}
	if _, body, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "Accept-Encoding: br"); header.Get("Content-Encoding") != "" || !strings.Contains(body, "Query") {
		t.Errorf("a small response: want no Content-Encoding, got %v %q", header, body)
	}
	for accept, want := range map[string]string{"gzip, br": "gzip", "gzip;q=0": "", "br": ""} {
		if _, body, header := e.request("GET", "/", "", "Accept-Encoding: "+accept); header.Get("Content-Encoding") != want || !strings.Contains(unpacked(t, want, body), "<html") || vary(header) != "Accept-Encoding Origin" {
			t.Errorf("GraphiQL with Accept-Encoding %q: want the page in that coding, got %v", accept, header)
		}
	}
}

// TestConditionalGetAnswers304 answers 304 to the same client for the same query, media type
// and content coding, and only then.
func TestConditionalGetAnswers304(t *testing.T) {
	e := newEnv(t, withOrigins("https://app.example.com"))
	path := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	get := func(query string, headers ...string) (int, string, http.Header) {
		return e.request("GET", path(query), "", append(headers, asDemo)...)
	}
	forms := [][]string{
		{"Accept-Encoding: identity"}, {"Accept-Encoding: gzip"}, {"Accept-Encoding: br"},
		{"Accept-Encoding: identity", "Accept: application/graphql-response+json"}, {"Accept-Encoding: gzip", "Accept: application/graphql-response+json"},
	}
	tags := make(map[string]bool)
	for i, form := range forms {
		status, body, header := get(nested, form...)
		tag := header.Get("ETag")
		if status != 200 || body == "" || tag == "" || tags[tag] || header.Get("Cache-Control") != "private, no-cache" || vary(header) != "Accept Accept-Encoding Authorization Origin" {
			t.Errorf("%v: want 200 with a new ETag, got %d %v", form, status, header)
		}
		for _, had := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			status, body, header := get(nested, append(form, "If-None-Match: "+had)...)
			if status != 304 || body != "" || header.Get("ETag") != tag || header.Get("Content-Encoding") != "" || header.Get("Cache-Control") != "private, no-cache" || vary(header) != "Accept Accept-Encoding Authorization Origin" {
				t.Errorf("%v with If-None-Match %s: want 304 with the same ETag, got %d %q %v", form, had, status, body, header)
			}
		}
		for other := range tags {
			if status, body, _ := get(nested, append(form, "If-None-Match: "+other)...); status != 200 || body == "" {
				t.Errorf("%v with the ETag of another form: want 200, got %d", form, status)
			}
		}
		if i > 0 && len(tags) != i {
			t.Errorf("%d forms have %d different ETags", i, len(tags))
		}
		tags[tag] = true
		// Another client's access is checked before its ETag.
		if status, body, header := e.request("GET", path(nested), "", append(form, "If-None-Match: "+tag, "Authorization: Bearer another")...); status != 200 || header.Get("ETag") != "" || body == "" {
			t.Errorf("another client: want 200 without an ETag, got %d %v", status, header)
		}
		if status, body, _ := get(`{ teams { nodes { id } } }`, append(form, "If-None-Match: "+tag)...); status != 200 || body == "" {
			t.Errorf("another query with the same ETag: want 200, got %d", status)
		}
	}
	// Errors, partial responses and responses to POST must not be cached.
	for _, query := range []string{`{ nope }`, `{`, `{ team(id: "999") { name } }`} {
		for _, accept := range []string{"application/json", "application/graphql-response+json"} {
			if status, _, header := get(query, "Accept: "+accept, "If-None-Match: *"); status == 304 || header.Get("ETag") != "" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: want no-store and no ETag, got %d %v", query, status, header)
			}
		}
	}
	if status, _, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "If-None-Match: *"); status != 200 || header.Get("ETag") != "" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("POST: want 200 with no-store and no ETag, got %d %v", status, header)
	}
	// Only pages of listed origins may send conditional requests.
	const listed = "Origin: https://app.example.com"
	if status, _, header := e.request("OPTIONS", "/graphql", "", listed, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,if-none-match"); status != 204 || header.Get("Access-Control-Allow-Headers") == "" {
		t.Errorf("preflight: want 204 with allowed headers, got %d %v", status, header)
	}
	if _, _, header := get(nested, listed); !strings.EqualFold(header.Get("Access-Control-Expose-Headers"), "Cache-Status, ETag, Retry-After, Idempotency-Replayed, X-Request-Id") || !strings.Contains(vary(header), "Origin") {
		t.Errorf("from a listed origin: want the exposed headers, got %v", header)
	}
	if status, _, header := e.request("GET", path(`{ __typename }`), "", "Origin: https://evil.example.com", "Sec-Fetch-Site: cross-site", "If-None-Match: *"); status != 403 || header.Get("ETag") != "" {
		t.Errorf("from another origin: want 403 without an ETag, got %d %v", status, header)
	}
}

// TestConditionalGetWorksForDocuments sends an ETag for documents that are named by id or by
// hash.
func TestConditionalGetWorksForDocuments(t *testing.T) {
	const query = `{ teams { nodes { name } } }`
	e := newEnv(t, withTrusted(`{"teams-1": "`+query+`"}`, true))
	for _, path := range []string{"/graphql?documentId=teams-1", "/graphql?extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+hashOf(query)+`"}}`)} {
		status, body, header := e.request("GET", path, "", asDemo)
		tag := header.Get("ETag")
		if status != 200 || tag == "" || !strings.Contains(body, "Acme Coaching") {
			t.Errorf("%s: want 200 with an ETag, got %d %s", path, status, body)
		}
		if status, body, _ := e.request("GET", path, "", asDemo, "If-None-Match: "+tag); status != 304 || body != "" {
			t.Errorf("%s with If-None-Match: want 304, got %d %s", path, status, body)
		}
	}
}
