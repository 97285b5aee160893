package test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestWalk pages through a list in both directions and in pages of several
// sizes: every row comes once, in order.
func TestWalk(t *testing.T) {
	e := newEnv(t)
	for _, sort := range []string{"", "sort: { property: UPDATED_AT, direction: DESC },"} {
		whole := walk(t, e, sort, true, 100)
		if len(whole) != 303 {
			t.Fatalf("%d contacts, want 303: 310 less those that lists leave out", len(whole))
		}
		seen := make(map[string]bool)
		for _, id := range whole {
			if seen[id] {
				t.Fatalf("%s comes twice", id)
			}
			seen[id] = true
		}
		for _, size := range []int{1, 7, 20, 33} {
			for _, forward := range []bool{true, false} {
				if size == 1 && sort != "" {
					continue
				}
				if got := walk(t, e, sort, forward, size); strings.Join(got, " ") != strings.Join(whole, " ") {
					t.Errorf("%q, pages of %d, forward %v: the rows differ", sort, size, forward)
				}
			}
		}
	}
}

// TestWalkOfChildren pages through what a contact has elsewhere, which is fetched for many
// contacts at once, in the same ways.
func TestWalkOfChildren(t *testing.T) {
	e := newEnv(t)
	const podcast, academy = `contact(id: "3000000078", workspaceId: "103")`, `contact(id: "3000000001", workspaceId: "101")`
	for _, list := range []struct {
		below, path string
		sorts       []string
		rows        int
	}{
		{podcast, "contact.orders", []string{"", "sort: { property: UPDATED_AT, direction: DESC },"}, 26},
		{academy, "contact.orders", []string{"", "sort: { direction: DESC },"}, 2},
		{academy, "contact.enrollments", []string{""}, 2},
		{academy, "contact.opportunities", []string{"", "sort: { property: UPDATED_AT },"}, 1},
		{academy, "contact.formSubmissions", []string{""}, 1},
		{`contact(id: "3000000002", workspaceId: "101")`, "contact.orders", []string{""}, 0},
		{`node(id: "` + model.GlobalID(upstream.Ref{Kind: upstream.KindProductCollection, Parent: "103", ID: "76006"}) + `") { ... on ProductCollection`, "node.products", []string{""}, 24},
	} {
		for _, sort := range list.sorts {
			whole := walkOf(t, e, list.below, list.path, sort, true, 100)
			if len(whole) != list.rows {
				t.Errorf("%s %s: %d rows, want %d", list.path, sort, len(whole), list.rows)
			}
			for _, size := range []int{1, 7, 20} {
				for _, forward := range []bool{true, false} {
					if got := walkOf(t, e, list.below, list.path, sort, forward, size); strings.Join(got, " ") != strings.Join(whole, " ") {
						t.Errorf("%s %s, pages of %d, forward %v: %v, want %v", list.path, sort, size, forward, got, whole)
					}
				}
			}
		}
	}
}

// TestTogetherAsAlone compares what many contacts get together with what each gets by
// itself, by nodes and by edges.
func TestTogetherAsAlone(t *testing.T) {
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
			t.Errorf("%v together, %v alone", together, alone)
		}
		for name, path := range map[string]string{"edges": "edges.%d.node", "fragments": "a.%d.node"} {
			if got := by[name].get("workspace.contacts." + fmt.Sprintf(path, i)); !reflect.DeepEqual(got, alone) {
				t.Errorf("%s: %v, want %v", name, got, alone)
			}
		}
	}
}

// TestFoundWithoutTheirWords asks for what belongs to a record by itself, so that nothing
// else has the key decoded by which it is found.
func TestFoundWithoutTheirWords(t *testing.T) {
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
			t.Errorf("%s: %s", query, r.raw)
		}
	}
}

// TestNewWordsSurvive has ClickFunnels send words that are newer than the enums.
func TestNewWordsSurvive(t *testing.T) {
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
		t.Errorf("no invoice of a new type: %s", r.raw)
	}
}

func walk(t *testing.T, e *env, sort string, forward bool, size int) []string {
	t.Helper()
	return walkOf(t, e, `workspace(id: "109", subdomain: "sol-cursos")`, "workspace.contacts", sort, forward, size)
}

