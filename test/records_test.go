package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// on answers in the API's place where the path is this one.
func on(path string, f func(http.ResponseWriter, *http.Request)) envOption {
	return withFault(func(w http.ResponseWriter, r *http.Request, _, at string) bool {
		if at == path {
			f(w, r)
		}
		return at == path
	})
}

// growth returns how much larger the heap has been at most while f ran, in bytes.
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

// TestLargeAnswersAreBounded sends answers that would take many times their size.
func TestLargeAnswersAreBounded(t *testing.T) {
	const orders = `{ workspace(id: "101", subdomain: "acme-academy") { orders(first: 1) { nodes { id lineItems { quantity } } } } }`
	repeat := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	var fat strings.Builder
	for row := range 20 {
		fmt.Fprintf(&fat, `,{"id":%d,"workspace_id":101,"tags":%s}`, row+1, repeat(8000, `{"id":12345,"public_id":"aBcDeF","name":"A tag with a name that is not short","color":"#112233","applied_at":null}`))
	}
	for name, test := range map[string]struct{ path, body, query, want string }{
		"1.5 million rows":                         {"/workspaces/101/orders", repeat(1_500_000, `{"id":1}`), orders, "1000 rows at most"},
		"an order of as many line items":           {"/workspaces/101/orders", `[{"id":1,"line_items":` + repeat(4<<20, `{}`) + `}]`, orders, "100000 objects at most"},
		"20 contacts of 8,000 tags, beyond 16 MiB": {"/workspaces/101/contacts", "[" + fat.String()[1:] + "]", `{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { tags { name } } } } }`, "16 MiB at most"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, on(test.path, answer(200, "application/json", test.body)))
			began := time.Now()
			var r result
			if grown := growth(func() { r = e.query(test.query) }); grown > 150<<20 {
				t.Errorf("%d MiB were used", grown>>20)
			}
			if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "UPSTREAM_UNAVAILABLE" || !strings.Contains(r.Errors[0].Message, test.want) || !strings.Contains(r.Errors[0].Message, "by their ids") {
				t.Errorf("got %.300s", r.raw)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestLargeErrorsAreBounded sends an error whose text would be of gigabytes.
func TestLargeErrorsAreBounded(t *testing.T) {
	body := `{"` + strings.Repeat("k", 100<<10) + `":["a"` + strings.Repeat(`,"a"`, 20_000) + `]}`
	e := newEnv(t, on("/workspaces/101/contacts", answer(422, "application/json", body)))
	var read, written result
	if grown := growth(func() {
		read = e.query(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id } } } }`)
		written = e.query(`mutation { createContact(input: {workspaceId: "101", firstName: "Ada"}) { contact { id } userErrors { message } } }`)
	}); grown > 100<<20 {
		t.Errorf("%d MiB were used", grown>>20)
	}
	if read.code("workspace.contacts") != "BAD_USER_INPUT" || len(read.raw) > 2000 || written.get("createContact.userErrors.0.message") == nil || len(written.raw) > 2000 {
		t.Errorf("got %.300s and %.300s", read.raw, written.raw)
	}
}

// TestDecimalIDs lists records whose ids came through something that formats numbers as
// decimals, and finds what they refer to.
func TestDecimalIDs(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/form_submissions" {
			return false
		}
		if r.URL.Query().Get("after") == "" {
			w.Header().Set("Pagination-Next", "5.0")
		}
		_, _ = fmt.Fprint(w, "\xef\xbb\xbf"+`[{"id":5.0,"workspace_id":1.01e2,"contact_id":3000000001.0,"data":{},"created_at":"2025-01-01 10:00:00 UTC","updated_at":"2025-01-01"}]`)
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { formSubmissions(first: 1) { nodes { rawId createdAt updatedAt contact { rawId emailAddress } } pageInfo { endCursor } } } }`)
	for path, want := range map[string]any{"rawId": "5", "contact.rawId": "3000000001", "createdAt": "2025-01-01T10:00:00.000Z", "updatedAt": "2025-01-01T00:00:00.000Z"} {
		if got := r.get("workspace.formSubmissions.nodes.0." + path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if r.get("workspace.formSubmissions.nodes.0.contact.emailAddress") == nil {
		t.Errorf("got %s", r.raw)
	}
}

// TestIntsAreExactOrErrors sends numbers that no Int can be: each is null, with an error.
func TestIntsAreExactOrErrors(t *testing.T) {
	for value, want := range map[string]any{
		"3": 3.0, `"3"`: 3.0, "3.0": 3.0, "-2147483648": -2147483648.0, "2147483647": 2147483647.0, "null": nil, `""`: nil,
		"2147483648": "error", "-2147483649": "error", "1.5": "error", `"1,000"`: "error", "1e30": "error", "true": "error", "9007199254740993": "error",
	} {
		e := newEnv(t, on("/workspaces/101/orders", answer(200, "application/json",
			`[{"id":1,"recurring_invoices_paid_count":`+value+`,"line_items":[{"id":2,"quantity":`+value+`}]},{"id":2,"recurring_invoices_paid_count":7}]`)))
		for _, query := range []string{ // written row by row by a plan, and not
			`{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { recurringInvoicesPaidCount } } } }`,
			`{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { recurringInvoicesPaidCount lineItems { quantity } } } } }`,
		} {
			r := e.query(query)
			got := r.get("workspace.orders.nodes.0.recurringInvoicesPaidCount")
			code := r.code("workspace.orders.nodes.0.recurringInvoicesPaidCount")
			if want == "error" && (got != nil || code != "UPSTREAM_UNAVAILABLE") || want != "error" && (got != want || len(r.Errors) > 0) {
				t.Errorf("%s: %s", value, r.raw)
			}
			if strings.Contains(query, "quantity") && want == "error" && r.code("workspace.orders.nodes.0.lineItems.0.quantity") != "UPSTREAM_UNAVAILABLE" {
				t.Errorf("%s: %s", value, r.raw)
			}
			if r.get("workspace.orders.nodes.1.recurringInvoicesPaidCount") != 7.0 {
				t.Errorf("%s: %s", value, r.raw)
			}
		}
	}
}

// TestErrorsWithByteOrderMark reads the text of an error behind a byte order mark.
func TestErrorsWithByteOrderMark(t *testing.T) {
	e := newEnv(t, on("/teams", answer(403, "application/json", "\xef\xbb\xbf"+`{"error":"No API access"}`)))
	if r := e.query(`{ teams { nodes { id } } }`); r.code("teams") != "FORBIDDEN" || !strings.HasPrefix(r.Errors[0].Message, "No API access. ") {
		t.Errorf("got %s", r.raw)
	}
}

// TestRepeatedUpsert has an upsert's first attempt end in a 502, after it was carried out.
func TestRepeatedUpsert(t *testing.T) {
	var tries atomic.Int32
	e := newEnv(t, on("/workspaces/101/contacts/upsert", func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			answer(502, "text/html", badGateway)(w, r)
			return
		}
		answer(200, "application/json", `{"id":7,"workspace_id":101}`)(w, r)
	}))
	const upsert = `mutation { upsertContact(input: {workspaceId: "101", emailAddress: "a@example.com"}) { created contact { rawId } userErrors { message } } }`
	if r := e.must(upsert); r.raw != `{"data":{"upsertContact":{"created":null,"contact":{"rawId":"7"},"userErrors":[]}}}` {
		t.Errorf("got %s", r.raw)
	}
	if r := e.must(upsert); r.get("upsertContact.created") != false {
		t.Errorf("got %s", r.raw)
	}
}

// renaming lets workspace 101 be renamed to academy: its old subdomain then answers as the
// status says.
func renaming(status *atomic.Int32) envOption {
	return withFault(func(w http.ResponseWriter, r *http.Request, subdomain, path string) bool {
		now := int(status.Load())
		if now == 0 {
			return false
		}
		switch {
		case strings.Trim(subdomain, "/") == "acme-academy":
			w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
			w.WriteHeader(now)
			return true
		case path == "/workspaces/101" && r.Method == http.MethodGet && strings.Trim(subdomain, "/") == "accounts":
			_, _ = fmt.Fprint(w, `{"id":101,"public_id":"`+public101+`","team_id":11,"name":"Academy","subdomain":"academy"}`)
			return true
		}
		if strings.Trim(subdomain, "/") == "academy" {
			r.URL.Path = strings.Replace(r.URL.Path, "academy", "acme-academy", 1)
		}
		return false
	})
}

// TestRenamedWorkspace reads and writes in a workspace whose subdomain is remembered, and
// no longer its own.
func TestRenamedWorkspace(t *testing.T) {
	for _, now := range []int32{404, 410, 301} {
		var status atomic.Int32
		e := newEnv(t, renaming(&status))
		e.must(`{ workspace(id: "101") { name } }`)
		status.Store(now)
		e.forget()
		r := e.must(`{ workspace(id: "101") { contacts(first: 1) { nodes { id } } contactTags { nodes { id } } } }`)
		if r.get("workspace.contacts.nodes.0.id") == nil {
			t.Errorf("%d: %s", now, r.raw)
		}
		calls := e.take(demo.Token)
		lookUps := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return !strings.HasSuffix(call, "accounts /workspaces/101") })
		if len(lookUps) < 1 || len(lookUps) > 2 { // of two calls at once
			t.Errorf("%d: %q", now, calls)
		}
		// It is known from then on.
		e.must(`{ workspace(id: "101") { contacts(first: 1) { nodes { id } } } }`)
		if calls := e.take(demo.Token); len(calls) != 1 || !strings.HasPrefix(calls[0], "academy") {
			t.Errorf("%d: %q", now, calls)
		}
	}
	var status atomic.Int32
	e := newEnv(t, renaming(&status))
	e.must(`{ workspace(id: "101") { name } }`)
	status.Store(404)
	if r := e.must(`mutation { createContact(input: {workspaceId: "101", firstName: "Ada"}) { contact { firstName } userErrors { message } } }`); r.get("createContact.contact.firstName") != "Ada" {
		t.Errorf("got %s", r.raw)
	}
}

