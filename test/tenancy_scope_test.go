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
// other team 11 and its workspaces. script holds response bodies by method and path; the demo
// answers every other call.
func newScoped(t *testing.T, script map[string]string, options ...envOption) (e *env, ofWorkspace, ofTeam string) {
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
	scripted := withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		body, ok := script[r.Method+" "+path]
		if ok {
			answer(200, "application/json", body)(w, r)
		}
		return ok
	})
	e = newEnv(t, append([]envOption{scripted, func(e *env, cfg *config.Config) {
		gate, err := access.NewClients(t.Context(), file, "", limits.Policy{Limits: cfg.Limits})
		if err != nil {
			t.Fatal(err)
		}
		e.gate = gate
	}}, options...)...)
	return e, ofWorkspace, ofTeam
}

// TestForeignRecordsAreHidden has the API send records of another workspace in every place, and
// records that lack the workspace that their kind names. None of their texts may reach a scoped
// client.
func TestForeignRecordsAreHidden(t *testing.T) {
	const contact = `{"id":7,"workspace_id":102,"email_address":"LEAK","first_name":"LEAK"}`
	const nameless = `{"id":7,"public_id":"pub7","email_address":"LEAK","first_name":"LEAK"}`
	for _, test := range []struct{ name, path, body, query string }{
		{"an order's contact", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"contact_id":7,"contact":` + contact + `}]`, `{ workspace(id: "101") { orders { nodes { rawId contact { emailAddress } } } } }`},
		{"an order's contact without a workspace", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"contact_id":7,"contact":` + nameless + `}]`, `{ workspace(id: "101") { orders { nodes { rawId contact { emailAddress } } } } }`},
		{"an order's contact without an id", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"contact":{"public_id":"pub7","email_address":"LEAK"}}]`, `{ workspace(id: "101") { orders { nodes { rawId contact { emailAddress } } } } }`},
		{"an order's workspace", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"workspace":{"id":102,"team_id":11,"name":"LEAK","subdomain":"leak"}}]`, `{ workspace(id: "101") { orders { nodes { rawId workspace { subdomain team { rawId } } } } } }`},
		{"an order's page", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"page_id":9,"order_page":{"id":9,"workspace_id":102,"name":"LEAK"}}]`, `{ workspace(id: "101") { orders { nodes { rawId page { name } } } } }`},
		{"an order's product", "GET /workspaces/101/orders", `[{"id":1,"workspace_id":101,"line_items":[{"id":2,"original_product":{"id":3,"workspace_id":102,"name":"LEAK"},"products_variant":{"id":4,"workspace_id":102,"name":"LEAK"}}]}]`, `{ workspace(id: "101") { orders { nodes { rawId lineItems { originalProduct { name } variant { name } } } } } }`},
		{"an order without a workspace", "GET /workspaces/101/orders", `[{"id":1,"notes":"LEAK"},{"public_id":"pubX","workspace_id":102,"notes":"LEAK"}]`, `{ workspace(id: "101") { orders { nodes { rawId notes } } } }`},
		{"an opportunity's contact", "GET /workspaces/101/sales/opportunities", `[{"id":1,"workspace_id":101,"primary_contact_id":7,"primary_contact":` + nameless + `}]`, `{ workspace(id: "101") { salesOpportunities { nodes { rawId contact { emailAddress } } } } }`},
		{"an opportunity's pipeline", "GET /workspaces/101/sales/opportunities", `[{"id":1,"workspace_id":101,"pipeline_id":8,"pipeline":{"id":8,"workspace_id":102,"name":"LEAK"}}]`, `{ workspace(id: "101") { salesOpportunities { nodes { rawId pipeline { name } } } } }`},
		{"a contact's tag", "GET /workspaces/101/contacts", `[{"id":1,"workspace_id":101,"tags":[{"id":5,"workspace_id":102,"name":"LEAK"}]}]`, `{ workspace(id: "101") { contacts { nodes { rawId tags { name } } } } }`},
		{"a course", "GET /workspaces/101/courses", `[{"id":1,"workspace_id":102,"title":"LEAK"},{"public_id":"pub1","workspace_id":102,"title":"LEAK"}]`, `{ workspace(id: "101") { courses { nodes { title } } } }`},
		{"a page's funnel", "GET /workspaces/101/pages", `[{"id":1,"workspace_id":101,"name":"p","funnel":{"id":2,"workspace_id":102,"name":"LEAK"}}]`, `{ workspace(id: "101") { pages { nodes { rawId funnel { name } } } } }`},
		{"the payload of updateWorkspace", "PUT /workspaces/101", `{"id":102,"team_id":12,"name":"LEAK","subdomain":"leak"}`, `mutation { updateWorkspace(input: { id: "101", name: "x" }) { workspace { name subdomain } userErrors { message } } }`},
		{"the payload of updateTeam", "PUT /teams/11", `{"id":12,"name":"LEAK"}`, `mutation { updateTeam(input: { id: "11", name: "x" }) { team { name } userErrors { message } } }`},
		{"the payload of updateTeam without an id", "PUT /teams/11", `{"public_id":"pub12","name":"LEAK"}`, `mutation { updateTeam(input: { id: "11", name: "x" }) { team { name } userErrors { message } } }`},
		{"the payload of createContact", "POST /workspaces/101/contacts", `{"id":7,"email_address":"LEAK"}`, `mutation { createContact(input: { workspaceId: "101", emailAddress: "x@example.com" }) { contact { emailAddress } userErrors { message } } }`},
		{"a workspace without an id", "GET /teams/11/workspaces", `[{"public_id":"pub9","team_id":11,"name":"LEAK","subdomain":"leak"}]`, `{ team(id: "11") { workspaces { nodes { name subdomain } } } }`},
		{"a team's member", "GET /teams/11", `{"id":11,"name":"ok","memberships":[{"id":1,"team_id":12,"user_email":"LEAK"}],"billing_subscriptions":[{"id":2,"team_id":12,"status":"LEAK"}]}`, `{ team(id: "11") { name memberships { userEmail } billingSubscriptions { status } } }`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, ofWorkspace, ofTeam := newScoped(t, map[string]string{test.path: test.body})
			for _, key := range []string{ofWorkspace, ofTeam} {
				if r := e.queryAs(key, test.query); strings.Contains(strings.ToLower(r.raw), "leak") {
					t.Errorf("want no text of a foreign record, got %s", r.raw)
				}
			}
			_, path, _ := strings.Cut(test.path, "/")
			if calls := strings.Join(e.callsOf(demo.Token), "\n"); !strings.Contains(calls, "/"+path) {
				t.Errorf("want a call to the scripted path, got %s", calls)
			}
		})
	}
}

// TestForeignOrderOfInvoiceIsHidden embeds an order, and a contact in it, of another workspace
// in an invoice.
func TestForeignOrderOfInvoiceIsHidden(t *testing.T) {
	const contact = `{"id":7,"workspace_id":102,"email_address":"LEAK"}`
	for name, order := range map[string]string{
		"the order":                             `{"id":1,"workspace_id":102,"notes":"LEAK","contact":` + contact + `}`,
		"the contact":                           `{"id":1,"contact":` + contact + `}`,
		"a contact without a workspace":         `{"id":1,"contact":{"id":7,"email_address":"LEAK"}}`,
		"an order without an id":                `{"public_id":"pub1","workspace_id":102,"notes":"LEAK","contact":` + contact + `}`,
		"an order without an id or a workspace": `{"public_id":"pub1","notes":"LEAK","contact":{"public_id":"pub7","email_address":"LEAK"}}`,
	} {
		for _, id := range []string{`"order_id":1,`, ""} {
			e, key, _ := newScoped(t, map[string]string{
				"GET /workspaces/101/orders/invoices": `[{"id":3,` + id + `"invoice_number":"n","order":` + order + `}]`,
				"GET /orders/1":                       `{"id":1,"workspace_id":101,"notes":"own"}`,
			})
			r := e.queryAs(key, `{ workspace(id: "101") { orderInvoices { nodes { invoiceNumber order { notes } contact { emailAddress } } } } }`)
			if strings.Contains(r.raw, "LEAK") || r.get("workspace.orderInvoices.nodes") == nil || id != "" && r.get("workspace.orderInvoices.nodes.0.invoiceNumber") != "n" {
				t.Errorf("%s: want the invoice without foreign data, got %s", name, r.raw)
			}
		}
	}
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
			e, ofWorkspace, ofTeam := newScoped(t, nil, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
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

// TestReadOnlyClientCannotWrite refuses mutations of a read-only client before any REST call.
func TestReadOnlyClientCannotWrite(t *testing.T) {
	key, hash := access.NewKey()
	t.Setenv("SOME_TOKEN", demo.Token)
	file := filepath.Join(t.TempDir(), "access.yaml")
	text := fmt.Sprintf("tokens: { some: { env: SOME_TOKEN } }\nclients:\n  - { name: reader, keys: [%q], token: some, teams: all }\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := access.NewClients(t.Context(), file, "", limits.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv(t, func(e *env, _ *config.Config) { e.gate = gate })
	if r := e.queryAs(key, `{ teams { nodes { name } } }`); len(r.Errors) > 0 {
		t.Errorf("want the teams, got %s", r.raw)
	}
	e.forget()
	r := e.queryAs(key, `mutation { updateTeam(input: { id: "11", name: "Mine" }) { team { name } } }`)
	if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "FORBIDDEN" || len(e.callsOf(demo.Token)) != 0 {
		t.Errorf("want FORBIDDEN before any call, got %s, calls %q", r.raw, e.callsOf(demo.Token))
	}
}
