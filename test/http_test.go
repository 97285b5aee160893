package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestEndpointFollowsGraphQLOverHTTP pins the status code and media type that the
// GraphQL-over-HTTP specification asks for.
func TestEndpointFollowsGraphQLOverHTTP(t *testing.T) {
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
		{"a query in the legacy media type", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, legacy}, 200, "application/json", `{"data":{"__typename":"Query"}}`},
		{"no Accept", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON}, 200, "application/json", `"Query"`},
		{"any media type", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: */*"}, 200, "application/json", `"Query"`},
		{"the preferred media type", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: application/json;q=0.5, application/graphql-response+json"}, 200, "application/graphql-response+json", `"Query"`},
		{"an unsupported media type", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{asJSON, "Accept: text/html"}, 406, "application/json", `"errors"`},
		{"charset", "POST", "/graphql", `{"query":"{ __typename }"}`, []string{"Content-Type: application/json; charset=UTF-8"}, 200, "application/json", `"Query"`},
		{"operationName", "POST", "/graphql", `{"query":"query A { a: __typename } query B { b: __typename }","operationName":"B"}`, []string{asJSON}, 200, "application/json", `{"data":{"b":"Query"}}`},
		{"null members", "POST", "/graphql", `{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}`, []string{asJSON}, 200, "application/json", `"Query"`},
		{"GET", "GET", get("{ __typename }"), "", []string{modern}, 200, "application/graphql-response+json", `"Query"`},
		{"GET with variables", "GET", get("query($f: Boolean!) { __typename @skip(if: $f) }") + `&variables=%7B%22f%22:true%7D`, "", nil, 200, "application/json", `{"data":{}}`},
		{"does not parse", "POST", "/graphql", `{"query":"{"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"does not parse, legacy", "POST", "/graphql", `{"query":"{"}`, []string{asJSON, legacy}, 200, "application/json", `"code":"BAD_USER_INPUT"`},
		{"invalid document", "POST", "/graphql", `{"query":"{ nope }"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"errors"`},
		{"bad variable", "POST", "/graphql", `{"query":"query($n: Int!) { teams(first: $n) { nodes { id } } }","variables":{"n":"x"}}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"ambiguous operation", "POST", "/graphql", `{"query":"query A { __typename } query B { __typename }"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `set operationName to the one to run`},
		{"unknown operation", "POST", "/graphql", `{"query":"{ __typename }","operationName":"X"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"errors"`},
		{"broken JSON", "POST", "/graphql", `{"query": "{ __typename }", "token": "hush"`, []string{asJSON}, 400, "application/json", `"The body must be one JSON object."`},
		{"garbage after the object", "POST", "/graphql", `{"query":"{ __typename }"} x`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"a list", "POST", "/graphql", `[{"query":"{ __typename }"}]`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"null", "POST", "/graphql", `null`, []string{asJSON}, 400, "application/json", `"errors"`},
		{"no query", "POST", "/graphql", `{}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"query is missing."`},
		{"a number for a query", "POST", "/graphql", `{"query":7}`, []string{asJSON}, 400, "application/json", `"query must be a string."`},
		{"text for variables", "POST", "/graphql", `{"query":"{ __typename }","variables":"x"}`, []string{asJSON}, 400, "application/json", `"variables must be a JSON object."`},
		{"no Content-Type", "POST", "/graphql", `{"query":"{ __typename }"}`, nil, 415, "application/json", `"errors"`},
		{"a form", "POST", "/graphql", `query=%7B__typename%7D`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "application/json", `"errors"`},
		{"too large", "POST", "/graphql", `{"query":"` + strings.Repeat("#", 2<<20) + `"}`, []string{asJSON}, 413, "application/json", `The body is larger than 1048576 bytes.`},
		{"too many tokens", "POST", "/graphql", `{"query":"{` + strings.Repeat(" __typename", 20_000) + `}"}`, []string{asJSON, modern}, 400, "application/graphql-response+json", `"code":"BAD_USER_INPUT"`},
		{"GET without a query", "GET", "/graphql", "", nil, 400, "application/json", `"query is missing."`},
		{"GET with invalid variables", "GET", get("{ __typename }") + "&variables=x", "", nil, 400, "application/json", `"variables must be one JSON object."`},
		{"DELETE", "DELETE", "/graphql", "", nil, 405, "application/json", `"errors"`},
	} {
		status, body, header := e.request(test.method, test.path, test.body, test.headers...)
		if status != test.status || header.Get("Content-Type") != test.media+"; charset=utf-8" || !strings.Contains(body, test.holds) {
			t.Errorf("%s: unexpected status, media type or body: %d %s %.300s", test.name, status, header.Get("Content-Type"), body)
		}
		if strings.Contains(body, "hush") {
			t.Errorf("%s: the error repeats the body", test.name)
		}
		if strings.Contains(body, `"errors"`) && strings.Contains(body, `"data"`) {
			t.Errorf("%s: want no data beside request errors, got %s", test.name, body)
		}
	}
	if calls := e.callsOf(""); len(calls) != 0 {
		t.Errorf("want no calls without a token, got %q", calls)
	}
}

// TestCORSAllowsOnlyListedOrigins sends preflight and actual requests of several origins.
func TestCORSAllowsOnlyListedOrigins(t *testing.T) {
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
				t.Errorf("%s from %s: unexpected Access-Control-Allow-Origin %q or Allow-Credentials %q", name, test.origin, origin, credentials)
			}
		}
		if test.listed && !strings.Contains(preflight.Get("Access-Control-Allow-Headers"), "authorization") {
			t.Errorf("want the preflight to allow authorization, got %q", preflight.Get("Access-Control-Allow-Headers"))
		}
	}
}

// TestEndpointsHaveTheirStatus requests the paths outside the GraphQL endpoint.
func TestEndpointsHaveTheirStatus(t *testing.T) {
	e := newEnv(t)
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/assets/graphiql.js": 200, "/assets/LICENSES.txt": 200, "/page.js": 200, "/nothing": 404, "/assets/": 404, "/assets/../page.js": 200} {
		status, _, header := e.request("GET", path, "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		if path == "/" && (!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'self'") || header.Get("X-Frame-Options") != "DENY") {
			t.Errorf("want a content security policy and no frames, got %v", header)
		}
	}
}

// TestUnsupportedRequestsSayWhatIsSupported expects one error for each unsupported request, and
// no REST call.
func TestUnsupportedRequestsSayWhatIsSupported(t *testing.T) {
	e := newEnv(t)
	const (
		ok     = `{"query":"{ __typename }"}`
		modern = "Accept: application/graphql-response+json"
	)
	packed := gzipped(ok)
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		says                     string
		header                   string // a header of the response, "Name: value"
	}{
		{"a batch", "POST", "/graphql", "[" + ok + "," + ok + "]", []string{isJSON}, 400, "Batches of operations are not supported", ""},
		{"a batch after white space", "POST", "/graphql", "\r\n [" + ok + "]", []string{isJSON, modern}, 400, "Batches of operations are not supported", ""},
		{"an empty batch", "POST", "/graphql", "[]", []string{isJSON}, 400, "Batches of operations are not supported", ""},
		{"a subscription", "POST", "/graphql", `{"query":"subscription { events(workspaceId: \"101\") { id } }"}`, []string{isJSON, modern}, 406, "The response to a subscription is a stream of events: accept text/event-stream.", ""},
		{"a subscription for older clients", "POST", "/graphql", `{"query":"subscription { events(workspaceId: \"101\") { id } }"}`, []string{isJSON}, 200, "accept text/event-stream", ""},
		{"a named subscription", "POST", "/graphql", `{"query":"query A { __typename } subscription B { events(workspaceId: \"101\") { id } }","operationName":"B"}`, []string{isJSON, modern}, 406, "accept text/event-stream", ""},
		{"a subscription by GET", "GET", get("subscription { events(workspaceId: \"101\") { id } }"), "", []string{modern}, 406, "accept text/event-stream", ""},
		{"an upload", "POST", "/graphql", "--x\r\n", []string{"Content-Type: multipart/form-data; boundary=x"}, 415, "Uploads by multipart/form-data are not supported", ""},
		{"a document as body", "POST", "/graphql", "{ __typename }", []string{"Content-Type: application/graphql"}, 415, "send the header Content-Type: application/json", ""},
		{"text", "POST", "/graphql", ok, []string{"Content-Type: text/plain"}, 415, "send the header Content-Type: application/json", ""},
		{"another charset", "POST", "/graphql", ok, []string{"Content-Type: application/json; charset=latin1"}, 415, "JSON in UTF-8", ""},
		{"gzip", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: gzip"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"br", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: br"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"gzip after identity", "POST", "/graphql", packed, []string{isJSON, "Content-Encoding: identity", "Content-Encoding: gzip"}, 415, "send the body without Content-Encoding", "Accept-Encoding: identity"},
		{"a mutation by GET", "GET", get(`mutation { updateTeam(input: {id: "11", name: "x"}) { team { name } } }`), "", nil, 405, "Only queries can be sent by GET", "Allow: POST"},
		{"PUT", "PUT", "/graphql", ok, []string{isJSON}, 405, "Send operations by POST, or queries by GET", "Allow: GET, POST"},
		{"DELETE", "DELETE", "/graphql", "", nil, 405, "Send operations by POST, or queries by GET", "Allow: GET, POST"},
	} {
		status, body, header := e.request(test.method, test.path, test.body, append(test.headers, asDemo)...)
		var r result
		if err := json.Unmarshal([]byte(body), &r); err != nil || status != test.status || len(r.Errors) != 1 || r.Data != nil || r.Errors[0].Extensions["code"] != bad || !strings.Contains(r.Errors[0].Message, test.says) {
			t.Errorf("%s: want one error that says what is supported, got %d %s", test.name, status, body)
		}
		if name, value, _ := strings.Cut(test.header, ": "); header.Get(name) != value {
			t.Errorf("%s: unexpected header %s: %q", test.name, name, header.Get(name))
		}
	}
	if status, body, _ := e.request("POST", "/graphql", ok, isJSON, "Content-Encoding: Identity"); status != 200 || !strings.Contains(body, `"Query"`) {
		t.Errorf("Content-Encoding identity: want 200, got %d %s", status, body)
	}
	if calls := e.callsOf(demo.Token); len(calls) > 0 {
		t.Errorf("want no calls, got %q", calls)
	}
}

// TestAcceptIsNegotiated follows RFC 9110: the most specific range of Accept decides, and a
// weight of 0 excludes a type.
func TestAcceptIsNegotiated(t *testing.T) {
	e := newEnv(t)
	const legacy, modern, none = "application/json", "application/graphql-response+json", ""
	for accept, want := range map[string]string{
		"application/json;q=0, */*":                                          modern,
		"*/*, application/json;q=0":                                          modern,
		"application/json;q=0, application/*":                                modern,
		"application/graphql-response+json;q=0, */*":                         legacy,
		"application/*;q=0, */*":                                             none,
		"application/*;q=0, application/json":                                legacy,
		"*/*;q=0, application/json":                                          legacy,
		"*/*;q=0":                                                            none,
		"application/json;q=1.":                                              legacy,
		"application/graphql-response+json;q=1., application/json;q=0.9":     modern,
		"application/graphql-response+json;q=0., application/json;q=0.1":     legacy,
		"application/json;q=0.9, */*;q=1.000":                                modern,
		"application/json;q=0.5, application/*;q=0.1":                        legacy,
		"application/json;q=0.5, application/graphql-response+json;q=0.50":   legacy,
		"application/graphql-response+json;q=0.5, application/json;q=0.5":    modern,
		"*/*, application/graphql-response+json":                             modern,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": legacy,
		"APPLICATION/JSON;Q=0, */*":                                          modern,
		"application/json; charset=utf-8; q=0.2":                             legacy,
		"application/json;q=1.5":                                             none,
		"application/json;q=NaN":                                             none,
		"application/json;q=0, text/html":                                    none,
	} {
		status, body, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, "Accept: "+accept)
		got, _, _ := strings.Cut(header.Get("Content-Type"), ";")
		if want == none {
			want = legacy
			if status != http.StatusNotAcceptable {
				t.Errorf("%s: want 406, got %d %s", accept, status, body)
			}
		} else if status != http.StatusOK {
			t.Errorf("%s: want 200, got %d %s", accept, status, body)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", accept, got, want)
		}
	}
}

