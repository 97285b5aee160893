package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Offer is a REST operation that the graph carries out.
type Offer struct {
	Method, Path string
	// Fields are the fields that carry it out, such as `createContact`.
	Fields []string

	resource *Resource
}

// offers collects offers.
type offers []*Offer

// add adds a field to the offer of an operation.
func (all *offers) add(r *Resource, method string, path []string, field string) {
	joined := "/" + strings.Join(path, "/")
	o := all.find(method, joined)
	if o == nil {
		o = &Offer{Method: method, Path: joined, resource: r}
		*all = append(*all, o)
	}
	if !slices.Contains(o.Fields, field) {
		o.Fields = append(o.Fields, field)
	}
}

// find returns the offer of an operation, nil if there is none. Names in braces do not count.
func (all *offers) find(method, path string) *Offer {
	i := slices.IndexFunc(*all, func(o *Offer) bool { return o.Method == method && anonymous(o.Path) == anonymous(path) })
	if i < 0 {
		return nil
	}
	return (*all)[i]
}

// addResource adds the operations of a resource.
func (all *offers) addResource(r *Resource) {
	name := r.Type.Name
	for _, list := range r.Lists {
		all.add(r, http.MethodGet, list.Path, list.Parent+"."+list.Field)
	}
	member := append(slices.Clone(r.Path), "{id}")
	if !r.Listed {
		all.add(r, http.MethodGet, member, "node")
	}
	for _, write := range r.Write {
		switch write {
		case "CREATE":
			all.add(r, http.MethodPost, r.Create.Path, "create"+name)
		case "UPDATE":
			all.add(r, r.updateMethod(), member, "update"+name)
		case "DELETE":
			all.add(r, http.MethodDelete, member, "delete"+name)
		}
	}
	for _, action := range r.Actions {
		all.add(r, http.MethodPost, append(slices.Clone(member), action), action+name)
	}
}

