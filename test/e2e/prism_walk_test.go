//go:build prism

package e2e

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// walk makes operations that reach every list, record, relation and mutation of the schema.
type walk struct {
	*ast.Schema
	// ids are the global ids of the recorded records, by type.
	ids map[string]string
	// given are values of input fields that the recorded bodies determine, by type and field.
	given map[string]string
}

func newWalk(t *testing.T, recorded recordings) walk {
	t.Helper()
	text, err := os.ReadFile("../../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	w := walk{schema, make(map[string]string), map[string]string{
		// These tags are in the recorded lists of applied tags.
		"RemoveContactTagInput.tagId": plain(at(recorded.list("contacts/*/applied_tags"), "0.tag_id")),
		"RemoveOrderTagInput.tagId":   plain(at(recorded.list("orders/*/applied_tags"), "0.tag_id")),
		// The description lists all values of these texts.
		"OrderFilter.orderTypes":                    "subscription-order",
		"CreateShippingRateInput.liveRatesProvider": "Shippo",
		"UpdateShippingRateInput.liveRatesProvider": "Shippo",
		"UpdateTeamInput.locale":                    "en",
		"CreateOrderInput.orderType":                "one-time-order",
		"CreateOrderInvoiceInput.status":            "paid",
		"UpdateOrderInvoiceInput.status":            "paid",
	}}
	for _, path := range []string{"Team teams", "User users", "Workspace workspaces"} {
		name, path, _ := strings.Cut(path, " ")
		w.ids[name] = globalID(strings.ToLower(name), plain(recorded.record(path)["id"]))
	}
	for _, r := range demo.Resources {
		id := strconv.Itoa(recordID) // if no record is recorded
		if body := recorded.of(r); body != nil {
			id = plain(body["id"])
		}
		if strings.Contains(r.Path, "*") { // the id names the record above it, too
			id += "-" + id
			w.given["Update"+r.Type+"Input.id"] = globalID(r.Kind, strconv.Itoa(workspaceID), id)
			w.given["Delete"+r.Type+"Input.id"] = w.given["Update"+r.Type+"Input.id"]
		}
		w.ids[r.Type] = globalID(r.Kind, strconv.Itoa(workspaceID), id)
	}
	return w
}

// globalID returns the global id of a record. The ids lead from its workspace to the record.
func globalID(kind string, ids ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1:" + kind + ":" + strings.Join(ids, ":")))
}

// embeddedRecords are the types of records without a path. Teams embed them, but the recorded teams
// have none.
var embeddedRecords = []string{"BillingSubscription", "Membership"}

// queries returns a query for each record type, for each of its relations and lists, and for each
// field of the type Query.
func (w walk) queries(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range w.Query.Fields {
		switch {
		case w.isConnection(f.Type):
			all = append(all, "{ "+w.lists(f)+" }")
		case w.ids[f.Type.Name()] != "":
			w.given[f.Name+".id"] = w.ids[f.Type.Name()]
			all = append(all, "{ "+w.relation(f)+" }")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Types)) {
		of := w.Types[name]
		if of.Kind != ast.Object || !w.isRecord(ast.NamedType(name, nil)) || slices.Contains(embeddedRecords, name) {
			continue
		}
		if w.ids[name] == "" {
			t.Errorf("want an id of a %s for the walk, got none", name)
			continue
		}
		record := func(fields string) {
			all = append(all, fmt.Sprintf("{ node(id: %q) { ... on %s { %s } } }", w.ids[name], name, fields))
		}
		record(w.fields(ast.NamedType(name, nil)))
		for _, f := range of.Fields {
			switch {
			case w.isConnection(f.Type):
				record(w.lists(f))
			case w.isRecord(f.Type):
				record(w.relation(f))
			case w.relationsWithin(f.Type) != "":
				record(f.Name + " { " + w.relationsWithin(f.Type) + " }")
			}
		}
	}
	return all
}

// mutations returns each mutation with all fields of its input and its payload.
func (w walk) mutations() []string {
	var all []string
	for _, f := range w.Mutation.Fields {
		payload := w.fields(f.Type)
		for _, member := range w.Types[f.Type.Name()].Fields {
			if w.isRecord(member.Type) {
				payload += " " + w.relation(member)
			}
		}
		all = append(all, fmt.Sprintf("mutation { m: %s(%s) { %s } }", f.Name, w.values(f.Name, f.Arguments), payload))
	}
	return all
}

// relation returns a field that leads to a record, with all arguments.
func (w walk) relation(f *ast.FieldDefinition) string {
	return w.called(f) + " { " + w.fields(f.Type) + " }"
}

