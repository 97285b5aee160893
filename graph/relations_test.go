package graph

import (
	"net/http"
	"strings"
	"testing"
)

// The calls of these tests go to the workspace 101.
const (
	host101  = "acme-academy "
	lists101 = host101 + "/workspaces/101/"
)

// TestRelationsLoadInOneBatch selects a relation of several records. The records that they do not
// embed are loaded together.
func TestRelationsLoadInOneBatch(t *testing.T) {
	for _, test := range []struct {
		name, fields, want string
		calls              []string
	}{
		{
			"an embedded record", `orders(first: 1) { nodes { workspace { name publicId } } }`,
			`{"orders":{"nodes":[{"workspace":{"name":"Acme Academy","publicId":"PUBLIC"}}]}}`, []string{lists101 + "orders"},
		},
		{
			"a reference", `orders(first: 1) { nodes { workspace { rawId } contact { rawId } } }`,
			`{"orders":{"nodes":[{"workspace":{"rawId":"101"},"contact":{"rawId":"3000000001"}}]}}`, []string{lists101 + "orders"},
		},
		{
			"full records by a filter", `formSubmissions(first: 3) { nodes { contact { firstName } page { name } } }`,
			`{"formSubmissions":{"nodes":[{"contact":{"firstName":"Ada"},"page":{"name":"Welcome Thank you"}},{"contact":{"firstName":"Dalia"},"page":{"name":"Checkout Opt-in"}},{"contact":{"firstName":"Grace"},"page":{"name":"Welcome Thank you"}}]}}`,
			[]string{lists101 + "form_submissions", lists101 + "contacts id×3", lists101 + "pages id×2"},
		},
		{
			"the part that a record embeds", `pages(first: 3) { nodes { funnel { name } } }`,
			`{"pages":{"nodes":[{"funnel":null},{"funnel":{"name":"Welcome"}},{"funnel":{"name":"Welcome"}}]}}`, []string{lists101 + "pages"},
		},
		{
			"more than the embedded part", `pages(first: 5) { nodes { funnel { archived } } }`,
			`{"pages":{"nodes":[{"funnel":null},{"funnel":{"archived":false}},{"funnel":{"archived":false}},{"funnel":{"archived":true}},{"funnel":{"archived":true}}]}}`,
			[]string{lists101 + "pages", lists101 + "funnels id×2"},
		},
		{
			"the part of an amount that a record embeds", `orderInvoices(first: 1) { nodes { order { totalAmount { __typename amount } } } }`,
			`{"orderInvoices":{"nodes":[{"order":{"totalAmount":{"__typename":"Money","amount":"27.00"}}}]}}`, []string{lists101 + "orders/invoices"},
		},
		{
			"the other part of an amount", `orderInvoices(first: 1) { nodes { order { totalAmount { ... on Money { currency } } } } }`,
			`{"orderInvoices":{"nodes":[{"order":{"totalAmount":{"currency":"USD"}}}]}}`, []string{lists101 + "orders/invoices", "acme-academy /orders/50001"},
		},
		{
			"an embedded list", `contacts(first: 2) { nodes { tags { name } } }`,
			`{"contacts":{"nodes":[{"tags":[]},{"tags":[{"name":"Lead"}]}]}}`, []string{lists101 + "contacts"},
		},
		{
			"an embedded list with full records", `contacts(first: 3) { nodes { tags { name createdAt } } }`,
			`{"contacts":{"nodes":[{"tags":[]},{"tags":[{"name":"Lead","createdAt":"2025-01-08T09:00:00.000Z"}]},{"tags":[{"name":"Newsletter","createdAt":"2025-01-08T10:00:00.000Z"},{"name":"VIP","createdAt":"2025-01-08T11:00:00.000Z"}]}]}}`,
			[]string{lists101 + "contacts", lists101 + "contacts/tags id×3"},
		},
		{
			"full records of embedded tags of funnels", `funnels(first: 2) { nodes { tags { name createdAt } } }`,
			`{"funnels":{"nodes":[{"tags":[{"name":"Welcomes","createdAt":"TIME"}]},{"tags":[{"name":"Webinars","createdAt":"TIME"}]}]}}`,
			[]string{lists101 + "funnels", lists101 + "funnels/tags id×2"},
		},
		{
			"embedded stages", `salesPipelines { nodes { stages { name } } }`,
			`{"salesPipelines":{"nodes":[{"stages":[{"name":"New"},{"name":"Talking"},{"name":"Won"}]}]}}`, []string{lists101 + "sales/pipelines"},
		},
		{
			"full stages", `salesPipelines { nodes { stages { name updatedAt } } }`,
			`{"salesPipelines":{"nodes":[{"stages":[{"name":"New","updatedAt":"TIME"},{"name":"Talking","updatedAt":"TIME"},{"name":"Won","updatedAt":"TIME"}]}]}}`,
			[]string{lists101 + "sales/pipelines", host101 + "/sales/pipelines/90001/stages"},
		},
		{
			"contacts of invoices, by their embedded orders", `orderInvoices(first: 2) { nodes { contact { firstName } } }`,
			`{"orderInvoices":{"nodes":[{"contact":{"firstName":"Ada"}},{"contact":{"firstName":"Ada"}}]}}`, []string{lists101 + "orders/invoices"},
		},
		{
			"windows of records by their ids", `productCollections { nodes { a: products(first: 1) { nodes { rawId } pageInfo { hasNextPage } } b: products(last: 1) { nodes { rawId } pageInfo { hasPreviousPage } } c: products(after: "70001") { nodes { rawId } } } }`,
			`{"productCollections":{"nodes":[` +
				`{"a":{"nodes":[{"rawId":"70001"}],"pageInfo":{"hasNextPage":true}},"b":{"nodes":[{"rawId":"70002"}],"pageInfo":{"hasPreviousPage":true}},"c":{"nodes":[{"rawId":"70002"}]}},` +
				`{"a":{"nodes":[{"rawId":"70001"}],"pageInfo":{"hasNextPage":true}},"b":{"nodes":[{"rawId":"70004"}],"pageInfo":{"hasPreviousPage":true}},"c":{"nodes":[{"rawId":"70002"},{"rawId":"70003"},{"rawId":"70004"}]}}]}}`,
			[]string{lists101 + "products/collections", lists101 + "products id×4"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperations(t)
			got := o.data(t, in101(test.fields))
			if want := `{"workspace":` + test.want + `}`; masked(got, want) != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", masked(got, want), want)
			}
			o.Want(t, test.calls...)
		})
	}
}