// walkOf walks the list at a path, below the field that the path begins with.
func walkOf(t *testing.T, e *env, below, path, sort string, forward bool, size int) []string {
	t.Helper()
	list := path[strings.LastIndex(path, ".")+1:]
	var all []string
	cursor := ""
	for range 400 {
		window := fmt.Sprintf("first: %d", size)
		if !forward {
			window = fmt.Sprintf("last: %d", size)
		}
		if cursor != "" {
			window += map[bool]string{true: ", after: ", false: ", before: "}[forward] + fmt.Sprintf("%q", cursor)
		}
		r := e.must(fmt.Sprintf(`{ %s { %s(%s %s) { edges { cursor node { rawId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`, below, list, sort, window) + strings.Repeat("}", strings.Count(below, "{")))
		var page []string
		for i := range size {
			id, ok := r.get(fmt.Sprintf(path+".edges.%d.node.rawId", i)).(string)
			if !ok {
				break
			}
			if r.get(fmt.Sprintf(path+".edges.%d.cursor", i)) != id {
				t.Fatal("a cursor is not its row's id")
			}
			page = append(page, id)
		}
		info := path + ".pageInfo."
		if len(page) > 0 && (r.get(info+"startCursor") != page[0] || r.get(info+"endCursor") != page[len(page)-1]) {
			t.Fatalf("the cursors of the slice: %s", r.raw)
		}
		more, behind, next := r.get(info+"hasNextPage"), r.get(info+"hasPreviousPage"), r.get(info+"endCursor")
		if forward {
			all = append(all, page...)
		} else {
			all = append(page, all...)
			more, behind, next = behind, more, r.get(info+"startCursor")
		}
		if behind != (cursor != "") {
			t.Fatalf("whether there are rows behind: %s", r.raw)
		}
		if more == false {
			return all
		}
		cursor = next.(string)
	}
	t.Fatal("the walk does not end")
	return nil
}

func TestFilters(t *testing.T) {
	e := newEnv(t)
	tag := model.GlobalID(upstream.Ref{Kind: upstream.KindContactTag, Parent: "101", ID: "5001"})
	contact := e.must(`{ workspace(id: "101") { contact(id: "3000000002") { id publicId emailAddress } } }`)
	public := contact.get("workspace.contact.publicId").(string)
	for _, test := range []struct {
		filter string
		want   int
	}{
		{`ids: ["3000000002", "3000000003"]`, 2},
		{`ids: [3000000002]`, 1},
		{`ids: ["` + contact.get("workspace.contact.id").(string) + `"]`, 1},
		{`ids: ["` + public + `", "3000000003"]`, 2},
		{`ids: ["` + public + `", "3000000002"]`, 1},
		{`ids: ["999"]`, 0},
		{`ids: ["nosuch"]`, 0},
		{`ids: []`, 0},
		{`ids: [], isActive: true`, 0},
		{`ids: null`, 56},
		{`ids: ["` + model.GlobalID(upstream.Ref{Kind: upstream.KindContact, Parent: "102", ID: "3000000058"}) + `"]`, 0},
		{`emailAddresses: ["` + contact.get("workspace.contact.emailAddress").(string) + `", "no+body@example.com"]`, 1},
		{`emailAddresses: ["a&filter[id]=3000000001#%20?"]`, 0},
		{`tagIds: ["` + tag + `"]`, 9},
		{`isActive: false`, 6},
		{`isActive: true`, 50},
		{`isActive: true, ids: ["3000000006", "3000000007"]`, 1},
	} {
		r := e.must(`{ workspace(id: "101") { contacts(first: 100, filter: { ` + test.filter + ` }) { nodes { rawId } } } }`)
		if nodes, _ := r.get("workspace.contacts.nodes").([]any); len(nodes) != test.want {
			t.Errorf("%s: %d contacts, want %d", test.filter, len(nodes), test.want)
		}
	}
	r := e.must(`{ workspace(id: "101") { contactTags(filter: { names: ["VIP", "Lead"] }) { nodes { name workspace { name } } } } }`)
	if nodes, _ := r.get("workspace.contactTags.nodes").([]any); len(nodes) != 2 {
		t.Errorf("tags by name: %s", r.raw)
	}
}

