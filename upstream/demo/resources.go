package demo

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Resource is a resource of workspaces, generated from the description.
type Resource struct {
	Type string // such as FunnelTag
	Kind string // such as funnel_tag
	// Path is the path of its records without the id, such as funnels/tags. A star stands for the id
	// of the parent, if the path contains it.
	Path string
	// List is the path of its first list, such as workspaces/*/funnels/tags. Field is the field of
	// the type Parent that holds the list. Both are empty if the records are embedded in the
	// parent.
	List, Field, Parent string
	// ParentKey is the key of the parent's id in its records.
	ParentKey string
	// CreatePath is the path that creates records, below a record of the type CreateParent, whose id
	// they hold under CreateKey. All are empty if the list's path creates them.
	CreateParent, CreatePath, CreateKey string
	Owner                               string   // relation to the record that names the workspace; empty if records do
	Body                                string   // key of the body in writes
	Write                               []string // such as CREATE
	Actions                             []string // such as archive
	Filters                             []string
	Fields                              []Field
	// ByHand reports whether a hand-written function completes the bodies of its writes.
	ByHand bool
	// Patch reports whether updates have the method PATCH only.
	Patch bool
	// Listed reports whether only the list has the records: there is no path for one.
	Listed bool
	// Whole reports whether lists have no pages, and are members of an object.
	Whole bool
}

// Field is a field of a [Resource].
type Field struct {
	Name string
	// Key is empty for an object whose fields are keys of the record itself.
	Key string
	// Type is the type in the schema. A relation leads to the type To. An id without a relation is the
	// id of a record of the type in the field Of.
	Type, To, Of string
	List         bool
	// Input is the field's name in inputs. Create and Update tell whether the write accepts the field:
	// REQUIRED, OPTIONAL or empty.
	Input, Create, Update string
	// Expand reports whether the API sends the field only on request.
	Expand bool
	// InputOnly reports whether only inputs have the field.
	InputOnly bool
	Word      string  // a value of an enum
	Fields    []Field // of an object
}

// Selection returns a record's fields as part of a query: all fields that REST sends, and the ids
// of its relations. prefix starts their aliases.
func (r Resource) Selection(prefix string) string {
	return " " + prefix + "publicId: publicId" + selection(r.Fields, prefix)
}

func selection(fields []Field, prefix string) string {
	var b strings.Builder
	for _, f := range fields {
		if f.InputOnly || f.To != "" && f.List {
			continue
		}
		b.WriteString(" " + prefix + f.Name + ": " + f.Name)
		switch {
		case f.To != "":
			b.WriteString(" { id }")
		case f.Fields != nil:
			b.WriteString(" {" + selection(f.Fields, "") + " }")
		}
	}
	return b.String()
}

// Given returns the attributes of a create or update input, each with a comma before it. All texts
// are "7", which is also an id and a number. Relations lead to the first records of workspace 101.
func (x Example) Given(write string) string { return x.given(x.Fields, write) }

func (x Example) given(fields []Field, write string) string {
	var b strings.Builder
	for _, f := range fields {
		if write == "create" && f.Create == "" || write == "update" && f.Update == "" {
			continue
		}
		value := `"7"`
		switch {
		case f.To+f.Of != "":
			value = strconv.Quote(x.firstIDs[f.To+f.Of])
		case f.Fields != nil:
			value = "{ " + strings.TrimPrefix(x.given(f.Fields, ""), ", ") + " }"
		case f.Word != "":
			value = f.Word
		case f.Type == "Boolean":
			value = "true"
		case f.Type == "Int":
			value = "7"
		case f.Type == "DateTime":
			value = `"2026-01-02T03:04:05Z"`
		}
		if f.List {
			value = "[" + value + "]"
		}
		b.WriteString(", " + cmp.Or(f.Input, f.Name) + ": " + value)
	}
	return b.String()
}

