package test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestOneWorkspaceFailsAlone breaks the subdomain of one workspace in every way. The contacts
// of the other workspaces arrive, and one error has the path and the cause.
func TestOneWorkspaceFailsAlone(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request)
		code  string
		text  string
	}{
		{"502 with a page", answer(502, "text/html", badGateway), "UPSTREAM_UNAVAILABLE", "ClickFunnels answered 502 Bad Gateway."},
		{"503 with a text", answer(503, "application/json", `{"error":"This request ran out of its 20s budget"}`), "UPSTREAM_UNAVAILABLE", "This request ran out of its 20s budget"},
		{"no response", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "UPSTREAM_TIMEOUT", "ClickFunnels did not answer in time."},
		{"broken JSON", answer(200, "application/json", `[{"id": 1, "email_address": "a@`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"an object for a list", answer(200, "application/json", `{"contacts": []}`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"text for a list", answer(200, "application/json", `"hello"`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"null for a list", answer(200, "application/json", `null`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"an empty body", answer(200, "application/json", ``), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"a page for a list", answer(200, "text/html", badGateway), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"a truncated response", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = fmt.Fprint(w, "[")
			panic(http.ErrAbortHandler)
		}, "UPSTREAM_UNAVAILABLE", "ClickFunnels could not be reached."},
		{"429", answer(429, "application/json", `{"error":"Too many filtered requests are already running","retry_after":3}`), "RATE_LIMITED", "Too many filtered requests are already running"},
		{"401", answer(401, "application/json", `{"error":"API key missing or invalid"}`), "UNAUTHENTICATED", "API key missing or invalid"},
		{"403 without a body", answer(403, "text/plain", ``), "FORBIDDEN", "ClickFunnels answered 403 Forbidden. " + whatToCheck},
		{"404", answer(404, "application/json", `{"error":"Not found: Record 4 missing"}`), "NOT_FOUND", "Record 4 missing"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/elsewhere", http.StatusFound)
		}, "UPSTREAM_UNAVAILABLE", "ClickFunnels answered 302 Found."},
		{"an error with the token", answer(422, "application/json", `{"error":"bad key `+demo.Token+`"}`), "BAD_USER_INPUT", "bad key ***"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, withoutRetries, withTimeout(2*time.Second), withFault(func(w http.ResponseWriter, r *http.Request, subdomain, _ string) bool {
				if strings.HasPrefix(r.URL.Path, "/elsewhere") {
					t.Error("the redirect was followed")
				}
				if subdomain != "northwind-dance/" && subdomain != "northwind-dance" {
					return false
				}
				test.fault(w, r)
				return true
			}))
			r := e.query(nested)
			const broken = "teams.nodes.1.workspaces.nodes.1.contacts"
			if r.code(broken) != test.code || len(r.Errors) != 1 || r.Errors[0].Message != test.text {
				t.Errorf("want one error %s %q at %s, got %+v", test.code, test.text, broken, r.Errors)
			}
			if r.get(broken) != nil || r.get("teams.nodes.1.workspaces.nodes.1.name") != "Northwind Dance" {
				t.Errorf("want no contacts but the workspace's name, got %s", r.raw)
			}
			whole := 0
			for team := range 3 {
				for workspace := range 4 {
					if r.get(fmt.Sprintf("teams.nodes.%d.workspaces.nodes.%d.contacts.nodes", team, workspace)) != nil {
						whole++
					}
				}
			}
			if whole != 11 {
				t.Errorf("%d workspaces have contacts, want 11", whole)
			}
			if strings.Contains(r.raw, "secret-inside") || strings.Contains(r.raw, demo.Token) {
				t.Errorf("the response reveals internals: %s", r.raw)
			}
			if test.name == "429" && r.Errors[0].Extensions["retryAfter"] != 3.0 {
				t.Errorf("retryAfter %v, want 3", r.Errors[0].Extensions["retryAfter"])
			}
		})
	}
}

// TestCallEndsWhenTheClientIsGone cancels a request during its REST call.
func TestCallEndsWhenTheClientIsGone(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	e := newEnv(t, withFault(func(_ http.ResponseWriter, r *http.Request, _, _ string) bool {
		close(began)
		<-r.Context().Done()
		close(ended)
		return true
	}))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/graphql", strings.NewReader(`{"query":"{ teams { nodes { id } } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+demo.Token)
	go func() {
		<-began
		cancel()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Error("want no response to a canceled request")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the REST call goes on, want it canceled")
	}
}

// TestSlowWorkspaceDoesNotDelayOthers holds the calls to one workspace until the chain of calls
// to another one has ended.
func TestSlowWorkspaceDoesNotDelayOthers(t *testing.T) {
	applied := make(chan struct{})
	var e *env
	e = newEnv(t, withTimeout(5*time.Second), withFault(func(_ http.ResponseWriter, r *http.Request, subdomain, path string) bool {
		if strings.HasPrefix(subdomain, "acme-retreats") {
			select { // until the other workspace has answered
			case <-applied:
			case <-r.Context().Done():
				e.t.Error("the other workspace waits for this one")
			}
		}
		if strings.HasSuffix(path, "/applied_tags") {
			close(applied)
		}
		return false
	}))
	e.must(`{ a: workspace(id: "102", subdomain: "acme-retreats") { contact(id: "3000000058") { firstName } }
		b: workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000004") { firstName appliedTags { nodes { id } } } } }`)
}