// TestBadArguments has each bad argument answered by one clear error at its
// field, and no call made for it.
func TestBadArguments(t *testing.T) {
	e := newEnv(t)
	for _, test := range []struct{ field, path, code, text string }{
		{`teams(first: 0) { nodes { id } }`, "teams", "BAD_USER_INPUT", "first is 0; it can be 1 to 100."},
		{`teams(first: 101) { nodes { id } }`, "teams", "BAD_USER_INPUT", "first is 101; it can be 1 to 100."},
		{`teams(last: -1) { nodes { id } }`, "teams", "BAD_USER_INPUT", "last is -1; it can be 1 to 100."},
		{`teams(first: 1, last: 1) { nodes { id } }`, "teams", "BAD_USER_INPUT", "Give first or last, not both."},
		{`teams(after: "1", before: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "Give after or before, not both."},
		{`teams(last: 1, after: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after goes with first; before goes with last."},
		{`teams(first: 1, before: "2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "before goes with last; after goes with first."},
		{`teams(after: "") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor."},
		{`teams(after: "1&x=2") { nodes { id } }`, "teams", "BAD_USER_INPUT", "after is not a cursor of this list: give the cursor of an edge, or an endCursor or startCursor."},
		{`team(id: "../users") { name }`, "team", "BAD_USER_INPUT", "This is not the id of a team: give its id, rawId or publicId."},
		{`team(id: "") { name }`, "team", "BAD_USER_INPUT", "This is not the id of a team: give its id, rawId or publicId."},
		{`team(id: "MTp3b3Jrc3BhY2U6MTAx") { name }`, "team", "BAD_USER_INPUT", "This is the id of a workspace, where the id of a team is expected."},
		{`node(id: "11") { id }`, "node", "BAD_USER_INPUT", "This is not the id of an object. A raw or public id does not tell its type: use the type's own field for it."},
		{`contact(id: "3000000001") { id }`, "contact", "BAD_USER_INPUT", "Give workspaceId as well: a contact's raw or public id does not tell its workspace."},
		{`contact(id: "` + contactIDs(1)[0] + `", workspaceId: "102") { id }`, "contact", "NOT_FOUND", "There is no such contact in this workspace."},
		{`workspace(id: "101", subdomain: "evil.example.com/") { name }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "a@b") { contacts { nodes { id } } }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "") { contacts { nodes { id } } }`, "workspace", "BAD_USER_INPUT", `A subdomain is one DNS label, such as "acme": letters, digits and inner hyphens, at most 63 of them.`},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: ["a,b"] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "A filter value must not be blank or contain a comma or a line break."},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { emailAddresses: [" "] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "A filter value must not be blank or contain a comma or a line break."},
		{`workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { ids: ["a b"] }) { nodes { id } } }`, "workspace.contacts", "BAD_USER_INPUT", "This is not the id of a contact: give its id, rawId or publicId."},
	} {
		e.forget()
		r := e.query("{ " + test.field + " }")
		if len(r.Errors) != 1 || r.code(test.path) != test.code || r.Errors[0].Message != test.text {
			t.Errorf("%s: want %s %q, got %s", test.field, test.code, test.text, r.raw)
		}
		if calls := e.callsOf(demo.Token); len(calls) != 0 {
			t.Errorf("%s: calls %q", test.field, calls)
		}
	}
	for _, variables := range []map[string]any{{"d": "asc"}, {"d": 7}} {
		if r := e.query(`query($d: SortDirection!) { workspace(id: "101", subdomain: "acme-academy") { contacts(sort: { direction: $d }) { nodes { id } } } }`, variables); len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
			t.Errorf("%v: %s", variables, r.raw)
		}
	}
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = fmt.Sprint(i + 1)
	}
	r := e.query(`query($ids: [ID!]!) { nodes(ids: $ids) { id } workspace(id: "101", subdomain: "acme-academy") { contacts(filter: { ids: $ids }) { nodes { id } } } }`, map[string]any{"ids": ids})
	if r.Data != nil || len(r.Errors) == 0 || !strings.Contains(r.raw, "ids has 101 values; it can have 100.") {
		t.Errorf("101 ids: %s", r.raw)
	}
}