// Example is a resource of the simulated API. ID is the raw id of its first record, and ParentID the
// raw id of the record's parent.
type Example struct {
	Resource
	ID, ParentID string
	// Derived reports whether its table is made from the description.
	Derived  bool
	firstIDs map[string]string // raw ids of the first records, by type
}

// Examples returns the resources of the simulated API.
func Examples() []Example {
	var all []Example
	firstIDs := make(map[string]string)
	for _, t := range example() {
		if r := t.resource; r != nil && len(t.rows) > 0 {
			firstIDs[r.Type] = strconv.FormatInt(t.rows[0].id(), 10)
			all = append(all, Example{*r, firstIDs[r.Type], fmt.Sprint(t.rows[0][r.ParentKey]), t.derived, firstIDs})
		}
	}
	return all
}

// RefID returns the example's id as global ids hold it: below the parent's id if the path contains
// that.
func (x Example) RefID() string {
	if strings.Contains(x.Path, "*") {
		return x.ParentID + "-" + x.ID
	}
	return x.ID
}

// Derived returns the resources whose tables are made from the description.
func Derived() []Example {
	return slices.DeleteFunc(Examples(), func(x Example) bool { return !x.Derived })
}

// tableOf returns the table that holds the records of a resource, nil if there is none.
func (r Resource) tableOf(tables []*table) *table {
	i := slices.IndexFunc(tables, func(t *table) bool { return t.member == r.Path+"/*" || t.list == r.List })
	if i < 0 {
		return nil
	}
	return tables[i]
}

// derive makes a table from the description for each resource without a hand-written one. It gives
// the hand-written tables the writes of the description.
func (r *fixtures) derive(tables []*table) []*table {
	r.derived, r.tables = make(map[string]*table), make(map[string]*table)
	var all []*table
	for i := range Resources {
		resource := &Resources[i]
		t := resource.tableOf(tables)
		if t == nil {
			t = r.workspaceTable(resource.Path, keys(resource.Filters...))
			if resource.Parent != "Workspace" {
				above, _, _ := strings.Cut(resource.List, "/*/")
				parents := slices.IndexFunc(tables, func(t *table) bool { return t.member == above+"/*" })
				t = childTable(tables[parents], resource.ParentKey, resource.List, resource.Path, keys(resource.Filters...))
			}
			if resource.Listed {
				t.member = ""
			}
			t.derived, r.derived[resource.Path] = true, t
			all, tables = append(all, t), append(tables, t)
		}
		t.resource, r.tables[resource.Type] = resource, t
	}
	for _, t := range r.tables {
		if t.writes == nil {
			t.writes = r.writes(t)
		}
	}
	return all
}

// derivedPerParent is the number of records of each parent in a derived table.
const derivedPerParent = 3

// fillDerived adds records to the derived tables without any.
func (r *fixtures) fillDerived() {
	begun := make(map[*table]bool)
	for _, resource := range Resources {
		r.fill(r.derived[resource.Path], begun)
	}
}

// fill adds records to a derived table, after the tables that they lead to. It skips tables that
// are nil, begun or filled.
func (r *fixtures) fill(t *table, begun map[*table]bool) {
	if t == nil || begun[t] || len(t.rows) > 0 {
		return
	}
	begun[t] = true
	r.fill(r.derived[strings.TrimSuffix(t.parents.member, "/*")], begun)
	for _, f := range t.resource.Fields {
		if to := r.tables[f.To]; to != nil {
			r.fill(r.derived[to.resource.Path], begun)
		}
	}
	for _, parent := range t.parents.rows {
		for n := range derivedPerParent {
			var own row
			if story := stories[t.resource.Path]; story != nil {
				own = story(r, parent, n)
			}
			r.addExample(t, parent, 200_001, own)
		}
	}
	t.index()
}

