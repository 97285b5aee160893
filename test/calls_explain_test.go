package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/explain"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// explained sends an operation with a value of the explain header, or none if it is empty. It
// returns the explanation, whether there is one, and the response.
func (e *env) explained(token, header, query string, variables map[string]any) (explain.Explanation, bool, string) {
	e.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		e.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, e.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	if header != "" {
		req.Header.Set(explain.Header, header)
	}
	_, raw, _ := e.do(req)
	var r struct {
		Extensions map[string]explain.Explanation
	}
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		e.t.Fatalf("the response is not JSON: %v: %s", err, raw)
	}
	what, ok := r.Extensions[explain.Extension]
	return what, ok, raw
}

// idInPath matches an id in a path: a raw one or a public one.
var idInPath = regexp.MustCompile(`^(\d+|[a-zA-Z]{6})$`)

// TestExplainListsEveryCall compares the explained calls with the calls that the API received,
// for every row of the table of calls.
func TestExplainListsEveryCall(t *testing.T) {
	for _, row := range callTable {
		t.Run(row.name, func(t *testing.T) {
			e := newEnv(t)
			if row.warm != "" {
				e.must(row.warm)
				e.forget()
			}
			what, ok, raw := e.explained(demo.Token, "1", row.query, row.variables)
			if !ok {
				t.Fatalf("want an explanation, got %s", raw)
			}
			var want, got []string
			for _, call := range e.callsOf(demo.Token) {
				host, path, _ := strings.Cut(call, " ")
				path, _, _ = strings.Cut(path, "?")
				segments := strings.Split(path, "/")
				for i, segment := range segments {
					if idInPath.MatchString(segment) && !slices.Contains(pathWords, segment) {
						segments[i] = "{id}"
					}
				}
				path = strings.Join(segments, "/")
				want = append(want, host+" "+path)
			}
			for _, call := range what.Calls {
				got = append(got, call.Host[strings.LastIndex(call.Host, "/")+1:]+" "+call.Path)
				if call.Method != http.MethodGet || call.Status != 200 || call.Origin != transport.FromNetwork || call.DurationMS <= 0 {
					t.Errorf("want a successful GET from the network, got %+v", call)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) || what.Network != row.want {
				t.Errorf("%d calls:\n%s\nwant:\n%s", what.Network, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if what.Chain > row.want || row.want > 0 && what.Chain == 0 || what.Complexity < 0 || what.DurationMS <= 0 {
				t.Errorf("want a chain within the number of calls and positive figures, got %+v", what)
			}
		})
	}
}

// TestExplainReportsCoalescedAndCachedCalls answers calls from concurrent requests and from the
// cache.
func TestExplainReportsCoalescedAndCachedCalls(t *testing.T) {
	e := newEnv(t, withLatency(20*time.Millisecond), withCache(time.Minute))
	var network, coalesced int
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range 8 { // identical queries would be one request
		wait.Go(func() {
			what, _, _ := e.explained(demo.Token, "1", fmt.Sprintf("query Q%d { teams { nodes { name } } }", i), nil)
			mu.Lock()
			defer mu.Unlock()
			network, coalesced = network+what.Network, coalesced+what.Coalesced+what.Cache
		})
	}
	wait.Wait()
	if network != 1 || coalesced != 7 {
		t.Errorf("%d from the network and %d not, want 1 and 7", network, coalesced)
	}
	if what, _, _ := e.explained(demo.Token, "1", "query Again { teams { nodes { name } } }", nil); what.Cache != 1 || what.Network != 0 || what.Chain != 1 || what.Calls[0].Origin != transport.FromCache {
		t.Errorf("want one call from the cache, got %+v", what)
	}
}

// TestExplainNeedsTheHeaderAndFullAccess expects an explanation only if a client asks for it
// and may see everything.
func TestExplainNeedsTheHeaderAndFullAccess(t *testing.T) {
	e := newEnv(t)
	for _, header := range []string{"", "0", "yes"} {
		if _, ok, raw := e.explained(demo.Token, header, "{ teams { nodes { name } } }", nil); ok {
			t.Errorf("header %q: want no explanation, got %s", header, raw)
		}
	}
	if what, ok, raw := e.explained(demo.Token, "1", "{ nothing }", nil); !ok || len(what.Calls) != 0 || !strings.Contains(raw, `"errors"`) {
		t.Errorf("an invalid operation: want an explanation without calls beside the errors, got %s", raw)
	}
	if what, _, raw := e.explained(demo.Token, "1", `{ workspace(id: "999") { name } }`, nil); len(what.Calls) != 1 || what.Calls[0].Status != 404 {
		t.Errorf("a missing record: want one call with status 404, got %s", raw)
	}
	if what, _, raw := e.explained("wrong-token-wrong-token", "1", `{ teams { nodes { name } } }`, nil); len(what.Calls) != 1 || what.Calls[0].Status != 401 || strings.Contains(raw, "wrong-token") {
		t.Errorf("a wrong token: want one call with status 401 and no token in the response, got %s", raw)
	}
	scoped, all := tenants(t)
	for _, x := range all {
		if _, ok, raw := scoped.explained(x.key, "1", `{ teams { nodes { name } } }`, nil); ok != (x.teams == nil && x.workspaces == nil) {
			t.Errorf("%s: want an explanation only for clients without a scope, got %s", x.name, raw)
		}
	}
}

// TestExplainChainIsDeterministic sends each query many times while calls take a random time.
// The length of the longest chain of calls is the same every time.
func TestExplainChainIsDeterministic(t *testing.T) {
	t.Parallel()
	const known = `{ workspace(id: "101") { name } c: workspace(id: "103") { name } }`
	for _, row := range []struct {
		name  string
		warm  string // sent first
		query string
		want  int
	}{
		{"teams, workspaces, contacts", "", nested, 3},
		{"50 contacts in a known workspace", known, `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 50) { nodes { id } } } }`, 3},
		{"50 contacts in an unknown workspace", "", `{ workspace(id: "103") { contacts(first: 50) { nodes { id } } } }`, 4},
		{"25 contacts from the end", known, `{ workspace(id: "103", subdomain: "acme-podcast") { contacts(last: 25) { nodes { id } } } }`, 2},
		{"contact, workspace, team", "", `{ contact(id: "3000000001", workspaceId: "101") { emailAddress workspace { name team { name } } } }`, 3},
		{"contact, workspace, team, in a known workspace", known, `{ contact(id: "3000000001", workspaceId: "101") { emailAddress workspace { name team { name } } } }`, 3},
		{"contact and its workspace side by side", "", `{ w: workspace(id: "101") { name } c: contact(id: "3000000001", workspaceId: "101") { emailAddress } }`, 2},
		{"independent lists", "", `{ a: workspace(id: "101", subdomain: "acme-academy") { funnels { nodes { name } } pages { nodes { name } } contacts { nodes { rawId } } } teams { nodes { name } } }`, 1},
		{"40 contacts by id", known, `{ ` + contactAliases(40, `contact(id: "%s", workspaceId: "101") { emailAddress }`) + ` }`, 1},
		{"children of rows by edges", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 40) { edges { node { orders { edges { node { lineItems { product { name } } } } } } } } } }`, 4},
		{"a list of each row", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 20) { nodes { appliedTags { nodes { tag { createdAt } } } } } } }`, 2},
		{"the parents are known", "", `{ team(id: "11") { name workspaces { nodes { contacts { nodes { workspace { name team { name } } } } } } } }`, 3},
		{"a branch of many pages beside a deep one", known, `{ a: workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 100) { nodes { id } } } ` + nested[1:], 5},
		{"a deferred fragment", known, `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 40) { nodes { id } } ... @defer { orders { nodes { lineItems { product { name } } } } } } }`, 2},
		{"mutations, one after another", known, `mutation {
			a: updateContact(input: {id: "3000000001", workspaceId: "101", firstName: "A"}) { contact { firstName } }
			b: updateContact(input: {id: "3000000002", workspaceId: "101", firstName: "B"}) { contact { firstName orders { nodes { id } } } }
		}`, 3},
		{"nothing", "", `{ __typename }`, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			times := 200
			if testing.Short() {
				times = 20
			}
			e := newEnv(t, withRandomLatency(2*time.Millisecond))
			got, mu := make(map[int]int), sync.Mutex{}
			limit := make(chan struct{}, 16)
			var wait sync.WaitGroup
			for i := range times {
				wait.Go(func() {
					limit <- struct{}{}
					defer func() { <-limit }()
					// Each request has a token of its own, so that it finds nothing in memory.
					token := fmt.Sprint(demo.Token, ".", i)
					if row.warm != "" {
						e.explained(token, "1", row.warm, nil)
					}
					what, ok, raw := e.explained(token, "1", row.query, nil)
					if !ok {
						t.Errorf("want an explanation, got %s", raw)
					}
					mu.Lock()
					defer mu.Unlock()
					got[what.Chain]++
				})
			}
			wait.Wait()
			if got[row.want] != times {
				t.Errorf("the lengths of the chain are %v (by count), want always %d", got, row.want)
			}
		})
	}
}

