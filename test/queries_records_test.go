package test

import (
	"unicode/utf8"

	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestDecimalIDsAreNormalized lists records whose ids are formatted as decimals, and resolves
// their relations.
func TestDecimalIDsAreNormalized(t *testing.T) {
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
		t.Errorf("want the contact of the submission, got %s", r.raw)
	}
}

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

// TestUnknownEnumValuesKeepTheirText sends values that are newer than the enums.
func TestUnknownEnumValuesKeepTheirText(t *testing.T) {
	r := newEnv(t).must(`{ workspace(id: "101", subdomain: "acme-academy") { productCollections { nodes { sortMethod rawSortMethod } edges { node { rawSortMethod } } } orderInvoices(first: 100) { nodes { invoiceType rawInvoiceType } } } }`)
	for path, want := range map[string]string{
		"productCollections.nodes.0.sortMethod": "MANUALLY", "productCollections.nodes.0.rawSortMethod": "manually",
		"productCollections.nodes.1.sortMethod": "UNKNOWN", "productCollections.nodes.1.rawSortMethod": "by_magic", "productCollections.edges.1.node.rawSortMethod": "by_magic",
	} {
		if got := r.get("workspace." + path); got != want {
			t.Errorf("%s is %v, want %s", path, got, want)
		}
	}
	if !strings.Contains(r.raw, `{"invoiceType":"UNKNOWN","rawInvoiceType":"goodwill"}`) {
		t.Errorf("want an invoice with an unknown type, got %s", r.raw)
	}
}

// TestNodeRefetchesEveryKind fetches each kind of object again by its id.
func TestNodeRefetchesEveryKind(t *testing.T) {
	e := newEnv(t)
	r := e.must(`{ users { nodes { id } } team(id: "11") { id memberships { id user { id email } team { id } } billingSubscriptions { id team { id name } includedPrices { rawId priceId quantity createdAt } } } workspace(id: "101") { id contactTags { nodes { id } } contact(id: "3000000004") { id appliedTags { nodes { id } } } } }`)
	for path, kind := range map[string]string{
		"users.nodes.0.id": "User", "team.memberships.0.team.id": "Team", "team.id": "Team", "team.memberships.1.id": "Membership", "team.billingSubscriptions.0.id": "BillingSubscription",
		"workspace.id": "Workspace", "workspace.contactTags.nodes.2.id": "ContactTag", "workspace.contact.id": "Contact", "workspace.contact.appliedTags.nodes.1.id": "AppliedContactTag",
	} {
		id := r.get(path).(string)
		if n := e.must(`{ node(id: "` + id + `") { id __typename } nodes(ids: ["` + id + `"]) { id } }`); n.get("node.id") != id || n.get("node.__typename") != kind || n.get("nodes.0.id") != id {
			t.Errorf("%s %s: want the same id and the right type, got %s", path, id, n.raw)
		}
	}
}

// TestRowsWithInvalidIDsAreLeftOut lists rows with invalid ids, which could neither be
// refetched nor told apart.
func TestRowsWithInvalidIDsAreLeftOut(t *testing.T) {
	e := newEnv(t, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if path != "/workspaces/101/contacts" {
			return false
		}
		_, _ = fmt.Fprintf(w, `[{"id":{}},{"id":[1]},{"id":1.5},{"id":-0.0},{"id":"a b"},{"id":%q},{},null,{"id":7,"workspace_id":101}]`, strings.Repeat("9", 500))
		return true
	}))
	r := e.must(`{ workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { rawId } } } }`)
	if want := `{"data":{"workspace":{"contacts":{"nodes":[{"rawId":"7"}]}}}}`; r.raw != want {
		t.Errorf("got %.500s, want %s", r.raw, want)
	}
}

// TestRecordsTolerateWrongTypes sends values that the API's declared types do not allow. Every
// usable value is kept (clickfunnels-api.md §8, traps 9–12).
func TestRecordsTolerateWrongTypes(t *testing.T) {
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

// TestEmbeddedRecordsOfOthersAreIgnored embeds foreign or incomplete records. They are ignored,
// and the selected fields are fetched.
func TestEmbeddedRecordsOfOthersAreIgnored(t *testing.T) {
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
			t.Errorf("%s, %s: want the fetched records, got %s", test.workspace, test.contact, r.raw)
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

// TestResponseWithoutRecordIsUnavailable sends JSON that is not a record.
func TestResponseWithoutRecordIsUnavailable(t *testing.T) {
	for _, body := range []string{`null`, `{}`, `[]`, `{"id":null}`, `"x"`} {
		e := newEnv(t, withFault(func(w http.ResponseWriter, r *http.Request, _, _ string) bool {
			answer(200, "application/json", body)(w, r)
			return true
		}))
		if r := e.query(`{ team(id: "1") { id name } }`); r.code("team") != "UPSTREAM_UNAVAILABLE" || r.get("team") != nil {
			t.Errorf("%s: want UPSTREAM_UNAVAILABLE, got %s", body, r.raw)
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

// TestRowsWithoutIDUseTheirPublicID lists rows without a raw id. A row with a public id can be
// refetched by it.
func TestRowsWithoutIDUseTheirPublicID(t *testing.T) {
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
		t.Errorf("want two rows, one with a public id, got %s", r.raw)
	}
}