// Offers returns the REST operations of the description, sorted by path and method. Call it after
// [Description.Expand].
func (d *Description) Offers() []*Offer {
	var all offers
	for _, r := range d.inOrder() {
		all.addResource(r)
	}
	for typeName, f := range d.fields() {
		directive := f.Directives.ForName("resolve")
		if directive == nil {
			continue
		}
		for _, call := range (arguments{directive}).texts("calls") {
			method, path, _ := strings.Cut(call, " ")
			field := f.Name
			if !isRoot(typeName) {
				field = typeName + "." + f.Name
			}
			all.add(nil, method, strings.Split(path, "/"), field)
		}
	}
	slices.SortFunc(all, func(a, b *Offer) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return all
}

// Drift compares the description with the API. Each line names an operation, a property or a filter
// that is missing in the description, extra there, or of another type.
func (d *Description) Drift(api *API) []string {
	var lines []string
	all := offers(d.Offers())
	for _, o := range api.Operations {
		switch offer := all.find(o.Method, o.Path); {
		case offer == nil:
			lines = append(lines, "missing operation: "+o.Method+" "+o.Path)
		case offer.resource != nil:
			lines = append(lines, d.driftOf(o, offer.resource)...)
		}
	}
	for _, offer := range all {
		if api.Operation(offer.Method, offer.Path) == nil {
			lines = append(lines, "extra operation: "+offer.Method+" "+offer.Path)
		}
	}
	return lines
}

// driftOf compares an operation with the description of its resource.
func (d *Description) driftOf(o *Operation, r *Resource) []string {
	var lines []string
	where := " in " + o.Method + " " + o.Path
	compare := func(what string, properties []Property, known map[string]string, extra bool) {
		for _, p := range properties {
			switch word, ok := known[p.Name]; {
			case !ok && !strings.Contains(p.Name, "."):
				lines = append(lines, "missing "+what+": "+p.Name+where)
			case ok && !compatible(word, p.Type):
				lines = append(lines, fmt.Sprintf("type of %s: %s is %s, described as %s%s", what, p.Name, p.Type, word, where))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(known)) {
			if extra && !slices.ContainsFunc(properties, func(p Property) bool { return p.Name == name }) {
				lines = append(lines, "extra "+what+": "+name+where)
			}
		}
	}
	isMember := o.Method == http.MethodGet && (strings.HasSuffix(o.Path, "/{id}") || r.Listed)
	switch {
	case isMember:
		compare("property", o.Response, d.keysOf(r), true)
	case o.Method == http.MethodGet:
		filters := make(map[string]string)
		for _, key := range r.Filters {
			filters[key] = "any"
		}
		compare("filter", o.Filters, filters, true)
	case o.Body != nil:
		verb := "update"
		if o.Method == http.MethodPost {
			verb = "create"
		}
		compare("attribute", o.Body, d.attributesOf(r, verb), true)
	}
	return lines
}

// keysOf returns the REST keys of a resource's rows with their types.
func (d *Description) keysOf(r *Resource) map[string]string {
	all := map[string]string{"id": "ID", "public_id": "String", "created_at": "DateTime", "updated_at": "DateTime"}
	for _, f := range d.rowFields(r.Type) {
		d.addKeys(all, f)
	}
	for _, directive := range r.Type.Directives.ForNames("key") {
		args := arguments{directive}
		all[args.text("name", "")] = args.text("type", "ID")
		if d.Resources[args.text("type", "ID")] != nil {
			all[args.text("name", "")] = "object"
		}
	}
	if !r.Accounts && r.Owner == "" {
		all["workspace_id"] = "ID"
	}
	return all
}

// addKeys adds the REST keys that hold a field's value.
func (d *Description) addKeys(all map[string]string, f *ast.FieldDefinition) {
	directive := f.Directives.ForName("key")
	key := keyOf(f)
	if relation := f.Directives.ForName("belongsTo"); relation != nil {
		all[arguments{relation}.text("key", "")] = "ID"
		if directive == nil {
			return
		}
	}
	if t := d.Types[f.Type.Name()]; isComposed(t) {
		for _, part := range t.Fields {
			all[partKey(f, part)] = part.Type.Name()
		}
		return
	}
	if all[key] == "" || f.Type.Elem != nil {
		all[key] = kindOfValue(d, f)
	}
}

// kindOfValue returns the type of a field's value: a scalar, object, list or any. It is the type of
// the value that inputs take for a composed object.
func kindOfValue(d *Description, f *ast.FieldDefinition) string {
	t := d.Types[f.Type.Name()]
	switch {
	case f.Type.Elem != nil && !d.isMembers(f):
		return "list"
	case t != nil && t.Kind == ast.Enum:
		return "String"
	case isComposed(t):
		return mainPart(t).Type.Name()
	case t != nil && (t.Kind == ast.Object || t.Kind == ast.InputObject):
		return "object"
	case f.Type.Name() == "JSON":
		return "any"
	}
	return f.Type.Name()
}

// attributesOf returns the attributes that a write accepts, with their types.
func (d *Description) attributesOf(r *Resource, verb string) map[string]string {
	e, all := &expansion{Description: d}, make(map[string]string)
	for _, f := range slices.Concat(e.given(r, verb), e.extraInputs(r, verb)) {
		if of := d.Types[f.Type.Name()]; isComposed(of) && of.Kind == ast.InputObject {
			for _, member := range of.Fields {
				all[partKey(f, member)] = kindOfValue(d, member)
			}
			continue
		}
		word := kindOfValue(d, f)
		if f.Directives.ForName("belongsTo") != nil {
			word = "ID"
		}
		all[e.bodyKey(f)] = word
	}
	return all
}

// compatible reports whether a field of a type can hold values of an API's type.
func compatible(word, apiType string) bool {
	switch apiType {
	case "any":
		return true
	case "integer":
		return word == "Int" || word == "ID" || word == "Decimal" || word == "any"
	case "number":
		return word == "Int" || word == "Decimal" || word == "ID" || word == "any"
	case "string":
		return word != "list" && word != "object" && word != "Boolean" && word != "Int"
	case "time":
		return word == "DateTime" || word == "String" || word == "any"
	case "boolean":
		return word == "Boolean" || word == "any"
	case "array":
		return word == "list" || word == "any"
	}
	return word == "object" || word == "any" || word == "CustomAttribute" || word == "list" // an object or a record
}

// recorded and recordedLater are the files of the API's recorded operations, from the project's root.
const (
	recorded      = "tools/generate/api-2025.txt"
	recordedLater = "tools/generate/api-2026.txt"
)

// record prints the operations of an OpenAPI description.
func record(w io.Writer, name string) error {
	api, err := ReadOpenAPI(name)
	if err != nil {
		return err
	}
	return api.Write(w)
}

// drift prints the differences between a description and an API: an OpenAPI description, or recorded
// operations.
func drift(w io.Writer, from, name string) error {
	read := ReadAPI
	if strings.HasSuffix(name, ".json") {
		read = ReadOpenAPI
	}
	api, err := read(name)
	if err != nil {
		return err
	}
	sources, err := readSources(from)
	if err != nil {
		return err
	}
	d, err := Describe(sources)
	if err != nil {
		return err
	}
	if _, err := d.Expand(); err != nil {
		return err
	}
	for _, line := range d.Drift(api) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
