package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/internal/access"
	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// newScoped starts a funnelgraph with two clients. One may see workspace 101 of the demo, the
// other team 11 and its workspaces.
func newScoped(t *testing.T, options ...envOption) (e *env, ofWorkspace, ofTeam string) {
	t.Helper()
	ofWorkspace, first := access.NewKey()
	ofTeam, second := access.NewKey()
	t.Setenv("SCOPED_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf(`tokens: { main: { env: SCOPED_TOKEN } }
clients:
  - { name: of-workspace, keys: [%q], access: read-write, workspaces: [101] }
  - { name: of-team, keys: [%q], access: read-write, teams: [11] }
`, first, second)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e = newEnv(t, append([]envOption{func(e *env, cfg *config.Config) {
		gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: cfg.Limits})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	}}, options...)...)
	return e, ofWorkspace, ofTeam
}

// TestRefusedLookupsLookMissing answers look-ups by id with every status code that can mean
// "not yours". A scoped client must not be able to tell them apart.
func TestRefusedLookupsLookMissing(t *testing.T) {
	for _, query := range []string{
		`{ team(id: "Pub11") { name } }`,
		`{ workspace(id: "Pub101") { name } }`,
		`{ contact(id: "77", workspaceId: "101") { emailAddress } }`,
		`{ a: contact(id: "77", workspaceId: "101") { emailAddress } b: contact(id: "78", workspaceId: "101") { emailAddress } }`,
		`{ node(id: "` + contactID("101", "77") + `") { ... on Contact { emailAddress } } }`,
		`mutation { updateContact(input: { id: "77", workspaceId: "101", firstName: "x" }) { contact { firstName } userErrors { message } } }`,
	} {
		want := ""
		for _, status := range []int{404, 400, 402, 403, 409, 410, 422, 423} {
			e, ofWorkspace, ofTeam := newScoped(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
				if !strings.Contains(path, "77") && !strings.Contains(path, "Pub") && !strings.Contains(r.URL.RawQuery, "77") {
					return false
				}
				answer(status, "application/json", fmt.Sprintf(`{"error":"It is of workspace 102: %d"}`, status))(w, r)
				return true
			}))
			key := ofWorkspace
			if strings.Contains(query, "team(") {
				key = ofTeam
			}
			r := e.queryAs(key, query)
			slices.SortFunc(r.Errors, func(a, b fieldError) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			if want == "" {
				want = fmt.Sprint(r.Data, r.Errors)
			}
			if fmt.Sprint(r.Data, r.Errors) != want || !strings.Contains(r.raw, "NOT_FOUND") {
				t.Errorf("%s, %d: %s, want %s", query, status, r.raw, want)
			}
		}
	}
}

// TestOwnerLookupsHaveABudget asks for a record whose owner is in an endless list. The client
// may see one workspace and make five calls.
func TestOwnerLookupsHaveABudget(t *testing.T) {
	key, hash := access.NewKey()
	t.Setenv("SOME_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf("tokens: { some: { env: SOME_TOKEN } }\nclients:\n  - { name: one, keys: [%q], token: some, workspaces: [101], limits: { calls: 5 } }\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: limits.Limits{Timeout: 30 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate }, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		switch path {
		case "/workspaces/101/courses":
			n, _ := strconv.Atoi(r.URL.Query().Get("after"))
			sendPage(w, strconv.Itoa(n+20), numbers(n+1, n+20)...)
		case "/courses/sections/4":
			_, _ = fmt.Fprint(w, `{"id":4,"course_id":0,"title":"x"}`)
		default:
			return false
		}
		return true
	}))
	r := e.queryAs(key, `{ node(id: "`+model.GlobalID(upstream.Ref{Kind: upstream.KindCourseSection, Parent: "101", ID: "4"})+`") { ... on CourseSection { title } } }`)
	if r.get("node") != nil {
		t.Errorf("want a section without a visible course hidden, got %s", r.raw)
	}
	if calls := e.callsOf(demo.Token); len(calls) > 10 {
		t.Errorf("%d calls, want at most five for the request and as many for the owner", len(calls))
	}
}

// TestDeferredPartsRespectTheScope defers random fields as clients with a scope. No part may
// hold a record outside the scope.
func TestDeferredPartsRespectTheScope(t *testing.T) {
	e, all := tenants(t)
	r := rand.New(rand.NewPCG(3, 4))
	for _, x := range all {
		for range 4 {
			query := "{ teams(first: 3) { nodes { " + teamFields + " } } }"
			late := deferRandomly(t, r, query)
			plain := e.queryAs(x.key, query)
			got := e.begin(t.Context(), late, nil, "Authorization: Bearer "+x.key).all()
			// The other fields may differ: this API embeds records of other workspaces.
			if found := difference("", got.get("teams.nodes.0.rawId"), plain.get("teams.nodes.0.rawId")); found != "" {
				t.Errorf("%s: deferred, the team differs: %s", x.name, found)
			}
			if text := x.foreign(got.raw); text != "" {
				t.Errorf("%s sees %s: %.2000s", x.name, text, got.raw)
			}
		}
	}
}