// masked returns data whose text values are replaced by the words in capitals that stand for any
// text in want.
func masked(got, want string) string {
	var b strings.Builder
	for len(want) > 0 && len(got) > 0 {
		word := ""
		for _, wildcard := range []string{`"TIME"`, `"PUBLIC"`} {
			if strings.HasPrefix(want, wildcard) && got[0] == '"' {
				word = wildcard
			}
		}
		if word != "" {
			_, got, _ = strings.Cut(got[1:], `"`)
			b.WriteString(word)
			want = want[len(word):]
			continue
		}
		b.WriteByte(got[0])
		got, want = got[1:], want[1:]
	}
	return b.String() + got
}

// TestChildrenOfManyRecordsShareCalls selects lists that REST filters by their parents.
func TestChildrenOfManyRecordsShareCalls(t *testing.T) {
	for _, test := range []struct {
		name, fields, want string
		calls              []string
	}{
		{
			"by nodes", `contacts(first: 4) { nodes { orders(first: 1) { nodes { rawId } } } }`,
			`{"contacts":{"nodes":[{"orders":{"nodes":[{"rawId":"50001"}]}},{"orders":{"nodes":[]}},{"orders":{"nodes":[]}},{"orders":{"nodes":[{"rawId":"50003"}]}}]}}`,
			[]string{lists101 + "contacts", lists101 + "orders contact_id×4"},
		},
		{
			"by edges", `contacts(first: 4) { edges { node { orders(last: 1) { edges { node { rawId } } } } } }`,
			`{"contacts":{"edges":[{"node":{"orders":{"edges":[{"node":{"rawId":"50002"}}]}}},{"node":{"orders":{"edges":[]}}},{"node":{"orders":{"edges":[]}}},{"node":{"orders":{"edges":[{"node":{"rawId":"50003"}}]}}}]}}`,
			[]string{lists101 + "contacts", lists101 + "orders contact_id×4 sort_order=desc"},
		},
		{
			"of lists of several records, merged", `contact(id: "3000000001") { rawId enrollments { nodes { course { rawId } } } }`,
			`{"contact":{"rawId":"3000000001","enrollments":{"nodes":[{"course":{"rawId":"80001"}},{"course":{"rawId":"80002"}}]}}}`,
			[]string{host101 + "/contacts/3000000001", lists101 + "courses", host101 + "/courses/80001/enrollments contact_id×1", host101 + "/courses/80002/enrollments contact_id×1"},
		},
		{
			"by walking the list", `products(first: 2) { nodes { collections { nodes { name } } } }`,
			`{"products":{"nodes":[{"collections":{"nodes":[{"name":"Learning"},{"name":"Everything"}]}},{"collections":{"nodes":[{"name":"Learning"},{"name":"Everything"}]}}]}}`,
			[]string{lists101 + "products", lists101 + "products/collections"},
		},
		{
			"only their type name", `contacts(first: 2) { nodes { orders { __typename } } }`,
			`{"contacts":{"nodes":[{"orders":{"__typename":"OrderConnection"}},{"orders":{"__typename":"OrderConnection"}}]}}`,
			[]string{lists101 + "contacts"},
		},
		{
			"full tags of applied tags", `contacts(first: 3) { nodes { appliedTags { nodes { tag { createdAt } } } } }`,
			`{"contacts":{"nodes":[{"appliedTags":{"nodes":[]}},{"appliedTags":{"nodes":[{"tag":{"createdAt":"TIME"}}]}},{"appliedTags":{"nodes":[{"tag":{"createdAt":"TIME"}},{"tag":{"createdAt":"TIME"}}]}}]}}`,
			[]string{lists101 + "contacts", lists101 + "contacts/tags id×3", host101 + "/contacts/3000000001/applied_tags", host101 + "/contacts/3000000002/applied_tags", host101 + "/contacts/3000000003/applied_tags"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperations(t)
			got := o.data(t, in101(test.fields))
			if want := `{"workspace":` + test.want + `}`; masked(got, want) != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", masked(got, want), want)
			}
			o.Want(t, test.calls...)
		})
	}
}