// TestNamedSubdomainsNeedAnOwnToken names another workspace's subdomain: only callers who
// bring the token have it called, and nobody else is misled by them.
func TestNamedSubdomainsNeedAnOwnToken(t *testing.T) {
	const misled = `{ workspace(id: "101", subdomain: "acme-retreats") { id contacts(first: 1) { nodes { id } } } }`
	subdomains := func(e *env) []string {
		var all []string
		for _, call := range e.take(demo.Token) {
			subdomain, _, _ := strings.Cut(call, " ")
			all = append(all, strings.Trim(subdomain, "/"))
		}
		slices.Sort(all)
		return all
	}
	e := newEnv(t)
	e.query(misled)
	if got := subdomains(e); !slices.Equal(got, []string{"acme-retreats"}) {
		t.Errorf("an own token: %q", got)
	}
	// The same token, without a subdomain: the workspace is looked up.
	e.must(`{ workspace(id: "101") { id contacts(first: 1) { nodes { id } } } }`)
	if got := subdomains(e); !slices.Equal(got, []string{"accounts", "acme-academy"}) {
		t.Errorf("after a wrong subdomain: %q", got)
	}
	e = newEnv(t, func(e *env, cfg *config.Config) {
		e.gate = access.Held{Token: demo.Token, Policy: limits.Policy{Limits: cfg.Limits}}
	})
	req := `{"query":` + quoted(misled) + `}`
	ask := func() {
		resp, err := http.Post(e.url+"/graphql", "application/json", strings.NewReader(req))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	ask()
	if got := subdomains(e); !slices.Equal(got, []string{"accounts", "acme-academy"}) {
		t.Errorf("a token that the server holds: %q", got)
	}
	ask()
	if got := subdomains(e); !slices.Equal(got, []string{"acme-academy"}) {
		t.Errorf("a remembered workspace: %q", got)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestRefusalsKeepTheirText refuses a write in every shape.
func TestRefusalsKeepTheirText(t *testing.T) {
	const create = `mutation { createContact(input: {workspaceId: "101", emailAddress: "a"}) { contact { id } userErrors { field message code } } }`
	for name, test := range map[string]struct {
		status      int
		media, body string
		want        string // userErrors
		code        string // of the field's error, where there are none
	}{
		"true and a message": {422, "application/json", `{"error":true,"message":"Email address is taken"}`, `[{"field":"emailAddress","message":"Email address is taken","code":"INVALID"}]`, ""},
		"plain text":         {422, "text/plain; charset=utf-8", "Email address is taken\n", `[{"field":"emailAddress","message":"Email address is taken","code":"INVALID"}]`, ""},
		"a quoted semicolon": {422, "application/json", `{"error":"Name \"a; b\" is taken; Email address is odd"}`, `[{"field":null,"message":"Name \"a; b\" is taken","code":"INVALID"},{"field":"emailAddress","message":"Email address is odd","code":"INVALID"}]`, ""},
		"a byte order mark":  {422, "application/json", "\xef\xbb\xbf" + `{"error":"No"}`, `[{"field":null,"message":"No","code":"INVALID"}]`, ""},
		"locked":             {423, "application/json", `{"error":"The contact is locked"}`, `[{"field":null,"message":"The contact is locked","code":"CONFLICT"}]`, ""},
		"a plan without it":  {402, "application/json", `{"error":"Upgrade your plan"}`, "", "FORBIDDEN"},
		"HTML":               {422, "text/html", "<html>no</html>", `[{"field":null,"message":"ClickFunnels answered 422 Unprocessable Entity.","code":"INVALID"}]`, ""},
	} {
		e := newEnv(t, on("/workspaces/101/contacts", answer(test.status, test.media, test.body)))
		r := e.query(create)
		got, _ := json.Marshal(r.get("createContact.userErrors"))
		var want, is any
		_ = json.Unmarshal([]byte(test.want), &want)
		_ = json.Unmarshal(got, &is)
		if test.code != "" {
			if r.code("createContact") != test.code || r.get("createContact") != nil {
				t.Errorf("%s: %s", name, r.raw)
			}
		} else if fmt.Sprint(want) != fmt.Sprint(is) || len(r.Errors) > 0 {
			t.Errorf("%s: %s", name, r.raw)
		}
	}
	for status, code := range map[int]string{402: "FORBIDDEN", 423: "CONFLICT"} {
		e := newEnv(t, on("/workspaces/101/contacts", answer(status, "application/json", `{"error":"No"}`)))
		if r := e.query(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id } } } }`); r.code("workspace.contacts") != code {
			t.Errorf("%d: %s", status, r.raw)
		}
	}
}

// TestLookUpErrorsAreNoUserErrors fails the calls that prepare a change.
func TestLookUpErrorsAreNoUserErrors(t *testing.T) {
	for name, test := range map[string]struct{ path, mutation, field string }{
		"the applied tag": {"/contacts/3000000004/applied_tags", `mutation { removeContactTag(input: {workspaceId: "101", contactId: "3000000004", tagId: "9001"}) { removedId: __typename userErrors { message } } }`, "removeContactTag"},
		"a tag":           {"/contacts/tags/aBcDeF", `mutation { createContact(input: {workspaceId: "101", tagIds: ["aBcDeF"]}) { contact { id } userErrors { message } } }`, "createContact"},
	} {
		for _, status := range []int{400, 409, 422, 423} {
			e := newEnv(t, on(test.path, answer(status, "application/json", `{"error":"found unpermitted parameter: :tag_id"}`)))
			r := e.query(test.mutation)
			if r.code(test.field) == "" || r.get(test.field) != nil {
				t.Errorf("%s, %d: %s", name, status, r.raw)
			}
			for _, call := range e.take(demo.Token) {
				if strings.HasPrefix(call, "POST") || strings.HasPrefix(call, "DELETE") {
					t.Errorf("%s, %d: %s", name, status, call)
				}
			}
		}
	}
}

// TestMissIsNotHeldUp looks a workspace up behind a record that is missing, while the
// accounts host fails: the look-up is made once, and comes out of no budget.
func TestMissIsNotHeldUp(t *testing.T) {
	var down atomic.Bool
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Calls = 1 }), withFault(func(w http.ResponseWriter, r *http.Request, subdomain, _ string) bool {
		if down.Load() && strings.HasPrefix(subdomain, "accounts") {
			answer(503, "application/json", `{"error":"down"}`)(w, r)
			return true
		}
		return false
	}))
	e.must(`{ workspace(id: "101") { name } }`)
	down.Store(true)
	e.forget()
	r := e.query(`{ contact(id: "99", workspaceId: "101") { emailAddress } }`)
	if r.code("contact") != "NOT_FOUND" {
		t.Errorf("got %s", r.raw)
	}
	if calls := e.take(demo.Token); len(calls) != 2 {
		t.Errorf("want the call that missed and one look-up, got %q", calls)
	}
}
