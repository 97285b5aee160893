package test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// This file computes the least number of REST calls of each relation between resources of
// workspaces. It reads the simulated data with plain REST calls.

// relation is a field that leads from a record to records of another resource.
type relation struct {
	name string // such as Order.lineItems.product
	// keys are the REST keys that lead from a row to the ids, or to the embedded records.
	keys []string
	to   string // type of the related records
	// field is a field of the related records that rows do not embed, by default createdAt.
	field string
	// connection reports whether the field is a connection.
	connection bool
	// holder is the type that has the field.
	holder string
}

// ownRelations are relations that package demo does not describe, or whose rows embed the related
// records.
var ownRelations = []relation{
	{name: "Contact.tags", keys: []string{"tags"}, to: "ContactTag"},
	{name: "Contact.taggings.tag", keys: []string{"tags"}, to: "ContactTag", holder: "ContactTagging"},
	{name: "Funnel.tags", keys: []string{"tags"}, to: "FunnelTag"},
	{name: "Order.contact", keys: []string{"contact"}, to: "Contact", field: "emailEngagement { lastEmailSentAt }"},
	{name: "Order.lineItems.product", keys: []string{"line_items", "original_product"}, to: "Product", holder: "OrderLineItem"},
	{name: "Order.tags", keys: []string{"tag_ids"}, to: "OrderTag"},
	{name: "OrderInvoice.contact", keys: []string{"order", "contact"}, to: "Contact", field: "emailEngagement { lastEmailSentAt }"},
	{name: "Page.funnel", keys: []string{"funnel"}, to: "Funnel"},
	{name: "Page.showPageStep.products", keys: []string{"show_page_step", "products"}, to: "Product", holder: "ShowPageStep"},
	{name: "ProductCollection.products", keys: []string{"product_ids"}, to: "Product", connection: true},
	{name: "ConditionalSplitStep.branches.page", keys: []string{"branches", "page"}, to: "Page", holder: "ConditionalSplitBranch"},
	{name: "SplitTestStep.funnel", keys: []string{"funnel"}, to: "Funnel"},
	{name: "SplitTestStep.variants.page", keys: []string{"variants", "page"}, to: "Page", holder: "SplitTestVariant"},
	{name: "ScheduledEvent.primaryContact", keys: []string{"primary_contact"}, to: "Contact"},
	{name: "SalesOpportunity.contact", keys: []string{"primary_contact"}, to: "Contact", field: "emailEngagement { lastEmailSentAt }"},
	{name: "SalesOpportunity.pipeline", keys: []string{"pipeline"}, to: "SalesPipeline"},
}

// otherRelations are tested by rows of their own in the table of calls. REST embeds the records
// of these relations, or their list is not a field of a connection's rows.
var otherRelations = []string{
	"ConditionalSplitCondition.filter", "FunnelStepStats.page", "ProductPriceChangeVariant.product", "Product.collections", "SalesOpportunity.notes", "SalesPipeline.stages", "SalesPipelineStage.pipeline",
}

// relationsOf returns the relations of a resource.
func relationsOf(r demo.Resource) []relation {
	var all []relation
	for _, own := range ownRelations {
		if strings.HasPrefix(own.name, r.Type+".") {
			own.holder = cmp.Or(own.holder, r.Type)
			all = append(all, own)
		}
	}
	for _, of := range describedRelations(r.Type, r.Type, nil, r.Fields) {
		if !slices.ContainsFunc(all, func(own relation) bool { return own.name == of.name }) {
			all = append(all, of)
		}
	}
	return all
}

// describedRelations returns the relations among fields of a type, and of the objects in them.
func describedRelations(name, holder string, keys []string, fields []demo.Field) []relation {
	var all []relation
	for _, f := range fields {
		at, name := append(slices.Clone(keys), f.Key), name+"."+f.Name
		switch {
		case f.InputOnly:
		case f.To != "":
			all = append(all, relation{name: name, keys: at, to: f.To, holder: holder})
		case f.Key != "":
			all = append(all, describedRelations(name, f.Type, at, f.Fields)...)
		}
	}
	return all
}

// selection returns the relation as part of a query for the records that have it.
func (r relation) selection() string {
	selection := cmp.Or(r.field, "createdAt")
	if r.connection {
		selection = "nodes { " + selection + " }"
	}
	path := strings.Split(r.name, ".")
	for _, field := range slices.Backward(path[1:]) {
		selection = field + " { " + selection + " }"
	}
	return selection
}

// relationCalls returns a row for each relation of each resource of workspaces, below the list of
// the resource.
func relationCalls() []callRow {
	var all []callRow
	for _, x := range demo.Examples() {
		for _, of := range relationsOf(x.Resource) {
			if slices.Contains(otherRelations, of.name) {
				continue
			}
			least, why := leastCalls(x, of)
			list := x.Field + " { nodes { " + of.selection() + " } }"
			row := callRow{
				name: of.name, warm: `{ workspace(id: "101") { name } }`, query: `{ workspace(id: "101", subdomain: "acme-academy") { ` + list + ` } }`,
				want: 1 + least, why: "the list; " + why,
			}
			if x.Parent != "Workspace" {
				row.query = fmt.Sprintf(`{ node(id: %q) { ... on %s { publicId %s } } }`, derivedParent(x), x.Parent, list)
				row.want, row.why = 2+least, "its parent, the list; "+why
			}
			all = append(all, row)
		}
	}
	return all
}