// TestThreeForms gives every argument that takes an id each of its forms.
func TestThreeForms(t *testing.T) {
	e := newEnv(t)
	known := e.must(`{ team(id: "11") { id rawId publicId } workspace(id: "101") { id rawId publicId } contact(id: "3000000002", workspaceId: "101") { id rawId publicId } }`)
	forms := func(path string) []string {
		var all []string
		for _, form := range []string{".id", ".rawId", ".publicId"} {
			all = append(all, known.get(path+form).(string))
		}
		return all
	}
	for _, team := range forms("team") {
		if r := e.must(`{ team(id: "` + team + `") { name workspaces { nodes { rawId } } } way: team(id: "` + team + `") { workspaces { nodes { rawId } } } }`); r.get("team.name") != "Acme Coaching" || r.get("way.workspaces.nodes.0.rawId") != "101" {
			t.Errorf("team %s: %s", team, r.raw)
		}
	}
	for _, workspace := range forms("workspace") {
		for _, subdomain := range []string{"", `, subdomain: "acme-academy"`, `, subdomain: "ACME-Academy"`} {
			r := e.must(`{ workspace(id: "` + workspace + `"` + subdomain + `) { name contacts(first: 1) { nodes { rawId } } } way: workspace(id: "` + workspace + `"` + subdomain + `) { contacts(first: 1) { nodes { id } } } }`)
			if r.get("workspace.name") != "Acme Academy" || r.get("workspace.contacts.nodes.0.rawId") != "3000000001" || r.get("way.contacts.nodes.0.id") != contactIDs(1)[0] {
				t.Errorf("workspace %s: %s", workspace, r.raw)
			}
		}
		for _, contact := range forms("contact") {
			fresh := newEnv(t)
			r := fresh.must(`{ contact(id: "` + contact + `", workspaceId: "` + workspace + `") { id firstName appliedTags { nodes { id } } } workspace(id: "` + workspace + `") { contact(id: "` + contact + `") { id } } }`)
			if r.get("contact.id") != known.get("contact.id") || r.get("workspace.contact.id") != known.get("contact.id") || r.get("contact.firstName") != "Bruno" {
				t.Errorf("contact %s of %s: %s", contact, workspace, r.raw)
			}
		}
	}
	for _, path := range []string{"team", "workspace", "contact"} {
		id := known.get(path + ".id").(string)
		if r := e.must(`{ node(id: "` + id + `") { id __typename } }`); r.get("node.id") != id {
			t.Errorf("node %s: %s", id, r.raw)
		}
	}
}

// TestEveryNode refetches every kind of object by the id that it was given.
func TestEveryNode(t *testing.T) {
	e := newEnv(t)
	r := e.must(`{ users { nodes { id } } team(id: "11") { id memberships { id user { id email } team { id } } billingSubscriptions { id team { id name } includedPrices { rawId priceId quantity createdAt } } } workspace(id: "101") { id contactTags { nodes { id } } contact(id: "3000000004") { id appliedTags { nodes { id } } } } }`)
	for path, kind := range map[string]string{
		"users.nodes.0.id": "User", "team.memberships.0.team.id": "Team", "team.id": "Team", "team.memberships.1.id": "Membership", "team.billingSubscriptions.0.id": "BillingSubscription",
		"workspace.id": "Workspace", "workspace.contactTags.nodes.2.id": "ContactTag", "workspace.contact.id": "Contact", "workspace.contact.appliedTags.nodes.1.id": "AppliedContactTag",
	} {
		id := r.get(path).(string)
		if n := e.must(`{ node(id: "` + id + `") { id __typename } nodes(ids: ["` + id + `"]) { id } }`); n.get("node.id") != id || n.get("node.__typename") != kind || n.get("nodes.0.id") != id {
			t.Errorf("%s %s: %s", path, id, n.raw)
		}
	}
}