// TestExplainChainIgnoresCacheAndCoalescing counts cached and coalesced calls in the chain. The
// origin of a response does not change which call depends on which.
func TestExplainChainIgnoresCacheAndCoalescing(t *testing.T) {
	e := newEnv(t, withRandomLatency(10*time.Millisecond), withCache(time.Minute))
	const query = `query Q%d { teams { nodes { workspaces { nodes { contacts(first: 5) { nodes { workspace { team { name } } } } } } } } }`
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { // identical queries would be one request
			if what, _, raw := e.explained(demo.Token, "1", fmt.Sprintf(query, i), nil); what.Chain != 3 {
				t.Errorf("the chain has length %d, want 3: %s", what.Chain, raw)
			}
		})
	}
	wait.Wait()
	if what, _, _ := e.explained(demo.Token, "1", fmt.Sprintf(query, 20), nil); what.Chain != 3 || what.Network != 0 {
		t.Errorf("the chain has length %d with %d calls from the network, want 3 with none", what.Chain, what.Network)
	}
}

// pathWords are the segments of paths that look like public ids.
var pathWords = func() []string {
	var all []string
	for _, r := range demo.Resources {
		all = append(append(all, strings.Split(r.Path, "/")...), strings.Split(r.List, "/")...)
	}
	return all
}()
