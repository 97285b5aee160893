package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

const badGateway = `<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1> secret-inside</body></html>`

// answer is what a host sends in place of the API.
func answer(status int, media, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// TestOneWorkspaceFails breaks one workspace's subdomain in every way: the
// others' contacts arrive, and the error says where and what.
func TestOneWorkspaceFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request)
		code  string
		text  string
	}{
		{"502 with a page", answer(502, "text/html", badGateway), "UPSTREAM_UNAVAILABLE", "ClickFunnels answered 502 Bad Gateway."},
		{"503 with a text", answer(503, "application/json", `{"error":"This request ran out of its 20s budget"}`), "UPSTREAM_UNAVAILABLE", "This request ran out of its 20s budget"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "UPSTREAM_TIMEOUT", "ClickFunnels did not answer in time."},
		{"broken JSON", answer(200, "application/json", `[{"id": 1, "email_address": "a@`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"an object for a list", answer(200, "application/json", `{"contacts": []}`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"text for a list", answer(200, "application/json", `"hello"`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"null for a list", answer(200, "application/json", `null`), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"nothing", answer(200, "application/json", ``), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"a page for a list", answer(200, "text/html", badGateway), "UPSTREAM_UNAVAILABLE", "ClickFunnels sent a response that cannot be read."},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
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
		{"echoes the token", answer(422, "application/json", `{"error":"bad key `+demo.Token+`"}`), "BAD_USER_INPUT", "bad key ***"},
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
				t.Errorf("the workspace itself: %s", r.raw)
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
				t.Errorf("something of the inside is in the answer: %s", r.raw)
			}
			if test.name == "429" && r.Errors[0].Extensions["retryAfter"] != 3.0 {
				t.Errorf("retryAfter %v, want 3", r.Errors[0].Extensions["retryAfter"])
			}
		})
	}
}

// TestAccountsFail has the first call of all fail.
func TestAccountsFail(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		answer(502, "text/html", badGateway)(w, r)
		return true
	}))
	r := e.query(`{ teams { nodes { name } } users { nodes { id } } }`)
	if r.code("teams") != "UPSTREAM_UNAVAILABLE" || r.code("users") != "UPSTREAM_UNAVAILABLE" || r.Data == nil {
		t.Errorf("got %s", r.raw)
	}
}

// TestBatchFails has the one call for many contacts fail: each of them has the
// error, and what was asked for beside them arrives.
func TestBatchFails(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		if !strings.Contains(r.URL.RawQuery, "filter") {
			return false
		}
		answer(500, "application/json", `{"error":"oops"}`)(w, r)
		return true
	}))
	r := e.query(`{ teams { nodes { name } } workspace(id: "101", subdomain: "acme-academy") { a: contact(id: "3000000001") { id firstName } b: contact(id: "3000000002") { id firstName } } }`)
	if r.code("workspace.a") != "UPSTREAM_UNAVAILABLE" || r.code("workspace.b") != "UPSTREAM_UNAVAILABLE" || r.get("teams.nodes.0.name") == nil {
		t.Errorf("got %s", r.raw)
	}
}

// TestNodesInPart asks for objects of which some cannot be had.
func TestNodesInPart(t *testing.T) {
	e := newEnv(t)
	good := contactIDs(1)[0]
	r := e.query(`query($ids: [ID!]!) { nodes(ids: $ids) { id } missing: node(id: "MTp0ZWFtOjk5") { id } }`,
		map[string]any{"ids": []string{good, "MTp0ZWFtOjk5", "what", good}})
	if r.get("nodes.0.id") != good || r.get("nodes.3.id") != good || r.get("nodes.1") != nil || r.get("nodes.2") != nil {
		t.Errorf("got %s", r.raw)
	}
	if r.code("nodes.1") != "NOT_FOUND" || r.code("nodes.2") != "BAD_USER_INPUT" || r.code("missing") != "NOT_FOUND" || len(r.Errors) != 3 {
		t.Errorf("errors %+v", r.Errors)
	}
}

// TestClientGone cancels a request: its REST call ends as well.
func TestClientGone(t *testing.T) {
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
		t.Error("answered")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the REST call goes on")
	}
}