// addExample adds a record with example values for the description's types. own overrides them.
func (r *fixtures) addExample(t *table, parent row, first int64, own row) row {
	n := len(t.rows)
	made := with(with(values(t.resource.Fields, n), row{t.resource.ParentKey: parent.id()}), own)
	for _, f := range t.resource.Fields {
		if _, isOwn := own[f.Key]; f.To == "" || f.Key == t.resource.ParentKey || isOwn {
			continue
		}
		made[f.Key] = r.tables[f.To].someID(hostOf(t.parents, parent), n)
		if f.List {
			made[f.Key] = []any{made[f.Key]}
		}
	}
	return t.appendRow(t.nextRow(first, int64(n)), made)
}

// someID returns the id of a record on a host, nil if there is none.
func (t *table) someID(subdomain string, n int) any {
	var own []row
	for _, r := range t.rows {
		if t.subdomain(r) == subdomain && (t.hidden == nil || !t.hidden(r)) {
			if own = append(own, r); len(own) > n%derivedPerParent {
				break
			}
		}
	}
	if own == nil {
		return nil
	}
	return own[len(own)-1].id()
}

// values returns example values for fields, by their types.
func values(fields []Field, n int) row {
	r := make(row, len(fields))
	for _, f := range fields {
		switch {
		case f.InputOnly || f.To != "":
			continue
		case f.Key == "":
			maps.Copy(r, values(f.Fields, n))
			continue
		}
		r[f.Key] = f.value(n)
		if f.List {
			r[f.Key] = []any{r[f.Key]}
		}
	}
	return r
}

// keys returns the keys that hold the field's value.
func (f Field) keys() []string {
	if f.Key != "" {
		return []string{f.Key}
	}
	var all []string
	for _, part := range f.Fields {
		all = append(all, part.keys()...)
	}
	return all
}

func (f Field) value(n int) any {
	switch {
	case f.Type == "ID":
		return nil // no existing record could be named
	case f.Fields != nil:
		return values(f.Fields, n)
	case f.Word != "":
		return strings.ToLower(f.Word)
	case f.Key == "color":
		return tagColors[n%len(tagColors)]
	case strings.HasPrefix(f.Key, "email"):
		return fmt.Sprintf("contact.%d@example.com", n)
	case strings.HasSuffix(f.Key, "url"):
		return fmt.Sprintf("https://www.example.com/%d", n+1)
	}
	switch f.Type {
	case "Int":
		return n
	case "Boolean":
		return n%2 == 0
	case "Decimal":
		return fmt.Sprintf("%d.50", n)
	case "DateTime":
		return at(int64(n))
	case "JSON":
		return row{"example": n}
	}
	return fmt.Sprintf("%s %d", humanized(f.Key), n+1)
}

// writes returns the writes of a table by its description; nil if there are none.
func (r *fixtures) writes(t *table) *writes {
	of := t.resource
	if len(of.Write)+len(of.Actions) == 0 {
		return nil
	}
	w := &writes{
		key: of.Body, patch: of.Patch, actions: make(map[string]func(row) string), created: r.created(of.Type),
		changed: func(made row, given map[string]any) string { return r.checkRelations(t, made, given) },
	}
	for _, f := range of.Fields {
		if f.Create != "" || f.Update != "" {
			w.attributes = append(w.attributes, f.keys()...)
		}
		if f.Create == "REQUIRED" {
			w.required = append(w.required, f.Key)
		}
	}
	if slices.Contains(of.Write, "CREATE") {
		if w.path, w.parents = t.list, t.parents; of.CreatePath != "" {
			w.path, w.parents = of.CreatePath, r.tables[of.CreateParent]
		}
		w.make = func(id int64, parent row) row {
			made := with(record(id, 0), values(of.Fields, 1))
			for _, f := range of.Fields {
				if f.Create != "" || f.To != "" {
					with(made, nulls(f.keys()...))
				}
			}
			if of.CreatePath != "" { // below a sibling
				return with(made, row{t.parent: parent[t.parent], of.CreateKey: parent.id()})
			}
			return with(made, row{t.parent: parent.id()})
		}
	}
	if slices.Contains(of.Write, "DELETE") {
		w.destroy = func(r row) {
			t.rows = slices.DeleteFunc(t.rows, func(other row) bool { return other.id() == r.id() })
		}
	}
	for _, action := range of.Actions {
		w.actions["POST "+action] = actions[action]
	}
	r.adapt(w, t)
	return w
}

