package test

import (
	"unicode/utf8"

	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestIntsAreExactOrErrors sends numbers that do not fit an Int. Each is null with an error.
func TestIntsAreExactOrErrors(t *testing.T) {
	for value, want := range map[string]any{
		"3": 3.0, `"3"`: 3.0, "3.0": 3.0, "-2147483648": -2147483648.0, "2147483647": 2147483647.0, "null": nil, `""`: nil,
		"2147483648": "error", "-2147483649": "error", "1.5": "error", `"1,000"`: "error", "1e30": "error", "true": "error", "9007199254740993": "error",
	} {
		e := newEnv(t, on("/workspaces/101/orders", answer(200, "application/json",
			`[{"id":1,"recurring_invoices_paid_count":`+value+`,"line_items":[{"id":2,"quantity":`+value+`}]},{"id":2,"recurring_invoices_paid_count":7}]`)))
		for _, query := range []string{ // the first query is written from a plan, the second one is not
			`{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { recurringInvoicesPaidCount } } } }`,
			`{ workspace(id: "101", subdomain: "acme-academy") { orders { nodes { recurringInvoicesPaidCount lineItems { quantity } } } } }`,
		} {
			r := e.query(query)
			got := r.get("workspace.orders.nodes.0.recurringInvoicesPaidCount")
			code := r.code("workspace.orders.nodes.0.recurringInvoicesPaidCount")
			if want == "error" && (got != nil || code != "UPSTREAM_UNAVAILABLE") || want != "error" && (got != want || len(r.Errors) > 0) {
				t.Errorf("%s: want the exact number or null with an error, got %s", value, r.raw)
			}
			if strings.Contains(query, "quantity") && want == "error" && r.code("workspace.orders.nodes.0.lineItems.0.quantity") != "UPSTREAM_UNAVAILABLE" {
				t.Errorf("%s: want an error of the line item, got %s", value, r.raw)
			}
			if r.get("workspace.orders.nodes.1.recurringInvoicesPaidCount") != 7.0 {
				t.Errorf("%s: want the other order unaffected, got %s", value, r.raw)
			}
		}
	}
}

// TestChildrenAreTheSameInBatchAndAlone compares the child rows of many contacts with those of
// each contact alone, by nodes and by edges.
func TestChildrenAreTheSameInBatchAndAlone(t *testing.T) {
	e := newEnv(t)
	const fields = `rawId orders(last: 3) { nodes { rawId } pageInfo { hasPreviousPage } } enrollments(first: 1) { nodes { rawId } pageInfo { hasNextPage } } opportunities { nodes { rawId } } formSubmissions { nodes { rawId } }`
	by := map[string]result{
		"nodes":     e.must(`{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 60) { nodes { ` + fields + ` } } } }`),
		"edges":     e.must(`{ workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 60) { edges { node { ` + fields + ` } } } } }`),
		"fragments": e.must(`fragment F on Contact { ` + fields + ` } { workspace(id: "103", subdomain: "acme-podcast") { contacts(first: 60) { a: edges { node { ...F } } nodes { ...F } edges { node { ...F firstName } } } } }`),
	}
	for i := range 60 {
		path := fmt.Sprintf("workspace.contacts.nodes.%d", i)
		together := by["nodes"].get(path)
		id := by["nodes"].get(path + ".rawId")
		alone := e.must(fmt.Sprintf(`{ contact(id: "%s", workspaceId: "103") { %s } }`, id, fields)).get("contact")
		if !reflect.DeepEqual(together, alone) {
			t.Errorf("%v in a batch, want %v as alone", together, alone)
		}
		for name, path := range map[string]string{"edges": "edges.%d.node", "fragments": "a.%d.node"} {
			if got := by[name].get("workspace.contacts." + fmt.Sprintf(path, i)); !reflect.DeepEqual(got, alone) {
				t.Errorf("%s: %v, want %v", name, got, alone)
			}
		}
	}
}

// TestRelationsResolveWithoutOtherFields selects each relation alone, so that no other field
// decodes the key that the relation needs.
func TestRelationsResolveWithoutOtherFields(t *testing.T) {
	e := newEnv(t)
	for query, path := range map[string]string{
		`salesPipelines { nodes { opportunities(first: 2) { nodes { rawId } } } }`:            "salesPipelines.nodes.0.opportunities.nodes.0.rawId",
		`salesPipelines { nodes { stages { opportunities(first: 2) { nodes { rawId } } } } }`: "salesPipelines.nodes.0.stages.0.opportunities.nodes.0.rawId",
		`funnels { nodes { pages(first: 2) { nodes { rawId } } } }`:                           "funnels.nodes.0.pages.nodes.0.rawId",
		`pages(first: 3) { nodes { formSubmissions { nodes { rawId } } } }`:                   "pages.nodes.2.formSubmissions.nodes.0.rawId",
		`products { nodes { collections { nodes { rawId } } } }`:                              "products.nodes.0.collections.nodes.0.rawId",
		`products { nodes { variants { nodes { prices { nodes { rawId } } } } } }`:            "products.nodes.0.variants.nodes.0.prices.nodes.0.rawId",
		`orders { nodes { tags { rawId } } }`:                                                 "orders.nodes.0.tags.0.rawId",
		`orders { nodes { lineItems { product { rawId } } } }`:                                "orders.nodes.0.lineItems.0.product.rawId",
		`orders { nodes { page { name } } }`:                                                  "orders.nodes.0.page.name",
		`orderInvoices { nodes { contact { rawId } } }`:                                       "orderInvoices.nodes.0.contact.rawId",
		`salesOpportunities { nodes { contact { emailAddress } } }`:                           "salesOpportunities.nodes.0.contact.emailAddress",
		`salesOpportunities { nodes { stage { name } } }`:                                     "salesOpportunities.nodes.0.stage.name",
	} {
		if r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { ` + query + ` } }`); r.get("workspace."+path) == nil || r.get("workspace."+path) == "" {
			t.Errorf("%s: want the related record, got %s", query, r.raw)
		}
	}
}

// TestIDsAreTheSameForEveryLookup expects the same ids of a record for every way to find it.
func TestIDsAreTheSameForEveryLookup(t *testing.T) {
	const fields = `{ contact(id: "3000000004") { id workspace { id rawId } tags { id } appliedTags { nodes { id tag { id } contact { id workspace { id } } } } } }`
	var answers []string
	for _, workspace := range []string{`"101"`, `"` + public101 + `"`, `"101", subdomain: "acme-academy"`, `"` + public101 + `", subdomain: "acme-academy"`} {
		answers = append(answers, newEnv(t).must(`{ workspace(id: `+workspace+`) `+fields+` }`).raw)
	}
	for _, answer := range answers {
		if answer != answers[0] || strings.Contains(answer, `"rawId":""`) {
			t.Errorf("got\n%s, want\n%s", answer, answers[0])
		}
	}
}

// TestBrokenUTF8IsReplaced expects valid UTF-8 and JSON for any response of the API.
func TestBrokenUTF8IsReplaced(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		answer(200, "application/json", "[{\"id\":1,\"avatar_image\":\"\xff\",\"custom_attributes\":{\"a\":\"\xff\",\"\xff\":{\"b\":\"\xff\"}},\"email_address\":\"\\ud800\",\"phone_number\":[\"\xff\"]}]")(w, r)
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { avatarImage emailAddress phoneNumber customAttributes { key value } } } } }`)
	if !utf8.ValidString(r.raw) || !json.Valid([]byte(r.raw)) {
		t.Errorf("want valid UTF-8 and JSON, got %q", r.raw)
	}
}
