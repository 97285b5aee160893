package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"net/http"
	"slices"
	"testing"

	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// renaming renames the subdomain of workspace 101 to academy. The old subdomain answers with
// status; 0 means not yet renamed.
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

// TestRenamedWorkspaceIsLookedUpAgain reads and writes in a workspace whose remembered
// subdomain is out of date.
func TestRenamedWorkspaceIsLookedUpAgain(t *testing.T) {
	for _, now := range []int32{404, 410, 301} {
		var status atomic.Int32
		e := newEnv(t, renaming(&status))
		e.must(`{ workspace(id: "101") { name } }`)
		status.Store(now)
		e.forget()
		r := e.must(`{ workspace(id: "101") { contacts(first: 1) { nodes { id } } contactTags { nodes { id } } } }`)
		if r.get("workspace.contacts.nodes.0.id") == nil {
			t.Errorf("%d: want the contacts, got %s", now, r.raw)
		}
		calls := e.take(demo.Token)
		lookUps := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return !strings.HasSuffix(call, "accounts /workspaces/101") })
		if len(lookUps) < 1 || len(lookUps) > 2 { // two calls can fail at once
			t.Errorf("%d: want one or two look-ups, got %q", now, calls)
		}
		// The new subdomain is remembered.
		e.must(`{ workspace(id: "101") { contacts(first: 1) { nodes { id } } } }`)
		if calls := e.take(demo.Token); len(calls) != 1 || !strings.HasPrefix(calls[0], "academy") {
			t.Errorf("%d: want one call on the new subdomain, got %q", now, calls)
		}
	}
	var status atomic.Int32
	e := newEnv(t, renaming(&status))
	e.must(`{ workspace(id: "101") { name } }`)
	status.Store(404)
	if r := e.must(`mutation { createContact(input: {workspaceId: "101", firstName: "Ada"}) { contact { firstName } userErrors { message } } }`); r.get("createContact.contact.firstName") != "Ada" {
		t.Errorf("want the created contact, got %s", r.raw)
	}
}

// TestNamedSubdomainsNeedTheCallersToken passes the subdomain of another workspace. Only
// clients that send their own token can have it called, and it misleads no other request.
func TestNamedSubdomainsNeedTheCallersToken(t *testing.T) {
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
		t.Errorf("with the caller's token: want the given subdomain, got %q", got)
	}
	// The same token without a subdomain: the workspace is looked up.
	e.must(`{ workspace(id: "101") { id contacts(first: 1) { nodes { id } } } }`)
	if got := subdomains(e); !slices.Equal(got, []string{"accounts", "acme-academy"}) {
		t.Errorf("after a wrong subdomain: want a look-up, got %q", got)
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
		t.Errorf("with the server's token: want a look-up, got %q", got)
	}
	ask()
	if got := subdomains(e); !slices.Equal(got, []string{"acme-academy"}) {
		t.Errorf("want the remembered subdomain, got %q", got)
	}
}

// quoted returns a text as JSON.
func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// TestMissingRecordLooksUpItsWorkspaceOnce asks for a missing record while the accounts host
// fails. Its workspace is looked up once, and the call budget does not count the look-up.
func TestMissingRecordLooksUpItsWorkspaceOnce(t *testing.T) {
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
		t.Errorf("want NOT_FOUND, got %s", r.raw)
	}
	if calls := e.take(demo.Token); len(calls) != 2 {
		t.Errorf("want the call that missed and one look-up, got %q", calls)
	}
}