// adapt adds to a table's writes what the description does not tell.
func (r *fixtures) adapt(w *writes, t *table) {
	also := func(change func(made row, given map[string]any) (refusal string)) {
		check := w.changed
		w.changed = func(made row, given map[string]any) string { return cmp.Or(check(made, given), change(made, given)) }
	}
	switch t.resource.Type {
	case "Funnel":
		w.applied, w.expands = codeAttributes, true
		also(r.setFunnel)
	case "Page":
		w.applied, w.expands = slices.Concat(codeAttributes, []string{"funnel", "show_page_step"}), true
		also(r.setPage)
	case "Order":
		w.applied = []string{"contact_attributes", "line_items_attributes"}
		also(r.setOrder)
	case "OrderInvoice":
		w.applied = []string{"line_items_attributes"}
		w.missing = func(order row) string {
			if known, ok := r.orders.find(fmt.Sprint(cmp.Or(order["order_id"], any(order.id())))); !ok || known["payment_processor"] != "external" {
				return "No such external order"
			}
			return ""
		}
		w.created = func(row, map[string]any) { r.workspaceInvoices.rows = t.rows }
		also(r.setInvoice)
	case "WebhookEndpoint":
		w.once = func() row { return row{"webhook_secret": rand.Text()} }
	}
}

// actions carry out the actions of resources.
var actions = map[string]func(row) (refusal string){
	"archive":   func(r row) string { return setOnce(r, "archived", true, "Product is already archived") },
	"unarchive": func(r row) string { return setOnce(r, "archived", false, "Product is not archived") },
	"cancel":    func(r row) string { return setOnce(r, "status", "cancelled", "Fulfillment is already cancelled") },
}

// created returns a function that adds what belongs to a new record, nil for most types.
func (r *fixtures) created(typeName string) func(made row, given map[string]any) {
	switch typeName {
	case "Product": // ClickFunnels adds a variant (clickfunnels-api.md §5)
		return func(product row, _ map[string]any) {
			variant := r.addVariant(product, 0, 0)
			with(product, row{"default_variant_id": variant.id(), "variant_ids": []int64{variant.id()}})
		}
	case "SalesPipeline":
		return func(pipeline row, given map[string]any) {
			stages, _ := given["stages_attributes"].([]any)
			for i, stage := range stages {
				stage, _ := stage.(map[string]any)
				r.addStage(pipeline, i, fmt.Sprint(stage["name"]), stage["close_probability"])
			}
		}
	}
	return nil
}

// setOnce sets a key of a row. It returns a refusal if the row has that value already.
func setOnce(r row, key string, value any, refusal string) string {
	if r[key] == value {
		return refusal
	}
	r[key] = value
	return ""
}

// checkRelations converts the ids in a row to integers. It returns a refusal if a record does not
// exist on the row's host.
func (r *fixtures) checkRelations(t *table, made row, given map[string]any) string {
	for _, f := range t.resource.Fields {
		value, isGiven := given[f.Key]
		if !isGiven || value == nil || f.To == "" && !strings.HasSuffix(f.Key, "_id") && !strings.HasSuffix(f.Key, "_ids") {
			continue
		}
		all, isList := value.([]any)
		if !isList {
			all = []any{value}
		}
		ids := make([]any, len(all))
		for i, id := range all {
			if to := r.tables[f.To+f.Of]; to != nil {
				found, ok := to.find(idText(id))
				if !ok || to.subdomain(found) != t.subdomain(made) {
					return humanized(f.Name) + " must exist"
				}
			}
			ids[i] = id
			if n, err := strconv.ParseInt(idText(id), 10, 64); err == nil {
				ids[i] = n
			}
		}
		if made[f.Key] = any(ids); !isList {
			made[f.Key] = ids[0]
		}
	}
	return ""
}