// leastCalls returns the least number of REST calls that find the records of a relation, for the
// first page of a resource's list, and the reason.
func leastCalls(x demo.Example, of relation) (calls int, why string) {
	parent := "101"
	if x.Parent != "Workspace" {
		parent = x.ParentID
	}
	rows := restPages(strings.Replace(x.List, "*", parent, 1))[0]
	read := []string{} // records that the operation reads anyway
	switch of.to {
	case x.Type:
		read = idsAt(rows, nil)
	case x.Parent:
		read = []string{parent}
	}
	wanted := slices.DeleteFunc(idsAt(rows, of.keys), func(id string) bool { return slices.Contains(read, id) })
	to, n := resourceOf(of.to), len(wanted)
	perPage := (n + upstream.PageSize - 1) / upstream.PageSize
	hasFilter := slices.Contains(to.Filters, "id")
	switch {
	case n == 0:
		return 0, "there is nothing else to read"
	case to.Parent == "Workspace" && hasFilter:
		return perPage, fmt.Sprintf("%d by filter[id]", n)
	case to.Parent == x.Parent && hasFilter:
		return perPage, fmt.Sprintf("%d by filter[id] below the same parent", n)
	case to.Parent == "Workspace":
		pages := pagesUntilFound(restPages(strings.Replace(to.List, "*", "101", 1)), wanted)
		if to.Listed {
			return pages, fmt.Sprintf("%d in %d pages of their list, which is the only way to them", n, pages)
		}
		return min(n, pages), fmt.Sprintf("%d in %d pages of their list, which has no filter", n, pages)
	}
	return n, fmt.Sprintf("%d one by one, since REST lists them for one parent at a time", n)
}

// pagesUntilFound returns the number of pages up to the last of the records that are wanted.
func pagesUntilFound(pages [][]any, wanted []string) int {
	missing := slices.Clone(wanted)
	for i, page := range pages {
		found := idsAt(page, nil)
		missing = slices.DeleteFunc(missing, func(id string) bool { return slices.Contains(found, id) })
		if len(missing) == 0 {
			return i + 1
		}
	}
	return len(pages)
}

// idsAt returns the sorted distinct ids that keys lead to in a JSON value. A record stands for its
// own id.
func idsAt(value any, keys []string) []string {
	var all []string
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			all = append(all, idsAt(one, keys)...)
		}
	case map[string]any:
		if len(keys) == 0 {
			return idsAt(value["id"], nil)
		}
		return idsAt(value[keys[0]], keys[1:])
	case json.Number:
		all = append(all, value.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// restPages returns the pages of a list of workspace 101.
func restPages(path string) [][]any {
	api := demo.New()
	for pages, after := [][]any{}, ""; ; {
		r := httptest.NewRequest(http.MethodGet, "/acme-academy"+demo.BasePath+"/"+path+"?after="+after, nil)
		r.Header.Set("Authorization", "Bearer "+demo.Token)
		r.Header.Set("User-Agent", "Test")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		var body any
		decoder := json.NewDecoder(w.Body)
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil {
			panic(fmt.Sprintf("%s: status %d: %v", path, w.Code, err))
		}
		if envelope, ok := body.(map[string]any); ok { // of a list without pages
			body = envelope[path[strings.LastIndexByte(path, '/')+1:]]
		}
		page, ok := body.([]any)
		if !ok {
			panic(path + ": no list")
		}
		pages = append(pages, page)
		if after = w.Header().Get("Pagination-Next"); after == "" {
			return pages
		}
	}
}

// TestCallTableHasEveryRelation looks for fields of the schema that lead to resources of
// workspaces and have no row in the table of calls.
func TestCallTableHasEveryRelation(t *testing.T) {
	covered := slices.Clone(otherRelations)
	kinds := make(map[string]bool)
	for _, r := range demo.Resources {
		kinds[r.Type] = true
		for _, of := range relationsOf(r) {
			covered = append(covered, of.holder+of.name[strings.LastIndex(of.name, "."):])
		}
	}
	types, _ := newEnv(t).must(`{ __schema { types { name kind fields { name type { name ofType { name ofType { name ofType { name } } } } } } } }`).get("__schema.types").([]any)
	for _, one := range types {
		of, _ := one.(map[string]any)
		holder, _ := of["name"].(string)
		fields, _ := of["fields"].([]any)
		for _, one := range fields {
			f, _ := one.(map[string]any)
			name := holder + "." + fmt.Sprint(f["name"])
			if kinds[namedType(f["type"])] && isRecordOrPart(holder) && !slices.Contains(covered, name) {
				t.Errorf("no row for %s", name)
			}
		}
	}
}

// namedType returns the name of the type inside lists and non-null types.
func namedType(value any) string {
	of, _ := value.(map[string]any)
	if name, ok := of["name"].(string); ok {
		return name
	}
	return namedType(of["ofType"])
}

// isRecordOrPart reports whether a type is not a root, and not a page, edge or payload around
// records.
func isRecordOrPart(name string) bool {
	return name != "Query" && name != "Workspace" && !strings.HasSuffix(name, "Connection") && !strings.HasSuffix(name, "Edge") && !strings.HasSuffix(name, "Payload")
}