// growth returns by how many bytes the heap grew at most while f ran.
func growth(f func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var largest uint64
		for {
			runtime.ReadMemStats(&now)
			largest = max(largest, now.HeapAlloc)
			select {
			case <-done:
				most <- largest
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return max(<-most, before.HeapAlloc) - before.HeapAlloc
}

// TestLargeResponsesAreBounded sends responses that would take many times their size in memory.
func TestLargeResponsesAreBounded(t *testing.T) {
	const orders = `{ workspace(id: "101", subdomain: "acme-academy") { orders(first: 1) { nodes { id lineItems { quantity } } } } }`
	repeat := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	var fat strings.Builder
	for row := range 20 {
		fmt.Fprintf(&fat, `,{"id":%d,"workspace_id":101,"tags":%s}`, row+1, repeat(8000, `{"id":12345,"public_id":"aBcDeF","name":"A tag with a name that is not short","color":"#112233","applied_at":null}`))
	}
	for name, test := range map[string]struct{ path, body, query, want string }{
		"1.5 million rows":                         {"/workspaces/101/orders", repeat(1_500_000, `{"id":1}`), orders, "the limit of 1000 rows"},
		"an order of as many line items":           {"/workspaces/101/orders", `[{"id":1,"line_items":` + repeat(4<<20, `{}`) + `}]`, orders, "the limit of 100000 objects"},
		"20 contacts of 8,000 tags, beyond 16 MiB": {"/workspaces/101/contacts", "[" + fat.String()[1:] + "]", `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { tags { name } } } } }`, "the limit of 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, on(test.path, answer(200, "application/json", test.body)))
			began := time.Now()
			var r result
			if grown := growth(func() { r = e.query(test.query) }); grown > 150<<20 {
				t.Errorf("%d MiB were used, want at most 150", grown>>20)
			}
			if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "UPSTREAM_UNAVAILABLE" || !strings.Contains(r.Errors[0].Message, test.want) || !strings.Contains(r.Errors[0].Message, "by their ids") {
				t.Errorf("want one UPSTREAM_UNAVAILABLE with advice, got %.300s", r.raw)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s, want at most 10s", took)
			}
		})
	}
}

// TestLargeErrorsAreBounded sends an error whose text would expand to gigabytes.
func TestLargeErrorsAreBounded(t *testing.T) {
	body := `{"` + strings.Repeat("k", 100<<10) + `":["a"` + strings.Repeat(`,"a"`, 20_000) + `]}`
	e := newEnv(t, on("/workspaces/101/contacts", answer(422, "application/json", body)))
	var read, written result
	if grown := growth(func() {
		read = e.query(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id } } } }`)
		written = e.query(`mutation { createContact(input: {workspaceId: "101", firstName: "Ada"}) { contact { id } userErrors { message } } }`)
	}); grown > 100<<20 {
		t.Errorf("%d MiB were used, want at most 100", grown>>20)
	}
	if read.code("workspace.contacts") != "BAD_USER_INPUT" || len(read.raw) > 2000 || written.get("createContact.userErrors.0.message") == nil || len(written.raw) > 2000 {
		t.Errorf("want short errors, got %.300s and %.300s", read.raw, written.raw)
	}
}

// whatToCheck is the end of the message of a 403.
const whatToCheck = "Check that the account's plan includes API access, that the token's scope covers this, and that the User-Agent (--user-agent) is a distinct name."

// TestForbiddenSaysWhatToCheck answers 403 in each shape to reads and writes. The message keeps
// ClickFunnels' text.
func TestForbiddenSaysWhatToCheck(t *testing.T) {
	for _, test := range []struct{ contentType, body, text string }{
		{"application/json", `{"error":"Workspace stats are in Closed Beta"}`, "Workspace stats are in Closed Beta. "},
		{"application/json", `{"error":"Your plan has no API access."}`, "Your plan has no API access. "},
		{"application/json", ``, "ClickFunnels answered 403 Forbidden. "},
		{"text/html", `<html><body><h1>Access denied</h1></body></html>`, "ClickFunnels answered 403 Forbidden. "},
	} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
			answer(403, test.contentType, test.body)(w, r)
			return true
		}))
		for field, query := range map[string]string{
			"teams":         `{ teams { nodes { name } } }`,
			"updateContact": `mutation { updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "A"}) { contact { id } userErrors { message } } }`,
		} {
			r := e.query(query)
			if len(r.Errors) != 1 || r.code(field) != "FORBIDDEN" || r.Errors[0].Message != test.text+whatToCheck {
				t.Errorf("%s, %q: want FORBIDDEN with what to check, got %s", field, test.body, r.raw)
			}
		}
	}
}
