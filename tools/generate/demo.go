package main

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// writeDemo writes the table of workspace resources for the simulated API and the tests.
func (d *Description) writeDemo(c *code) error {
	c.begin("demo", nil, nil)
	c.line("// Resources are the resources of workspaces.\nvar Resources = []Resource{")
	for _, r := range d.inOrder() {
		if r.Accounts {
			continue
		}
		list, parentKey := r.Lists[0], ""
		segments := append([]string(nil), list.Path...)
		for i, segment := range segments {
			if strings.HasPrefix(segment, "{") {
				segments[i], parentKey = "*", strings.Trim(segment, "{}")
			}
		}
		field := list.Field
		if d.comesWithParent(list) {
			field = ""
		}
		c.line("{\nType: %q, Kind: %q, Path: %q, List: %q, Field: %q,\nParent: %q, ParentKey: %q, Body: %q, Write: []string{%s}, Filters: []string{%s},\nFields: []Field{",
			r.Type.Name, kindOf(r), strings.Join(r.Path, "/"), strings.Join(segments, "/"), field, list.Parent, parentKey, r.Body, quoted(r.Write), quoted(r.Filters))
		d.writeDemoFields(c, r.Type, "")
		c.line("},\n},")
	}
	c.line("}")
	return nil
}

// writeDemoFields writes the fields of a type that REST sends as values, and its relations.
// object is the key that holds an object of the type, empty for a record.
func (d *Description) writeDemoFields(c *code, definition *ast.Definition, object string) {
	for _, f := range definition.Fields {
		input := arguments{f.Directives.ForName("input")}
		name, key, extra := f.Type.Name(), (arguments{f.Directives.ForName("key")}).text("name", snake(f.Name)), ""
		below := key
		if isComposed(definition) {
			key = strings.ReplaceAll(around(f), "*", object)
		}
		if isComposed(d.Types[name]) {
			key = ""
		}
		if belongsTo := f.Directives.ForName("belongsTo"); belongsTo != nil {
			c.line("{Name: %q, Key: %q, To: %q},", f.Name, arguments{belongsTo}.text("key", ""), name)
			continue
		}
		if len(f.Arguments) > 0 || f.Directives.ForName("hasMany") != nil || f.Directives.ForName("resolve") != nil || d.Resources[name] != nil {
			continue
		}
		if f.Type.Elem != nil {
			extra += ", List: true"
		}
		if input.directive != nil {
			extra += fmt.Sprintf(", Create: %q, Update: %q", input.text("create", ""), input.text("update", ""))
		}
		t := d.Types[name]
		if t == nil || t.Kind != ast.Object {
			c.line("{Name: %q, Key: %q, Type: %q%s},", f.Name, key, name, extra)
			continue
		}
		c.line("{Name: %q, Key: %q, Type: %q%s, Fields: []Field{", f.Name, key, name, extra)
		d.writeDemoFields(c, t, below)
		c.line("}},")
	}
}