// TestHalfClosedConnectionGetsAnError closes the sending side of a connection and waits. The
// client must get data or an error, never an empty response with status 200.
func TestHalfClosedConnectionGetsAnError(t *testing.T) {
	e := newEnv(t, withLatency(300*time.Millisecond))
	e.serveLikeProduction()
	for name, lines := range map[string]string{
		"a query":                `{ teams { nodes { name } } }`,
		"a mutation":             `mutation { updateTeam(input: { id: "11", name: "Acme" }) { team { name } } }`,
		"@defer":                 contactsLater + "|" + asApollo,
		"server-sent events":     `{ teams { nodes { name } } }|Accept: text/event-stream`,
		"a deadline":             `{ teams { nodes { name } } }|X-Request-Timeout: 5s`,
		"the current media type": `{ teams { nodes { id } } }|Accept: application/graphql-response+json`,
	} {
		query, header, _ := strings.Cut(lines, "|")
		if header != "" {
			header += "\r\n"
		}
		body, _ := json.Marshal(map[string]any{"query": query})
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s\r\n%sContent-Length: %d\r\n\r\n%s", isJSON, asDemo, header, len(body), body)
		_ = conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: want a response: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		_ = conn.Close()
		var r result
		if err := json.Unmarshal(text, &r); err != nil || resp.StatusCode == http.StatusOK && r.Data == nil || resp.StatusCode >= 500 || resp.StatusCode != http.StatusOK && (len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != bad) {
			t.Errorf("%s: want data or one client error, got %d %s", name, resp.StatusCode, text)
		}
	}
}

