package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// writeDemo writes the table of workspace resources for the simulated API and the tests.
func (d *Description) writeDemo(c *code) error {
	c.begin("demo", nil, nil)
	c.line("// Resources are the resources of workspaces.\nvar Resources = []Resource{")
	e := &expansion{Description: d}
	for _, r := range d.inOrder() {
		if r.Accounts {
			continue
		}
		list := r.Lists[0]
		path, parentKey := starred(list.Path)
		member, _ := starred(r.Path)
		field := list.Field
		if d.comesWithParent(list) {
			field = ""
		}
		c.line("{\nType: %q, Kind: %q, Path: %q, List: %q, Field: %q,\nParent: %q, ParentKey: %q, Body: %q, Write: []string{%s}, Filters: []string{%s},",
			r.Type.Name, kindOf(r), member, path, field, list.Parent, parentKey, r.Body, quoted(r.Write), quoted(r.Filters))
		if r.Create.Parent != list.Parent {
			path, key := starred(r.Create.Path)
			c.line("CreateParent: %q, CreatePath: %q, CreateKey: %q,", r.Create.Parent, path, key)
		}
		if r.Owner != "" {
			c.line("Owner: %q,", r.Owner)
		}
		if r.Actions != nil {
			c.line("Actions: []string{%s},", quoted(r.Actions))
		}
		if r.Attributes != "nil" {
			c.line("ByHand: true,")
		}
		if r.Patch {
			c.line("Patch: true,")
		}
		if r.Listed {
			c.line("Listed: true,")
		}
		if r.Whole {
			c.line("Whole: true,")
		}
		c.line("Fields: []Field{")
		e.writeDemoFields(c, r.Type.Fields, nil)
		e.writeDemoInputs(c, r)
		c.line("},\n},")
	}
	c.line("}")
	return nil
}

// starred returns a path with stars for its ids, and the key of the last id.
func starred(path []string) (starred, key string) {
	segments := slices.Clone(path)
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i], key = "*", strings.Trim(segment, "{}")
		}
	}
	return strings.Join(segments, "/"), key
}

// writeDemoFields writes the fields of a type that REST sends as values, and its relations.
// object is the field with the object if the type is composed, otherwise nil.
func (e *expansion) writeDemoFields(c *code, fields ast.FieldList, object *ast.FieldDefinition) {
	for _, f := range fields {
		name, key, extra := f.Type.Name(), keyOf(f), e.demoMembers(f)
		isMany := f.Directives.ForName("hasMany") != nil
		if (f.Directives.ForName("belongsTo") != nil || isMany && f.Directives.ForName("key") == nil) && relationKey(f) != "" {
			c.line("{Name: %q, Key: %q, To: %q%s},", f.Name, relationKey(f), name, extra)
			continue
		}
		if len(f.Arguments) > 0 || isMany || f.Directives.ForName("resolve") != nil || e.Resources[name] != nil || isDerived(e.Types[name]) {
			continue
		}
		if object != nil {
			key = partKey(object, f)
		}
		if of := e.Types[name]; isComposed(of) {
			if extra != "" {
				c.line("{Name: %q, Key: %q, Type: %q, InputOnly: true%s},", f.Name, key, mainPart(of).Type.Name(), extra)
			}
			key, extra = "", ""
		}
		e.writeDemoField(c, f, key, extra)
	}
}

// demoMembers returns members of a field's Go struct, each after a comma.
func (e *expansion) demoMembers(f *ast.FieldDefinition) (members string) {
	if f.Type.Elem != nil {
		members += ", List: true"
	}
	if in := (arguments{f.Directives.ForName("input")}); in.directive != nil {
		members += fmt.Sprintf(", Input: %q, Create: %q, Update: %q", e.inputName(f), in.text("create", ""), in.text("update", ""))
	}
	if (arguments{f.Directives.ForName("key")}).text("expand", "false") == "true" {
		members += ", Expand: true"
	}
	return members + named(f)
}

// named returns the resource that an id names without a relation, as a member of a Go struct.
func named(f *ast.FieldDefinition) string {
	if of := (arguments{f.Directives.ForName("input")}).text("of", ""); of != "" {
		return fmt.Sprintf(", Of: %q", of)
	}
	return ""
}

// writeDemoField writes a field with a value, and the fields of an object.
func (e *expansion) writeDemoField(c *code, f *ast.FieldDefinition, key, extra string) {
	name := f.Type.Name()
	t := e.Types[name]
	if t != nil && t.Kind == ast.Enum {
		extra += fmt.Sprintf(", Word: %q", t.EnumValues[0].Name)
	}
	if t == nil || t.Kind != ast.Object && t.Kind != ast.InputObject {
		c.line("{Name: %q, Key: %q, Type: %q%s},", f.Name, key, name, extra)
		return
	}
	c.line("{Name: %q, Key: %q, Type: %q%s, Fields: []Field{", f.Name, key, name, extra)
	if !isComposed(t) {
		f = nil
	}
	e.writeDemoFields(c, t.Fields, f)
	c.line("}},")
}

// writeDemoInputs writes the fields that only inputs have.
func (e *expansion) writeDemoInputs(c *code, r *Resource) {
	known := make(map[string]bool)
	for _, f := range slices.Concat(e.extraInputs(r, "create"), e.extraInputs(r, "update")) {
		if known[f.Name] {
			continue
		}
		known[f.Name] = true
		extra := fmt.Sprintf(", InputOnly: true, Input: %q, Create: %q, Update: %q", f.Name, requirement(e.extraInputs(r, "create"), f.Name), requirement(e.extraInputs(r, "update"), f.Name))
		if f.Type.Elem != nil {
			extra += ", List: true"
		}
		key := keyOf(f)
		if isComposed(e.Types[f.Type.Name()]) {
			key = ""
		}
		e.writeDemoField(c, f, key, extra+named(f))
	}
}

// requirement returns whether inputs must have a field: REQUIRED, OPTIONAL, or empty if they lack
// it.
func requirement(fields []*ast.FieldDefinition, name string) string {
	i := slices.IndexFunc(fields, func(f *ast.FieldDefinition) bool { return f.Name == name })
	switch {
	case i < 0:
		return ""
	case fields[i].Type.NonNull:
		return "REQUIRED"
	}
	return "OPTIONAL"
}