// called returns a field with all arguments.
func (w walk) called(f *ast.FieldDefinition) string {
	if len(f.Arguments) == 0 {
		return f.Name
	}
	return f.Name + "(" + w.values(f.Name, f.Arguments) + ")"
}

// lists returns a list field once for each order, with all filters, and once from its end.
func (w walk) lists(f *ast.FieldDefinition) string {
	rows := " { nodes { " + w.fields(w.Types[f.Type.Name()].Fields.ForName("nodes").Type) + " } pageInfo { hasNextPage } }"
	var filter string
	if of := f.Arguments.ForName("filter"); of != nil {
		filter = ", filter: " + w.value("", of.Type)
	}
	all := fmt.Sprintf(`end: %s(last: 3, before: "1000000"%s)%s start: %[1]s(first: 5, after: "1"%[2]s)%[3]s`, f.Name, filter, rows)
	if of := f.Arguments.ForName("sort"); of != nil {
		for _, property := range w.Types[w.Types[of.Type.Name()].Fields.ForName("property").Type.Name()].EnumValues {
			if property.Name == "SORT_ORDER" && f.Type.Name() == "SalesOpportunityConnection" {
				continue // since 2026 (clickfunnels-api.md §3.2)
			}
			all += fmt.Sprintf(" by%s: %s(first: 5, sort: { property: %[1]s, direction: DESC }%[3]s)%[4]s", property.Name, f.Name, filter, rows)
		}
	}
	return all
}

// fields returns the fields of a type that hold values and objects, and not relations.
func (w walk) fields(t *ast.Type) string {
	var all []string
	for _, f := range w.Types[t.Name()].Fields {
		of := w.Types[f.Type.Name()]
		switch {
		case strings.HasPrefix(f.Name, "__") || w.isConnection(f.Type) || w.isRecord(f.Type):
		case of.IsLeafType():
			all = append(all, w.called(f))
		default:
			all = append(all, f.Name+" { "+w.fields(f.Type)+" }")
		}
	}
	return strings.Join(all, " ")
}

// relationsWithin returns the relations of an object that is embedded in a record, and of objects
// within it. It is empty if there are none.
func (w walk) relationsWithin(t *ast.Type) string {
	var all []string
	for _, f := range w.Types[t.Name()].Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		if w.isRecord(f.Type) {
			all = append(all, w.relation(f))
		} else if below := w.relationsWithin(f.Type); below != "" {
			all = append(all, f.Name+" { "+below+" }")
		}
	}
	return strings.Join(all, " ")
}

func (w walk) isRecord(t *ast.Type) bool {
	return slices.Contains(w.Types[t.Name()].Interfaces, "Node")
}

func (w walk) isConnection(t *ast.Type) bool { return strings.HasSuffix(t.Name(), "Connection") }

// values returns all arguments of a field with values, separated by commas.
func (w walk) values(path string, arguments ast.ArgumentDefinitionList) string {
	all := make([]string, len(arguments))
	for i, a := range arguments {
		all[i] = a.Name + ": " + w.value(path+"."+a.Name, a.Type)
	}
	return strings.Join(all, ", ")
}

// exclusive are input fields that exclude another one.
var exclusive = []string{
	"ContactFilter.tagNames", "ContactFilter.stableId", "OrderFilter.stableId",
	"ContactTargetsInput.storedFilterId", "ContactTargetsInput.stableId", "ContactTargetsInput.all", "ConditionalSplitBranchInput.pageIds",
}

// value returns an example value of a type. Texts are "7", which is also an id and a number. path
// is the name of the field, after its type and a point.
func (w walk) value(path string, t *ast.Type) string {
	if t.Elem != nil {
		return "[" + w.value(path, t.Elem) + "]"
	}
	if given, ok := w.given[path]; ok {
		return fmt.Sprintf("%q", given)
	}
	of := w.Types[t.Name()]
	if of.Kind == ast.InputObject {
		var all []string
		for _, f := range of.Fields {
			if !slices.Contains(exclusive, of.Name+"."+f.Name) {
				all = append(all, f.Name+": "+w.value(of.Name+"."+f.Name, f.Type))
			}
		}
		return "{ " + strings.Join(all, ", ") + " }"
	}
	if of.Kind == ast.Enum {
		return of.EnumValues[0].Name
	}
	switch of.Name {
	case "Boolean":
		return "true"
	case "Int":
		return "7"
	case "DateTime":
		return `"2026-01-02T03:04:05Z"`
	}
	if strings.HasSuffix(path, ".workspaceId") {
		return `"42000"`
	}
	return `"7"`
}