// TestRelationsOfUnusualRows sends rows that embed less, or name less, than the demo's.
func TestRelationsOfUnusualRows(t *testing.T) {
	for _, test := range []struct {
		name, path, body, fields, want string
		calls                          []string
	}{
		{
			"invoices that do not embed their orders", "/workspaces/101/orders/invoices", `[{"id":1,"order_id":50001},{"id":2},{"id":3,"order_id":50003}]`,
			`orderInvoices { nodes { contact { firstName } } }`,
			`{"orderInvoices":{"nodes":[{"contact":{"firstName":"Ada"}},{"contact":null},{"contact":{"firstName":"Dalia"}}]}}`,
			[]string{lists101 + "orders/invoices", lists101 + "orders id×2"},
		},
		{
			"prices that name their product", "/products/70002/prices", `[{"id":1,"product_id":70002,"variant_id":72002},{"id":2,"product_id":70002,"variant_id":72003},{"id":3}]`,
			`products(filter: { ids: ["70002"] }) { nodes { prices { nodes { variant { name } } } } }`,
			`{"products":{"nodes":[{"prices":{"nodes":[{"variant":{"name":"Standard"}},{"variant":{"name":"Large"}},{"variant":null}]}}]}}`,
			[]string{lists101 + "products id×1", host101 + "/products/70002/prices", host101 + "/products/70002/variants id×2"},
		},
		{
			"a list that names missing records", "/workspaces/101/products/collections", `[{"id":1,"product_ids":[70001,99,70002]}]`,
			`productCollections { nodes { products { nodes { name } } } }`,
			`{"productCollections":{"nodes":[{"products":{"nodes":[{"name":"Starter course"},{"name":"Coaching hour"}]}}]}}`,
			[]string{lists101 + "products/collections", lists101 + "products id×3", host101 + "/products/99"},
		},
		{
			"embedded tags without an id", "/workspaces/101/contacts", `[{"id":1,"workspace_id":101,"email_address":"a","tags":[{"name":"Loose"},{"id":5001,"name":"Customer"}]}]`,
			`contacts { nodes { tags { name createdAt } } }`,
			`{"contacts":{"nodes":[{"tags":[{"name":"Loose","createdAt":null},{"name":"Customer","createdAt":"TIME"}]}]}}`,
			[]string{lists101 + "contacts", host101 + "/contacts/tags/5001"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperations(t)
			o.Replace(test.path, test.body)
			got := o.execute(t, in101(test.fields), "")
			if want := `{"data":{"workspace":` + test.want + `}}`; masked(got, want) != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", masked(got, want), want)
			}
			o.Want(t, test.calls...)
		})
	}
}

// TestFailedRelationFailsOnlyItsObjects fails the load of one of several records. The objects that
// do not need it are complete.
func TestFailedRelationFailsOnlyItsObjects(t *testing.T) {
	o := newOperations(t)
	o.Answer = func(w http.ResponseWriter, _ *http.Request, path string) bool {
		switch path {
		case "/workspaces/101/contacts":
			_, _ = w.Write([]byte(`[{"id":1,"workspace_id":101,"email_address":"a","tags":[{"id":5001,"name":"Customer"},{"id":99,"name":"Broken"}]},{"id":2,"workspace_id":101,"email_address":"b","tags":[{"id":5002,"name":"Lead"}]},{"public_id":"xyz","workspace_id":101,"email_address":"c","tags":[]}]`))
		case "/contacts/tags/99":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			return false
		}
		return true
	}
	got := o.execute(t, in101(`contacts { nodes { tags { createdAt } orders { nodes { rawId } } } }`), "")
	const want = `[{"tags":null,"orders":{"nodes":[]}},{"tags":[{"createdAt":"2025-01-08T09:00:00.000Z"}],"orders":{"nodes":[]}},{"tags":[],"orders":null}]`
	if !strings.Contains(got, want) {
		t.Errorf("got\n\t%s\nwant the contacts\n\t%s", got, want)
	}
	for _, path := range []string{`["workspace","contacts","nodes",0,"tags"]`, `["workspace","contacts","nodes",2,"orders"]`} {
		if !strings.Contains(got, `"path":`+path) {
			t.Errorf("no error at %s: %s", path, got)
		}
	}
	if n := strings.Count(got, `"message"`); n != 2 {
		t.Errorf("%d errors, want 2: %s", n, got)
	}
}
