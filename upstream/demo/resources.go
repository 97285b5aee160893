package demo

import (
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
	Path string // of its records without the id, such as funnels/tags
	// List is the path of its first list, such as workspaces/*/funnels/tags. Field is the field of
	// the type Parent that holds the list. Both are empty if the records are embedded in the
	// parent.
	List, Field, Parent string
	// ParentKey is the key of the parent's id in its records.
	ParentKey string
	Body      string   // key of the body in writes
	Write     []string // such as CREATE
	Filters   []string
	Fields    []Field
}

// Field is a field of a [Resource].
type Field struct {
	Name string
	// Key is empty for an object whose fields are keys of the record itself.
	Key string
	// Type is the type in the schema. To is the type that a relation leads to.
	Type, To string
	List     bool
	// Create and Update tell whether the write accepts the field: REQUIRED, OPTIONAL or empty.
	Create, Update string
	Fields         []Field // of an object
}

// Selection returns a record's fields as part of a query: all fields that REST sends, and the ids
// of its relations. prefix starts their aliases.
func (r Resource) Selection(prefix string) string { return selection(r.Fields, prefix) }

func selection(fields []Field, prefix string) string {
	var b strings.Builder
	for _, f := range fields {
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
// are "7", which is also an id and a number.
func (r Resource) Given(write string) string { return given(r.Fields, write) }

func given(fields []Field, write string) string {
	var b strings.Builder
	for _, f := range fields {
		if write == "create" && f.Create == "" || write == "update" && f.Update == "" {
			continue
		}
		b.WriteString(", " + f.Name + ": ")
		switch {
		case f.Fields != nil:
			b.WriteString("{ " + strings.TrimPrefix(given(f.Fields, ""), ", ") + " }")
		case f.Type == "Boolean":
			b.WriteString("true")
		case f.Type == "Int":
			b.WriteString("7")
		default:
			b.WriteString(`"7"`)
		}
	}
	return b.String()
}

// Example is a resource whose table is made from the description. ID is the raw id of its first
// record, and ParentID the raw id of the record's parent.
type Example struct {
	Resource
	ID, ParentID string
}

// Derived returns the resources whose tables are made from the description.
func Derived() []Example {
	var all []Example
	for _, t := range example() {
		if r := t.resource; r != nil {
			all = append(all, Example{*r, strconv.FormatInt(t.rows[0].id(), 10), fmt.Sprint(t.rows[0][r.ParentKey])})
		}
	}
	return all
}

// hasTable reports whether a table holds the records of the resource.
func (r Resource) hasTable(tables []*table) bool {
	return slices.ContainsFunc(tables, func(t *table) bool { return t.member == r.Path+"/*" })
}

// derive makes a table from the description for each resource without a hand-written one.
func (r *fixtures) derive(tables []*table) []*table {
	r.derived = make(map[string]*table)
	var all []*table
	for i := range Resources {
		resource := &Resources[i]
		if resource.hasTable(tables) {
			continue
		}
		t := r.workspaceTable(resource.Path, keys(resource.Filters...))
		if resource.Parent != "Workspace" {
			above, _, _ := strings.Cut(resource.List, "/*/")
			parents := slices.IndexFunc(tables, func(t *table) bool { return t.member == above+"/*" })
			t = childTable(tables[parents], resource.ParentKey, resource.List, resource.Path, keys(resource.Filters...))
		}
		t.resource, t.writes = resource, resource.writes(t)
		r.derived[resource.Path] = t
		all, tables = append(all, t), append(tables, t)
	}
	return all
}

// derivedPerParent is the number of records of each parent in a derived table.
const derivedPerParent = 3

// fillDerived adds records to the derived tables without any.
func (r *fixtures) fillDerived() {
	for _, resource := range Resources {
		t := r.derived[resource.Path]
		if t == nil || len(t.rows) > 0 {
			continue
		}
		for _, parent := range t.parents.rows {
			for range derivedPerParent {
				t.addExample(parent, 200_001, nil)
			}
		}
	}
}

// addExample adds a record with example values for the description's types. own overrides them.
func (t *table) addExample(parent row, first int64, own row) row {
	n := len(t.rows)
	return t.appendRow(t.nextRow(first, int64(n)), with(with(values(t.resource.Fields, n), row{t.resource.ParentKey: parent.id()}), own))
}

// values returns example values for fields, by their types.
func values(fields []Field, n int) row {
	r := make(row, len(fields))
	for _, f := range fields {
		if f.Key == "" {
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

func (f Field) value(n int) any {
	switch {
	case f.To != "" || f.Type == "ID":
		return nil // no existing record could be named
	case f.Fields != nil:
		return values(f.Fields, n)
	case f.Key == "color":
		return tagColors[n%len(tagColors)]
	case strings.HasPrefix(f.Key, "email"):
		return fmt.Sprintf("contact.%d@example.com", n)
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
	}
	return fmt.Sprintf("%s %d", humanized(f.Key), n+1)
}

// writes returns the writes of the description; nil if there are none.
func (r Resource) writes(t *table) *writes {
	if len(r.Write) == 0 {
		return nil
	}
	w := &writes{key: r.Body, changed: wholeNumbers}
	for _, f := range r.Fields {
		if f.Create != "" || f.Update != "" {
			w.attributes = append(w.attributes, f.Key)
		}
		if f.Create == "REQUIRED" {
			w.required = append(w.required, f.Key)
		}
	}
	if slices.Contains(r.Write, "CREATE") {
		w.make = func(id int64, parent row) row {
			made := with(record(id, 0), values(r.Fields, 0))
			for _, f := range r.Fields {
				if f.Create != "" {
					made[f.Key] = nil
				}
			}
			return with(made, row{r.ParentKey: parent.id()})
		}
	}
	if slices.Contains(r.Write, "DELETE") {
		w.destroy = func(r row) {
			t.rows = slices.DeleteFunc(t.rows, func(other row) bool { return other.id() == r.id() })
		}
	}
	return w
}

// wholeNumbers converts ids from JSON's floating-point numbers to integers.
func wholeNumbers(r row, _ map[string]any) string {
	for key, value := range maps.Clone(r) {
		if n, ok := value.(float64); ok && strings.HasSuffix(key, "_id") {
			r[key] = int64(n)
		}
	}
	return ""
}
