package test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/internal/explorer"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// request is one HTTP request to the endpoint; headers are "Name: value".
func (e *env) request(method, path, body string, headers ...string) (status int, answer string, header http.Header) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	return e.do(req)
}

// TestGraphQLOverHTTP holds the endpoint against the specification's rules.
func TestGraphQLOverHTTP(t *testing.T) {
	e := newEnv(t)
	const (
		asJSON = "Content-Type: application/json"
		legacy = "Accept: application/json"
		modern = "Accept: application/graphql-response+json"
	)
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		media, holds             string
	}{
		{"a query", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, modern}, 200, "application/graphql-response+json", `{"data":{"__typename":"Query"}}`},
		{"of old", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, legacy}, 200, "application/json", `{"data":{"__typename":"Query"}}`},
		{"no Accept", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON}, 200, "application/json", `"Query"`},
		{"any Accept", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: */*"}, 200, "application/json", `"Query"`},
		{"the better Accept", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: application/json;q=0.5, application/graphql-response+json"}, 200, "application/graphql-response+json", `"Query"`},
		{"an Accept that there is not", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: text/html"}, 406, "application/json", `"errors"`},
		{"charset", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{"Content-Type: application/json; charset=UTF-8"}, 200, "application/json", `"Query"`},
		{"named", "POST", "/graphql", `{"query":"query A { a: __typename } query B { b: __typename }","operationName":"B"}`, []string{asJSON}, 200, "application/json", `{"data":{"b":"Query"}}`},
		{"nulls", "POST", "/graphql", `{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}`, []string{asJSON}, 200, "application/json", `"Query"`},
		{"by GET", "GET", get("{ __typename }"), "", []string{modern}, 200, "application/graphql-response+json", `"Query"`},
		{"by GET with variables", "GET", get("query($f: Boolean!) { __typename @skip(if: $f) }") + `&variables=%7B%22f%22:true%7D`, "", nil, 200, "application/json", `{"data":{}}`},
		{"does not parse", "POST", "/graphql", `{"query":"{"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"does not parse, of old", "POST", "/graphql", `{"query":"{"}`, []string{asJSON, legacy}, 200, "application/json", `"code":"BAD_USER_INPUT"`},
		{"not valid", "POST", "/graphql", `{"query":"{ nope }"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"errors"`},
		{"bad variable", "POST", "/graphql", `{"query":"query($n: Int!) { teams(first: $n) { nodes { id } } }","variables":{"n":"x"}}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"which operation", "POST", "/graphql", `{"query":"query A { __typename } query B { __typename }"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `set operationName to the one to run`},
		{"no such operation", "POST", "/graphql", `{"query":"{ __typename }","operationName":"X"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"errors"`},
		{"broken JSON", "POST", "/graphql", `{"query": "{ __typename }", "token": "hush"`, []string{asJSON}, 400, "application/json", `"The body must be one JSON object."`},
		{"garbage behind", "POST", "/graphql", `{"query":"{ __typename }"} x`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"a list", "POST", "/graphql", `[{"query":"{ __typename }"}]`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"null", "POST", "/graphql", `null`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"no query", "POST", "/graphql", `{}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"query is missing."`},
		{"a number for a query", "POST", "/graphql", `{"query":7}`, []string{asJSON}, 400, "application/json", `"query must be a string."`},
		{"text for variables", "POST", "/graphql", `{"query":"{ __typename }","variables":"x"}`, []string{asJSON}, 400, "application/json", `"variables must be a JSON object."`},
		{"no Content-Type", "POST", "/graphql", `{"query":"{ __typename }"}`, nil, 415, "application/json", `"errors"`},
		{"a form", "POST", "/graphql", `query=%7B__typename%7D`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "application/json", `"errors"`},
		{"too large", "POST", "/graphql", `{"query":"` + strings.Repeat("#", 2<<20) + `"}`, []string{asJSON}, 413, "application/json", `The body is larger than 1048576 bytes.`},
		{"too many tokens", "POST", "/graphql", `{"query":"{` + strings.Repeat(" __typename", 20_000) + `}"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"no query by GET", "GET", "/graphql", "", nil, 400, "application/json", `"query is missing."`},
		{"bad variables by GET", "GET", get("{ __typename }") + "&variables=x", "", nil, 400, "application/json", `"variables must be one JSON object."`},
		{"by DELETE", "DELETE", "/graphql", "", nil, 405, "application/json", `"errors"`},
	} {
		status, body, header := e.request(test.method, test.path, test.body, test.headers...)
		if status != test.status || header.Get("Content-Type") != test.media+"; charset=utf-8" || !strings.Contains(body, test.holds) {
			t.Errorf("%s: %d %s %.300s", test.name, status, header.Get("Content-Type"), body)
		}
		if strings.Contains(body, "hush") {
			t.Errorf("%s: the body is repeated in the error", test.name)
		}
		if strings.Contains(body, `"errors"`) && strings.Contains(body, `"data"`) {
			t.Errorf("%s: data beside errors of the request: %s", test.name, body)
		}
	}
	if calls := e.callsOf(""); len(calls) != 0 {
		t.Errorf("calls without a token: %q", calls)
	}
}

// TestDefer sends what @defer marks with the rest to clients that accept one piece only.
func TestDefer(t *testing.T) {
	e := newEnv(t)
	const query = `{ team(id: "11") { id ... @defer { name workspaces(first: 1) { nodes { name ...More @defer(label: "more") } } } } } fragment More on Workspace { subdomain contacts(first: 1) { nodes { id ... @defer { emailAddress } } } }`
	plain := strings.ReplaceAll(strings.ReplaceAll(query, ` @defer(label: "more")`, ""), " @defer", "")
	for range 2 { // parsed, and then known
		if got, want := e.must(query).raw, e.must(plain).raw; got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
}

// TestWhoseToken sends the caller's own token upstream, and without one answers
// what needs none.
func TestWhoseToken(t *testing.T) {
	e := newEnv(t)
	const query = `{"query":"{ __typename teams { nodes { name } } }"}`
	for _, test := range []struct{ authorization, code string }{
		{"Bearer " + demo.Token, ""},
		{"bearer   " + demo.Token + " ", ""},
		{"", "UNAUTHENTICATED"},
		{"Bearer ", "UNAUTHENTICATED"},
		{"Basic " + demo.Token, "UNAUTHENTICATED"},
		{"Bearer two words", "UNAUTHENTICATED"},
		{"Bearer wrong", "UNAUTHENTICATED"},
	} {
		_, body, _ := e.request("POST", "/graphql", query, "Content-Type: application/json", "Authorization: "+test.authorization)
		var r result
		if err := json.Unmarshal([]byte(body), &r); err != nil || r.code("teams") != test.code || r.get("__typename") != "Query" {
			t.Errorf("%q: %s", test.authorization, body)
		}
	}
}

func TestCORS(t *testing.T) {
	e := newEnv(t, withOrigins("https://app.example.com"))
	for _, test := range []struct {
		origin string
		listed bool
	}{
		{"https://app.example.com", true},
		{"https://app.example.com.evil.example", false},
		{"http://app.example.com", false},
		{"https://other.example.com", false},
		{"http://localhost:3000", false},
		{"null", false},
	} {
		_, _, preflight := e.request("OPTIONS", "/graphql", "", "Origin: "+test.origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type,x-anything")
		_, _, actual := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, "Content-Type: application/json", "Origin: "+test.origin)
		for name, header := range map[string]http.Header{"preflight": preflight, "request": actual} {
			origin, credentials := header.Get("Access-Control-Allow-Origin"), header.Get("Access-Control-Allow-Credentials")
			if test.listed && (origin != test.origin || credentials != "true") || !test.listed && origin+credentials != "" {
				t.Errorf("%s from %s: origin %q, credentials %q", name, test.origin, origin, credentials)
			}
		}
		if test.listed && !strings.Contains(preflight.Get("Access-Control-Allow-Headers"), "authorization") {
			t.Errorf("the preflight allows %q", preflight.Get("Access-Control-Allow-Headers"))
		}
	}
}

func TestEndpoints(t *testing.T) {
	e := newEnv(t)
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/assets/graphiql.js": 200, "/assets/LICENSES.txt": 200, "/page.js": 200, "/nothing": 404, "/assets/": 404, "/assets/../page.js": 200} {
		status, _, header := e.request("GET", path, "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		if path == "/" && (!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'self'") || header.Get("X-Frame-Options") != "DENY") {
			t.Errorf("the page's headers: %v", header)
		}
	}
	_, _, header := e.request("GET", "/", "")
	if status, body, _ := e.request("GET", "/", "", "If-None-Match: "+header.Get("ETag")); status != 304 || body != "" {
		t.Errorf("asked again: %d", status)
	}
	if _, page, _ := e.request("GET", "/", ""); strings.Contains(page, "//cdn") || strings.Contains(page, "https://") {
		t.Error("the page names another host")
	}
}

// TestExamples runs every example of the explorer against the demo.
func TestExamples(t *testing.T) {
	e := newEnv(t)
	examples := explorer.Examples()
	if len(examples) < 7 || examples[0].Name != "1-nested" {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		var variables map[string]any
		if example.Variables != "" {
			if err := json.Unmarshal([]byte(example.Variables), &variables); err != nil {
				t.Errorf("%s: %v", example.Name, err)
			}
		}
		if r := e.must(example.Query, variables); strings.Contains(r.raw, ":null,") && strings.Contains(r.raw, `"data":null`) {
			t.Errorf("%s: %s", example.Name, r.raw)
		}
	}
}

// TestSchemaHasNoDirectiveOfOurs introspects the schema: what tells gqlgen how to resolve a
// field is nobody's business.
func TestSchemaHasNoDirectiveOfOurs(t *testing.T) {
	r := newEnv(t).must(`{ __schema { directives { name } } }`)
	if strings.Contains(r.raw, "goField") || !strings.Contains(r.raw, `"skip"`) {
		t.Error(r.raw)
	}
}

// TestSchemaIsDocumented wants a sentence for every type, field, argument and
// value.
func TestSchemaIsDocumented(t *testing.T) {
	for name, def := range exec.NewExecutableSchema(exec.Config{}).Schema().Types {
		if strings.HasPrefix(name, "__") || def.BuiltIn {
			continue
		}
		if def.Description == "" {
			t.Errorf("type %s has no description", name)
		}
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			if field.Description == "" {
				t.Errorf("%s.%s has no description", name, field.Name)
			}
			for _, arg := range field.Arguments {
				if arg.Description == "" {
					t.Errorf("%s.%s(%s) has no description", name, field.Name, arg.Name)
				}
			}
		}
		for _, value := range def.EnumValues {
			if value.Description == "" {
				t.Errorf("%s.%s has no description", name, value.Name)
			}
		}
	}
}