// TestCORSExposesHeadersToPages lets pages read Retry-After, ETag, X-Request-Id and
// Idempotency-Replayed, and send X-Request-Timeout and Idempotency-Key.
func TestCORSExposesHeadersToPages(t *testing.T) {
	e := newEnv(t, withOrigins("https://app.example.com"))
	const origin = "Origin: https://app.example.com"
	_, _, header := e.request("POST", "/graphql", `{"query":"{ __typename }"}`, isJSON, origin)
	for _, name := range []string{"Retry-After", "ETag", "X-Request-Id", "Idempotency-Replayed"} {
		if exposed := header.Get("Access-Control-Expose-Headers"); !strings.Contains(strings.ToLower(exposed), strings.ToLower(name)) {
			t.Errorf("want %s exposed, got %q", name, exposed)
		}
	}
	_, _, header = e.request("OPTIONS", "/graphql", "", origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,idempotency-key,x-request-timeout")
	if allowed := header.Get("Access-Control-Allow-Headers"); !strings.Contains(strings.ToLower(allowed), "idempotency-key,x-request-timeout") {
		t.Errorf("want idempotency-key and x-request-timeout allowed, got %q", allowed)
	}
}

// TestHalfClosedStreamBreaks closes the client's sending side during a response in parts. An
// incomplete response must not end like a complete one.
func TestHalfClosedStreamBreaks(t *testing.T) {
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
		return false
	}))
	for _, accept := range []string{"multipart/mixed", "text/event-stream"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		const body = `{"query":"{ __typename ... @defer { teams { nodes { name } } } }"}`
		_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\nAuthorization: Bearer demo-token\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", accept, len(body), body)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // cut off before the first part
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && strings.Contains(string(text), `"hasNext":true`) && !strings.Contains(string(text), `"hasNext":false`) {
			t.Errorf("%s: want an incomplete response to break off, got %s", accept, text)
		}
		_ = conn.Close()
	}
}