// TestLyingTypes sends what the API's declared types do not allow: all that
// makes sense comes out (API.md §8, traps 9–12).
func TestLyingTypes(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		answer(200, "application/json", `[null,
			{"id":"9007199254740993","public_id":77,"workspace_id":null,"anonymous":1,"email_address":12.50,"first_name":null,"uuid":null,
			 "unsubscribed_at":"never","created_at":"2025-04-21T16:47:57.194+02:00","updated_at":17,"is_active":"true","brand_new":{"a":[1]},
			 "tags":[{"id":"5","name":null,"color":7,"applied_at":"2025-01-01T00:00:00Z","more":true},null],
			 "custom_attributes":{"n":1,"t":true,"z":null,"o":{"a":1},"s":"x"},"avatar_image":{"url":"u"},"visits":{"first_visit":{"uuid":5}}},
			5, {"id":3,"tags":{},"visits":5,"custom_attributes":"x"}, {"id":4,"tags":[1,"x",{"id":7,"name":"y"}],"visits":{"first_visit":[]}},
			{"id":2,"tags":null,"custom_attributes":[],"avatar_image":null}
		]`)(w, r)
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes {
		rawId publicId anonymous emailAddress firstName uuid unsubscribedAt createdAt updatedAt isActive
		tags { rawId name color } taggings { appliedAt } customAttributes { key value } some: customAttributes(keys: ["s", "none"]) { key value } avatarImage visits { firstVisit { uuid } } workspace { rawId } } } } }`)
	const want = `{"data":{"workspace":{"contacts":{"nodes":[` +
		`{"rawId":"9007199254740993","publicId":"77","anonymous":true,"emailAddress":"12.50","firstName":null,"uuid":"","unsubscribedAt":null,"createdAt":"2025-04-21T14:47:57.194Z","updatedAt":null,"isActive":true,` +
		`"tags":[{"rawId":"5","name":"","color":"7"}],"taggings":[{"appliedAt":"2025-01-01T00:00:00.000Z"}],"customAttributes":[{"key":"n","value":"1"},{"key":"t","value":"true"},{"key":"z","value":null},{"key":"o","value":"{\"a\":1}"},{"key":"s","value":"x"}],"some":[{"key":"s","value":"x"}],"avatarImage":{"url":"u"},"visits":{"firstVisit":{"uuid":"5"}},"workspace":{"rawId":"101"}},` +
		`{"rawId":"3","publicId":null,"anonymous":null,"emailAddress":null,"firstName":null,"uuid":"","unsubscribedAt":null,"createdAt":null,"updatedAt":null,"isActive":null,` +
		`"tags":null,"taggings":null,"customAttributes":[],"some":[],"avatarImage":null,"visits":null,"workspace":{"rawId":"101"}},` +
		`{"rawId":"4","publicId":null,"anonymous":null,"emailAddress":null,"firstName":null,"uuid":"","unsubscribedAt":null,"createdAt":null,"updatedAt":null,"isActive":null,` +
		`"tags":[{"rawId":"7","name":"y","color":""}],"taggings":[{"appliedAt":null}],"customAttributes":[],"some":[],"avatarImage":null,"visits":{"firstVisit":null},"workspace":{"rawId":"101"}},` +
		`{"rawId":"2","publicId":null,"anonymous":null,"emailAddress":null,"firstName":null,"uuid":"","unsubscribedAt":null,"createdAt":null,"updatedAt":null,"isActive":null,` +
		`"tags":null,"taggings":null,"customAttributes":[],"some":[],"avatarImage":null,"visits":null,"workspace":{"rawId":"101"}}` +
		`]}}}}`
	if r.raw != want {
		t.Errorf("got\n%s\nwant\n%s", r.raw, want)
	}
}

// TestSlowWorkspace has one workspace hang: what is asked of another one's
// contacts goes on meanwhile.
func TestSlowWorkspace(t *testing.T) {
	applied := make(chan struct{})
	var e *env
	e = newEnv(t, withTimeout(5*time.Second), withFault(func(_ http.ResponseWriter, r *http.Request, subdomain, path string) bool {
		if strings.HasPrefix(subdomain, "acme-retreats") {
			select { // until the other one is through
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

// TestWrongSubdomain gives a workspace's subdomain wrongly in one place: where
// it contradicts another, it is looked up.
func TestWrongSubdomain(t *testing.T) {
	e := newEnv(t)
	if r := e.query(`{ workspace(id: "101", subdomain: "acme-retreats") { contacts { nodes { id } } } }`); r.code("workspace.contacts") != "NOT_FOUND" {
		t.Errorf("wrong: %s", r.raw)
	}
	r := e.must(`{ a: workspace(id: "101", subdomain: "acme-retreats") { contacts(first: 1) { nodes { rawId } } } b: workspace(id: "101", subdomain: "acme-academy") { contacts(first: 1) { nodes { rawId } } } }`)
	if r.get("a.contacts.nodes.0.rawId") != "3000000001" || r.get("b.contacts.nodes.0.rawId") != "3000000001" {
		t.Errorf("contradictory: %s", r.raw)
	}
	// Nobody else believes it, and what ClickFunnels says goes before it.
	e.must(`{ workspace(id: "101") { name } }`)
	e.must(`{ workspace(id: "101", subdomain: "acme-retreats") { contacts(first: 1) { nodes { rawId } } } }`)
	e.must(`{ workspace(id: "101") { contacts(first: 1) { nodes { rawId } } } }`)
}

// TestForeignContact asks a workspace for a contact of another one.
func TestForeignContact(t *testing.T) {
	e := newEnv(t)
	mine := contactIDs(1)[0] // of workspace 101
	public102 := e.must(`{ workspace(id: "102") { publicId } }`).get("workspace.publicId").(string)
	for path, query := range map[string]string{
		"a":         `{ a: contact(id: "` + mine + `", workspaceId: "102") { emailAddress } }`,
		"b":         `{ b: contact(id: "` + mine + `", workspaceId: "` + public102 + `") { emailAddress } }`,
		"c.contact": `{ c: workspace(id: "102") { contact(id: "` + mine + `") { emailAddress } } }`,
		"d.contact": `{ d: workspace(id: "` + public102 + `", subdomain: "acme-retreats") { contact(id: "` + mine + `") { id emailAddress } } }`,
		"f.contact": `{ f: workspace(id: "102") { contact(id: "3000000001") { emailAddress } } }`,
	} {
		if r := e.query(query); r.code(path) != "NOT_FOUND" || r.get(path) != nil {
			t.Errorf("%s: %s", query, r.raw)
		}
	}
}

// TestForeignParts has records carry parts of others, or less than usual: those are not
// taken for theirs, and what is asked for is fetched.
func TestForeignParts(t *testing.T) {
	const query = `{ workspace(id: "101", subdomain: "acme-academy") {
		orders { nodes { workspace { rawId name subdomain } } }
		contact(id: "3000000004") { appliedTags { nodes { contact { rawId emailAddress } } } } } }`
	for _, test := range []struct{ workspace, contact string }{
		{`null`, `null`},
		{`{"id":102,"team_id":11,"name":"Wrong","subdomain":"acme-retreats"}`, `{"id":3000000005,"email_address":"wrong@example.com"}`},
		{`{"id":101,"name":"Wrong"}`, `{"id":3000000004,"workspace_id":102,"email_address":"wrong@example.com"}`},
	} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
			switch path {
			case "/workspaces/101/orders":
				answer(200, "application/json", `[{"id":1,"workspace_id":101,"currency":"usd","workspace":`+test.workspace+`}]`)(w, r)
			case "/contacts/3000000004/applied_tags":
				answer(200, "application/json", `[{"id":1,"contact_id":3000000004,"tag_id":5001,"contact":`+test.contact+`}]`)(w, r)
			default:
				return false
			}
			return true
		}))
		r := e.must(query)
		if r.get("workspace.orders.nodes.0.workspace.name") != "Acme Academy" || r.get("workspace.contact.appliedTags.nodes.0.contact.emailAddress") != "dalia.young.4@example.com" {
			t.Errorf("%s, %s: %s", test.workspace, test.contact, r.raw)
		}
	}
}

// TestCanonicalIDs wants a record's ids to be the same by whichever way it was
// found.
func TestCanonicalIDs(t *testing.T) {
	const fields = `{ contact(id: "3000000004") { id workspace { id rawId } tags { id } appliedTags { nodes { id tag { id } contact { id workspace { id } } } } } }`
	var answers []string
	for _, workspace := range []string{`"101"`, `"` + public101 + `"`, `"101", subdomain: "acme-academy"`, `"` + public101 + `", subdomain: "acme-academy"`} {
		answers = append(answers, newEnv(t).must(`{ workspace(id: `+workspace+`) `+fields+` }`).raw)
	}
	for _, answer := range answers {
		if answer != answers[0] || strings.Contains(answer, `"rawId":""`) {
			t.Errorf("got\n%s, and\n%s", answer, answers[0])
		}
	}
}

// TestNoRecord has ClickFunnels send something that is no record.
func TestNoRecord(t *testing.T) {
	for _, body := range []string{`null`, `{}`, `[]`, `{"id":null}`, `"x"`} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
			answer(200, "application/json", body)(w, r)
			return true
		}))
		if r := e.query(`{ team(id: "1") { id name } }`); r.code("team") != "UPSTREAM_UNAVAILABLE" || r.get("team") != nil {
			t.Errorf("%s: %s", body, r.raw)
		}
	}
}

// TestBadSubdomainUpstream has ClickFunnels name a subdomain that is none: that
// is no fault of the caller's.
func TestBadSubdomainUpstream(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101" {
			return false
		}
		answer(200, "application/json", `{"id":101,"subdomain":"../accounts"}`)(w, r)
		return true
	}))
	if r := e.query(`{ workspace(id: "101") { rawId contacts { nodes { id } } } }`); r.code("workspace.contacts") != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("got %s", r.raw)
	}
	if calls := e.callsOf(demo.Token); len(calls) != 1 {
		t.Errorf("calls %q", calls)
	}
}

// TestEmptyPageWithCursor ends a list whose header says that it goes on and
// whose body is empty.
func TestEmptyPageWithCursor(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
		w.Header().Set("Pagination-Next", "5")
		answer(200, "application/json", `[]`)(w, r)
		return true
	}))
	if r := e.must(`{ teams(first: 50) { nodes { id } pageInfo { hasNextPage endCursor } } }`); r.get("teams.pageInfo.hasNextPage") != false {
		t.Errorf("got %s", r.raw)
	}
}

// TestBrokenUTF8 wants answers that can be read whatever ClickFunnels sends.
func TestBrokenUTF8(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		answer(200, "application/json", "[{\"id\":1,\"avatar_image\":\"\xff\",\"custom_attributes\":{\"a\":\"\xff\",\"\xff\":{\"b\":\"\xff\"}},\"email_address\":\"\\ud800\",\"phone_number\":[\"\xff\"]}]")(w, r)
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { avatarImage emailAddress phoneNumber customAttributes { key value } } } } }`)
	if !utf8.ValidString(r.raw) || !json.Valid([]byte(r.raw)) {
		t.Errorf("got %q", r.raw)
	}
}

// TestRowsWithoutID has rows of which only some can be found again: by a public
// id at least.
func TestRowsWithoutID(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		answer(200, "application/json", `[{"id":null,"public_id":"abc","first_name":"A"},{},{"id":2,"first_name":"B"}]`)(w, r)
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { id firstName } pageInfo { endCursor } } } }`)
	public := model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "101", ID: "abc"})
	if nodes, _ := r.get("workspace.contacts.nodes").([]any); len(nodes) != 2 || r.get("workspace.contacts.nodes.0.id") != public || r.get("workspace.contacts.pageInfo.endCursor") != "2" {
		t.Errorf("got %s", r.raw)
	}
}

// TestForeignRows has a workspace's list hold another one's contact: that says
// nothing of where the other one is.
func TestForeignRows(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		answer(200, "application/json", `[{"id":3000000059,"workspace_id":102}]`)(w, r)
		return true
	}))
	e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { appliedTags { nodes { id } } } } } }`)
	if calls := e.callsOf(demo.Token); !slices.Contains(calls, "acme-retreats /contacts/3000000059/applied_tags") {
		t.Errorf("calls %q", calls)
	}
}
