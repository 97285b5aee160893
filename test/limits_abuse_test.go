package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/serving"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// hostile is a hostile request.
type hostile struct {
	name string
	send func(e *env) *http.Request
	// code is the code of one of its errors. It is empty if no error is required.
	code string
}

// operation builds a POST request for an operation with the given variables.
func operation(query string, variables ...any) func(*env) *http.Request {
	params := map[string]any{"query": query}
	if len(variables) > 0 {
		params["variables"] = variables[0]
	}
	body, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	return post(string(body))
}

// other builds a request without a body. headers are "Name: value".
func other(method, path string, headers ...string) func(*env) *http.Request {
	return func(e *env) *http.Request {
		r, err := http.NewRequest(method, e.url+path, nil)
		if err != nil {
			e.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		return r
	}
}

// globalID encodes a text as global ids are encoded.
func globalID(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// attacks returns the hostile requests.
func attacks() []hostile {
	const ok = `{"query":"{ __typename }"}`
	rep := strings.Repeat
	list := []hostile{}
	add := func(name, code string, send func(*env) *http.Request) {
		list = append(list, hostile{name, send, code})
	}

	// Bodies
	for name, body := range map[string]string{
		"no body": "", "a space": " ", "null": "null", "a number": "7", "text": `"{ __typename }"`, "true": "true", "a list": "[" + ok + "]",
		"a batch of thousands": "[" + rep(ok+",", 5000) + ok + "]", "two objects": ok + ok, "garbage after the object": ok + "x", "half an object": ok[:10],
		"a BOM": "\uFEFF" + ok, "UTF-16": "\xff\xfe{\x00}\x00", "only braces": rep("{", 100_000), "only brackets": rep("[", 100_000), "a comment": "/**/" + ok,
		"single quotes": `{'query':'{ __typename }'}`, "a trailing comma": `{"query":"{ __typename }",}`, "NaN": `{"query":NaN}`, "no query": "{}",
		"null query": `{"query":null}`, "a number for a query": `{"query":1e999}`, "a list for a query": `{"query":["{ __typename }"]}`, "an object for a query": `{"query":{"a":1}}`,
		"an empty query": `{"query":""}`, "blanks for a query": `{"query":" \n\t,,, "}`, "text for variables": `{"query":"{ __typename }","variables":"{}"}`,
		"a list for variables": `{"query":"{ __typename }","variables":[]}`, "a number for an operation's name": `{"query":"{ __typename }","operationName":7}`,
		"text for extensions": `{"query":"{ __typename }","extensions":"x"}`, "a bad escape": `{"query":"\u12"}`, "a raw line break": "{\"query\":\"{ __typename\n}\"}",
		"too large": `{"query":"` + rep("#", 1<<20) + `"}`, "deep variables": `{"query":"{ __typename }","variables":` + rep(`{"a":`, 20_000) + "1" + rep("}", 20_000) + "}",
	} {
		add("body: "+name, bad, post(body))
	}
	add("body: compressed", bad, post(gzipped(ok), "Content-Encoding: gzip"))
	add("body: a million compressed zeros", bad, post(gzipped(rep("\x00", 1<<24)), "Content-Encoding: gzip"))
	add("body: the same key twice", "", post(`{"query":"{ nope }","query":"{ __typename }"}`))
	add("body: ten thousand keys", "", post("{"+each(10_000, func(i int) string { return fmt.Sprintf(`"k%d":%d,`, i, i) })+`"query":"{ __typename }"}`))
	add("body: keys of JavaScript", "", post(`{"query":"{ __typename }","__proto__":{"admin":true},"constructor":{}}`))
	for _, media := range []string{"", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql", "application/json; charset=utf-16", "application/json;;;=", "application/jsonp", rep("a", 20_000)} {
		add("Content-Type: "+media[:min(40, len(media))], bad, post(ok, "Content-Type: "+media))
	}

	// Documents
	for name, query := range map[string]string{
		"a brace": "{", "only a closing brace": "}", "a comment only": "# nothing", "a long comment": "#" + rep("x", 500_000), "a fragment only": "fragment F on Query { __typename }",
		"an empty selection set": "{ }", "a type": "type Query { a: Int }", "an extension of the schema": "extend type Query { a: Int }", "a mutation": "mutation { deleteContact(id: 1) { id } }",
		"a subscription": "subscription { contacts { id } }", "two anonymous operations": "{ __typename } { __typename }", "the same name twice": "query A { __typename } query A { __typename }",
		"two operations without operationName": "query A { __typename } query B { __typename }", "thousands of braces": rep("{a", 2000) + rep("}", 2000), "a hundred thousand braces": rep("{", 100_000),
		"deeply nested": rep("{ teams { nodes", 40) + "{ id }" + rep("}}", 40),
		"a deep list":   `{ nodes(ids: ` + rep("[", 1200) + rep("]", 1200) + `) { id } }`, "a deep object": `{ workspace(id: "1") { contacts(filter: ` + rep("{ids: ", 1100) + "1" + rep("}", 1100) + `) { nodes { id } } } }`,
		"an unknown field": "{ password }", "thousands of unknown fields": "{" + each(4000, func(i int) string { return fmt.Sprintf("x%d ", i) }) + "}",
		"an unknown argument": `{ teams(limit: 5) { nodes { id } } }`, "an unknown type": `query($x: Secret) { __typename }`, "an unknown fragment": "{ ...F }", "a fragment on nothing": "{ ...F } fragment F on Nope { id }",
		"a field of a scalar": "{ teams { nodes { name { x } } } }", "an object without fields": "{ teams }", "a recursive fragment": "{ ...F } fragment F on Query { ...F }",
		"a cycle of fragments":   "{ ...F0 }" + each(200, func(i int) string { return fmt.Sprintf("fragment F%d on Query { __typename ...F%d }", i, (i+1)%200) }),
		"unused fragments":       "{ __typename }" + each(400, func(i int) string { return fmt.Sprintf("fragment F%d on Query { __typename }", i) }),
		"an undeclared variable": `{ team(id: $id) { id } }`, "an unused variable": `query($id: ID) { __typename }`, "a missing variable": `query($id: ID!) { team(id: $id) { id } }`,
		"a thousand variables": "query(" + each(1200, func(i int) string { return fmt.Sprintf("$v%d: Int ", i) }) + ") { __typename }", "an argument a thousand times": "{ teams(" + rep("first: 1 ", 1500) + ") { nodes { id } } }",
		"a thousand operations": each(1000, func(i int) string { return fmt.Sprintf("query A%d { __typename }", i) }), "a number of 400 digits": "{ teams(first: 1" + rep("0", 400) + ") { nodes { id } } }",
		"2^31 rows": "{ teams(first: 2147483648) { nodes { id } } }", "2^63 rows": "{ teams(first: 9223372036854775808) { nodes { id } } }", "minus one row": "{ teams(first: -1) { nodes { id } } }",
		"no rows": "{ teams(first: 0) { nodes { id } } }", "101 rows": "{ teams(first: 101) { nodes { id } } }", "half a row": "{ teams(first: 0.5) { nodes { id } } }", "rows as text": `{ teams(first: "20") { nodes { id } } }`,
		"first and last": "{ teams(first: 1, last: 1) { nodes { id } } }", "an unknown enum value": `{ workspace(id: "101") { contacts(sort: { property: PASSWORD }) { nodes { id } } } }`,
		"an unknown input field": `{ workspace(id: "101") { contacts(filter: { owner: 1 }) { nodes { id } } } }`, "a hundred and one ids": `{ nodes(ids: [` + rep(`"x",`, 101) + `]) { id } }`,
		"thousands of ids": `{ nodes(ids: [` + rep(`"x" `, 4900) + `]) { id } }`, "a long name": "{ " + rep("a", 500_000) + " }", "a long alias": "{ " + rep("a", 200_000) + ": nope }",
		"an unclosed string": `{ team(id: "1) { id } }`, "an unclosed block string": `{ team(id: """1) { id } }`, "a bad escape": `{ team(id: "\x") { id } }`, "a control character": "{ team(id: \"\x01\") { id } }",
		"a NUL": "{ \x00 }", "a name in another script": "{ tеams { nodes { id } } }", "an emoji": "{ 💣 }", "right-to-left text": "{ \u202e }",
		"unknown directives": "{ __typename" + rep(" @a", 90) + " }", "a thousand directives": "{ __typename" + rep(" @a", 1000) + " }", "@skip 150 times": "{ __typename" + rep(" @skip(if: false)", 150) + " }",
		"@skip without if": "{ __typename @skip }", "@include of a string": `{ __typename @include(if: "yes") }`, "@deprecated in a query": "{ __typename @deprecated }",
		"@stream":              `{ teams { nodes @stream(initialCount: 0) { id } } }`,
		"ten thousand aliases": "{" + each(10_000, func(i int) string { return fmt.Sprintf("a%d: __typename ", i) }) + "}", "201 aliases": "{ teams { " + each(201, func(i int) string { return fmt.Sprintf("a%d: __typename ", i) }) + "} }",
		"a list under 150 aliases": "{" + each(150, func(i int) string { return fmt.Sprintf("a%d: teams { nodes { id } } ", i) }) + "}", "a field five thousand times": "{" + rep(" __typename", 4900) + "}",
		"a list 700 times": "{" + rep(" teams { nodes { id } }", 700) + "}", "fragments that double their size": "{ ...F0 }" + each(60, func(i int) string {
			if i == 59 {
				return "fragment F59 on Query { teams { nodes { id } } }"
			}
			return fmt.Sprintf("fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
		}) + "{ nope }",
		"fragments that double a list": "{ teams { nodes { ...F0 } } }" + each(40, func(i int) string {
			if i == 39 {
				return "fragment F39 on Team { name }"
			}
			return fmt.Sprintf("fragment F%d on Team { workspaces { nodes { team { ...F%d } } } }", i, i+1)
		}),
		"rows of rows of rows":    `{ teams(first: 100) { nodes { workspaces(first: 100) { nodes { contacts(first: 100) { nodes { id emailAddress appliedTags(first: 100) { nodes { id } } } } } } } } }`,
		"conflicting fields":      "{" + each(300, func(i int) string { return fmt.Sprintf(`a: node(id: "%d") { id } `, i) }) + "}",
		"the schema, nested":      `{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`,
		"a type a thousand times": "{" + each(150, func(i int) string { return fmt.Sprintf(`t%d: __type(name: "Contact") { fields { name } } `, i) }) + "}",
	} {
		add("document: "+name, bad, operation(query))
	}
	add("document: inline fragments, nested", "", operation("{"+rep("... on Query {", 900)+"__typename"+rep("}", 901)))
	add("document: @defer", "", operation(`{ ... @defer { teams { nodes { id } } } }`))
	add("document: an unknown type's name", "", operation(`{ __type(name: "`+rep("x", 100_000)+`") { name } }`))
	add("document: broken UTF-8", bad, post("{\"query\":\"{ \xff\xfe }\"}"))
	add("document: half a surrogate", "", post(`{"query":"{ team(id: \"\ud800\") { id } }"}`))

	// Variables
	for name, v := range map[string]any{"a huge number": json.RawMessage("1" + rep("0", 5000)), "a huge exponent": json.RawMessage("1e999999"), "text": "many", "true": true, "a list": []int{1}, "an object": map[string]int{"a": 1}, "a fraction": 1.5, "minus": -5, "two to the 64th": json.RawMessage("18446744073709551616")} {
		add("variable for rows: "+name, bad, operation(`query($n: Int) { teams(first: $n) { nodes { id } } }`, map[string]any{"n": v}))
	}
	for name, v := range map[string]any{"a list": []int{1}, "an object": map[string]int{"a": 1}, "true": true, "null": nil, "half a megabyte": rep("x", 500_000), "a fraction": 1.5, "nested lists": json.RawMessage(rep("[", 5000) + rep("]", 5000))} {
		add("variable for an id: "+name, bad, operation(`query($id: ID!) { team(id: $id) { name } }`, map[string]any{"id": v}))
	}
	add("variables: thousands of ids", bad, operation(`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": strings.Split(rep("x,", 50_000), ",")}))
	add("variables: a thousand filters", bad, operation(`query($f: ContactFilter) { workspace(id: "101") { contacts(filter: $f) { nodes { id } } } }`, map[string]any{"f": map[string]any{"emailAddresses": strings.Split(rep("a@b.c,", 1000), ",")}}))
	add("variables: unknown ones", "", operation(`{ __typename }`, map[string]any{"x": rep("y", 100_000)}))

	// Malformed ids, in place of the id of a team, a workspace, a contact, and any object
	for _, id := range []string{
		"", " ", ".", "..", "../teams", "..%2fteams", "1/2", "1?x=1", "1#x", "%00", "\x00", "1\r\nHost: evil.example", "http://evil.example", "//evil.example", "@evil.example", "1@evil.example:80",
		"١٢٣", "-1", "+1", "1 OR 1=1", "1;", "$(id)", "{{7*7}}", "null\n", rep("9", 65), rep("A", 10_000), "\u202e1", "é",
		globalID("1:team:../users"), globalID("1:team:1?a=b"), globalID("1:contact:../x:1"), globalID("1:contact:evil.example:1"), globalID("2:team:11"), globalID("1:secret:1"), globalID("1:contact:1"),
	} {
		text, _ := json.Marshal(id)
		q := string(text)
		add("id: "+q[:min(40, len(q))], bad, operation(`query($id: ID!) { a: team(id: $id) { name } b: workspace(id: $id) { name } c: contact(id: $id, workspaceId: "101") { emailAddress } d: contact(id: "3000000001", workspaceId: $id) { emailAddress } e: node(id: $id) { id } }`, map[string]any{"id": id}))
	}
	// Well-formed ids of missing records
	for _, id := range []string{"0", "007", "1e3", "0x10", rep("9", 40), "null", "undefined", "true", "___", "-", globalID("1:team:" + rep("9", 60)), globalID("1:contact:accounts:1"), globalID("1:membership:11:1"), globalID("1:user:1")} {
		add("missing id: "+id[:min(30, len(id))], "", operation(`query($id: ID!) { a: team(id: $id) { name } b: workspace(id: $id) { name } e: node(id: $id) { id } }`, map[string]any{"id": id}))
	}

	for _, subdomain := range []string{"", "evil.example", "acme.evil", "a/b", "..", "-", "acme-", "-acme", "acme_x", rep("a", 64), "acme:80", "acme@evil", "acme\r\nX: y", "acme\x00", "ácme", "acme%2eevil", " acme", "[::1]", "127.0.0.1"} {
		add(fmt.Sprintf("subdomain: %.30q", subdomain), bad, operation(`query($s: String) { workspace(id: "101", subdomain: $s) { contacts { nodes { id } } } }`, map[string]any{"s": subdomain}))
	}
	for _, cursor := range []string{"", "x", "-1", "1.5", " 1", "1\n", "1&sort_order=desc", "1%26", "18446744073709551616", rep("1", 10_000), "٣", "\x00", "null"} {
		add(fmt.Sprintf("cursor: %.30q", cursor), bad, operation(`query($c: String) { teams(after: $c) { nodes { id } } }`, map[string]any{"c": cursor}))
	}
	for _, value := range []string{"a@b.c,d@e.f", "", " ", "a\nb", "a\x00"} {
		add(fmt.Sprintf("filter: %.30q", value), bad, operation(`query($v: String!) { workspace(id: "101") { contacts(filter: { emailAddresses: [$v] }) { nodes { id } } } }`, map[string]any{"v": value}))
	}
	for _, value := range []string{"a&filter[id]=1", "a]=1&x[", "' OR '1'='1", "<script>", rep("a", 5000)} {
		add(fmt.Sprintf("filter, well escaped: %.30q", value), "", operation(`query($v: String!) { workspace(id: "101") { contacts(filter: { emailAddresses: [$v] }) { nodes { id } } } }`, map[string]any{"v": value}))
	}

	// Headers
	for _, token := range []string{"Bearer", "Bearer ", "Bearer a b", "Basic " + demo.Token, "Bearer " + rep("t", 5000), "Bearer \u00e9", "bearer\t" + demo.Token, "Bearer null"} {
		add(fmt.Sprintf("Authorization: %.30q", token), string(upstream.Unauthenticated), post(`{"query":"{ teams { nodes { id } } }"}`, "Authorization: "+token))
	}
	for _, accept := range []string{"text/html", "*/*;q=0", "application/json;q=0", "application/json;q=abc", "application/json;charset=latin1", rep("text/x,", 2000), ";;;", "application/graphql-response+json;q=-1"} {
		add(fmt.Sprintf("Accept: %.30q", accept), bad, post(ok, "Accept: "+accept))
	}
	add("Accept: a long list", "", post(ok, "Accept: "+rep("text/x;q=0.1,", 1000)+"application/json"))
	add("Cache-Control: long", "", post(ok, "Cache-Control: "+rep("no-cache=,", 1000)))
	add("Origin: not listed", "", post(ok, "Origin: https://evil.example"))
	add("X-HTTP-Method-Override", bad, other("GET", "/graphql", "X-HTTP-Method-Override: POST"))
	add("a page of another site", string(upstream.Forbidden), other("GET", "/graphql?query={__typename}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Authorization: "))

	// GET requests
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for name, path := range map[string]string{
		"nothing": "/graphql", "a query without a value": "/graphql?query", "a mutation": get("mutation { a }"), "broken escapes": "/graphql?query=%zz", "a semicolon": "/graphql?query={__typename};x=1",
		"invalid variables": get("{ __typename }") + "&variables=x", "a list for variables": get("{ __typename }") + "&variables=[]", "text for extensions": get("{ __typename }") + "&extensions=%22x%22",
		"broken UTF-8": "/graphql?query=%7B%ff%7D",
	} {
		add("GET: "+name, bad, other("GET", path))
	}
	add("GET: deep variables", "", other("GET", get("{ __typename }")+"&variables="+url.QueryEscape(rep(`{"a":`, 3000)+"1"+rep("}", 3000))))
	add("GET: a query twice", "", other("GET", get("{ __typename }")+"&query=x"))
	for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "X"} {
		add("method: "+method, bad, other(method, "/graphql"))
	}

	// Documents by id or hash
	extensions := func(text string) string { return `{"extensions":` + text + `}` }
	for name, body := range map[string]string{
		"a number for an id": `{"documentId":7}`, "an object for an id": `{"id":{"$ne":null}}`,
		"another hash": `{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hashOf("{ teams }") + `"}}}`,
		"no version":   extensions(`{"persistedQuery":{"sha256Hash":"x"}}`), "version 2": extensions(`{"persistedQuery":{"version":2,"sha256Hash":"x"}}`),
		"a list in place of the extension": extensions(`{"persistedQuery":[1]}`), "text in place of the extension": extensions(`{"persistedQuery":"x"}`),
		"our own key": extensions(`{"documentId":"x"}`), "a hash of capitals": `{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.ToUpper(hashOf("{ __typename }")) + `"}}}`,
	} {
		add("persisted: "+name, bad, post(body))
	}
	for name, body := range map[string]string{
		"an unknown id": `{"documentId":"nope"}`, "a path for an id": `{"documentId":"../../etc/passwd"}`,
		"an id of half a megabyte": `{"documentId":"` + rep("x", 500_000) + `"}`, "an id beside a query": `{"documentId":"nope","query":"{ __typename }"}`,
	} {
		add("persisted: "+name, "DOCUMENT_NOT_FOUND", post(body))
	}
	add("persisted: an unknown hash", "PERSISTED_QUERY_NOT_FOUND", post(extensions(`{"persistedQuery":{"version":1,"sha256Hash":"`+hashOf("x")+`"}}`)))
	add("persisted: a number for a hash", "PERSISTED_QUERY_NOT_FOUND", post(extensions(`{"persistedQuery":{"version":1,"sha256Hash":7}}`)))
	add("persisted: an unknown hash of half a megabyte", "PERSISTED_QUERY_NOT_FOUND", post(extensions(`{"persistedQuery":{"version":1,"sha256Hash":"`+rep("x", 500_000)+`"}}`)))
	add("persisted: a document that does not parse", bad, post(`{"query":"{","extensions":{"persistedQuery":{"version":1,"sha256Hash":"`+hashOf("{")+`"}}}`))
	add("persisted: the same document by its hash", bad, post(extensions(`{"persistedQuery":{"version":1,"sha256Hash":"`+hashOf("{")+`"}}`)))
	return list
}

// inside matches stack traces, source files and addresses, which no response may reveal.
var inside = regexp.MustCompile(`goroutine \d|\.go:\d|runtime error|panic|0xc0[0-9a-f]{6}|internal/|github\.com/`)

// TestAbuseIsRefusedQuickly sends every hostile request. Each gets a 2xx or 4xx status code and
// a clear, short error, quickly and with few REST calls.
func TestAbuseIsRefusedQuickly(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	e := newEnv(t)
	list := attacks()
	if len(list) < 150 {
		t.Errorf("%d hostile requests, want at least 150", len(list))
	}
	names := make(map[string]bool)
	for _, attack := range list {
		if names[attack.name] {
			t.Errorf("two requests have the name %s, want unique names", attack.name)
		}
		names[attack.name] = true
		begun := time.Now()
		status, body, header := e.do(attack.send(e))
		// The limit is ten times what an idle machine takes.
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s: took %s, want at most 3s", attack.name, took)
		}
		if status < 200 || status > 499 || status/100 == 3 {
			t.Errorf("%s: status %d, want 2xx or 4xx", attack.name, status)
		}
		if !strings.HasPrefix(header.Get("Content-Type"), "application/") || !json.Valid([]byte(body)) {
			t.Errorf("%s: want JSON, got %s %.200s", attack.name, header.Get("Content-Type"), body)
			continue
		}
		if found := inside.FindString(body); found != "" {
			t.Errorf("%s: the response reveals %q: %.500s", attack.name, found, body)
		}
		if len(body) > 16<<10 {
			t.Errorf("%s: a response of %d bytes, want at most 16384: %.200s", attack.name, len(body), body)
		}
		var answered result
		if err := json.Unmarshal([]byte(body), &answered); err != nil {
			t.Errorf("%s: want a GraphQL response: %v", attack.name, err)
		}
		if hasCode := slices.ContainsFunc(answered.Errors, func(e fieldError) bool { return e.Extensions["code"] == attack.code }); attack.code != "" && !hasCode {
			t.Errorf("%s: want %s, got %d %.500s", attack.name, attack.code, status, body)
		}
		for _, failed := range answered.Errors {
			if failed.Message == "" || len(failed.Message) > 600 || failed.Extensions["code"] == nil || failed.Extensions["code"] == "INTERNAL_SERVER_ERROR" {
				t.Errorf("%s: want a short message and a client's code, got %+.300v", attack.name, failed)
			}
		}
		if calls := e.take(demo.Token); len(calls) > 200 {
			t.Errorf("%s: %d calls, want at most 200", attack.name, len(calls))
		}
	}
	var m runtime.MemStats
	runtime.GC()
	if runtime.ReadMemStats(&m); m.HeapAlloc > 256<<20 {
		t.Errorf("%d MB are reachable, want at most 256", m.HeapAlloc>>20)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(log.String(), "panic") || strings.Contains(log.String(), demo.Token) {
		t.Errorf("want neither a panic nor the token in the log, got %.2000s", log.String())
	}
	// The server still answers.
	e.must(nested)
	t.Logf("%d hostile inputs", len(list))
}

// TestAbuseOfHTTPIsRefused sends malformed HTTP and bodies that never end. Each is answered
// with 4xx or cut off, and the server continues to work.
func TestAbuseOfHTTPIsRefused(t *testing.T) {
	e := newEnv(t)
	server := httptest.NewUnstartedServer(e.front.Config.Handler)
	server.Config = serving.New(e.front.Config.Handler)
	if c := server.Config; c.ReadHeaderTimeout <= 0 || c.ReadTimeout <= 0 || c.WriteTimeout <= 0 || c.IdleTimeout <= 0 || c.MaxHeaderBytes <= 0 {
		t.Errorf("want limits for the time and the size of requests, got %+v", c)
	}
	server.Config.ReadTimeout, server.Config.ReadHeaderTimeout, server.Config.IdleTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn)
	server.Start()
	defer server.Close()
	const head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + demo.Token + "\r\n"
	const query = `{"query":"{ teams { nodes { id } } }"}`
	const http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	var wait sync.WaitGroup
	for name, text := range map[string]string{
		"not HTTP":                            "hello\r\n\r\n",
		"HTTP/0.9":                            "GET /graphql\r\n\r\n",
		"HTTP/9.9":                            "GET /graphql HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"no host":                             "GET /graphql HTTP/1.1\r\n\r\n",
		"two hosts":                           "GET /graphql HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"an endless header":                   head + "X: " + strings.Repeat("x", 200_000),
		"thousands of headers":                head + strings.Repeat("X-Y: z\r\n", 20_000) + "\r\n",
		"a folded header":                     head + "X: y\r\n z\r\nContent-Length: 0\r\n\r\n",
		"a NUL in a header":                   head + "X: \x00\r\n\r\n",
		"a negative length":                   head + "Content-Length: -1\r\n\r\n" + query,
		"two lengths":                         head + "Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + query,
		"a length with chunks":                head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an unknown encoding":                 head + "Transfer-Encoding: smuggled\r\n\r\n" + query,
		"a chunk of garbage":                  head + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + query,
		"a chunk of 2^64":                     head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + query,
		"half a body":                         head + "Content-Length: 1000\r\n\r\n" + query,
		"a body without its last byte":        head + "Content-Length: " + strconv.Itoa(len(query)) + "\r\n\r\n" + query[:len(query)-1],
		"a body of petabytes":                 head + "Content-Length: 9000000000000000\r\n\r\n" + query,
		"half a header":                       head,
		"a path outside":                      "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"an absolute address":                 "GET http://evil.example/graphql?query={__typename} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"a CONNECT request":                   "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
		"a WebSocket upgrade":                 "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"HTTP/2 without a request":            http2 + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"HTTP/2 without settings":             http2 + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82",
		"HTTP/2 with half a header":           http2 + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82",
		"HTTP/2 with garbage":                 http2 + strings.Repeat("x", 200_000),
		"Expect: 100-continue without a body": head + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
		"an unknown expectation":              head + "Expect: miracles\r\nContent-Length: 0\r\n\r\n",
	} {
		wait.Go(func() {
			answered, err := exchange(t, server.Listener.Addr().String(), text)
			if netErr, ok := err.(net.Error); ok && netErr.Timeout() { //nolint:errorlint // of this very call
				t.Errorf("%s: want a response or a closed connection, got %.200s", name, answered)
			}
			frames := strings.HasPrefix(text, http2) && bytes.HasPrefix(answered, []byte{0, 0}) // of at most a few bytes
			if len(answered) > 0 && !frames && !regexp.MustCompile(`^HTTP/1\.[01] (100|200|307|4\d\d|501|505)`).Match(answered) || inside.Match(answered) {
				t.Errorf("%s: want a client error without internals, got %.300s", name, answered)
			}
			if bytes.Contains(answered, []byte("root:")) || bytes.Contains(answered, []byte(demo.Token)) {
				t.Errorf("%s: the response reveals a file or the token: %.300s", name, answered)
			}
		})
	}
	wait.Wait()
	if calls := e.callsOf(demo.Token); len(calls) > 0 {
		t.Errorf("want no calls, got %q", calls)
	}
	e.must(nested)
}

// exchange sends a text on a connection of its own, and returns all that the server answers.
func exchange(t *testing.T, address, text string) ([]byte, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, text) // the server may cut the connection
	return io.ReadAll(conn)
}

// TestMemoryGrowsWithReceivedBodies announces large bodies and sends one byte of each, on many
// connections and on one HTTP/2 connection.
func TestMemoryGrowsWithReceivedBodies(t *testing.T) {
	const announced, most = 1 << 20, 64 << 20 // bytes
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for _, test := range []struct {
		name     string
		requests int
		send     func(t *testing.T, e *env)
	}{
		{"300 connections", 300, func(t *testing.T, e *env) {
			t.Helper()
			conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %d\r\n\r\n{", isJSON, announced)
		}},
		{"250 streams of one connection", 250, nil},
		{"300 connections that announce an HTTP/2 frame", 0, func(t *testing.T, e *env) {
			t.Helper()
			for range 300 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				// HTTP/2 settings, and then the header of a frame of an unknown type with
				// length 2²⁰-1
				_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x0f\xff\xff\xee\x00\x00\x00\x00\x00x")
			}
			time.Sleep(time.Second)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			e.serveLikeProduction()
			if test.send == nil {
				transport := &http.Transport{Protocols: h2c, MaxConnsPerHost: 1}
				t.Cleanup(transport.CloseIdleConnections)
				test.send = func(t *testing.T, e *env) {
					t.Helper()
					body, w := io.Pipe()
					t.Cleanup(func() { _ = w.Close() })
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/graphql", body)
					if err != nil {
						t.Fatal(err)
					}
					req.ContentLength = announced
					req.Header.Set("Content-Type", "application/json")
					go func() {
						if resp, err := transport.RoundTrip(req); err == nil {
							_ = resp.Body.Close()
						}
					}()
					_, _ = w.Write([]byte("{"))
				}
			}
			before := liveHeap()
			for range max(1, test.requests) {
				test.send(t, e)
			}
			for end := time.Now().Add(20 * time.Second); e.telemetry.InFlight() < test.requests; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d of %d requests have begun", e.telemetry.InFlight(), test.requests)
				}
			}
			time.Sleep(100 * time.Millisecond) // by then a handler that allocates ahead has done so
			if grown := liveHeap() - before; grown > most {
				t.Errorf("the heap grew by %d MB, want at most 64", grown>>20)
			}
		})
	}
}

// liveHeap returns the number of bytes of reachable objects.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
