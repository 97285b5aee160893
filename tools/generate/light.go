package main

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// writeFieldSets writes the field sets of the resources: the fields that can be answered without
// loading the record.
func (d *Description) writeFieldSets(c *code) error {
	c.begin("graph", nil, nil)
	c.line("// The field sets of records. Those named …RefFields need only a reference to the record. Those\n// named embedded… need only what another record embeds of it.\nvar (")
	relations := d.relations()
	for _, r := range d.inOrder() {
		to := slices.DeleteFunc(slices.Clone(relations), func(each relationUse) bool { return each.field.Type.Name() != r.Type.Name })
		if len(to) == 0 && r.Accounts && r.Type.Name != "Workspace" {
			continue
		}
		free, verifying := d.refFields(r)
		c.line("%sRefFields = fieldSet{%q, []string{%s}, []string{%s}}", lowerFirst(r.Type.Name), r.Type.Name, quoted(free), quoted(verifying))
		for _, each := range to {
			args := arguments{each.directive}
			embeds := d.withMembers(r, args.texts("embeds"))
			if lacks := args.texts("lacks"); lacks != nil {
				embeds, _ = d.fieldsExcept(r, lacks)
			}
			if embeds == nil {
				continue
			}
			c.line("embedded%s%s = %sRefFields.with(%s)", each.typeName, upperFirst(each.field.Name), lowerFirst(r.Type.Name), quoted(embeds))
		}
	}
	c.line(")")
	return nil
}

// relationUse is a field that leads to records, and its directive.
type relationUse struct {
	typeName  string
	field     *ast.FieldDefinition
	directive *ast.Directive
}

// relations returns all fields with @belongsTo, and those with @hasMany whose records are
// embedded.
func (d *Description) relations() []relationUse {
	var all []relationUse
	for typeName, f := range d.fields() {
		if belongsTo := f.Directives.ForName("belongsTo"); belongsTo != nil {
			all = append(all, relationUse{typeName, f, belongsTo})
		}
		if many := f.Directives.ForName("hasMany"); many != nil && (arguments{many}).texts("embeds") != nil {
			all = append(all, relationUse{typeName, f, many})
		}
	}
	return all
}

// refFields returns the fields of a resource that can be answered from its id. Those in free need
// no REST call. Those in verifying make a call of their own, which fails if there is no such
// record.
func (d *Description) refFields(r *Resource) (free, verifying []string) {
	free = []string{"id", "rawId"}
	if !r.Accounts {
		free = append(free, "workspace")
	}
	for _, other := range d.inOrder() {
		for _, relation := range other.Relations {
			if relation.To == r.Type.Name && relation.Inverse != "" && d.inWorkspace(other, relation) {
				free = append(free, relation.Inverse)
			}
		}
		for _, list := range other.Lists {
			if list.Parent == r.Type.Name && !d.comesWithParent(list) {
				verifying = append(verifying, list.Field)
			}
		}
	}
	for _, f := range r.Type.Fields {
		if directive := f.Directives.ForName("resolve"); directive != nil && (arguments{directive}).text("byID", "") == "true" {
			verifying = append(verifying, f.Name)
		}
	}
	return free, verifying
}

// fieldsExcept returns the fields that come with a resource's record if it lacks some, and the
// missing ones. A composed object that lacks a key of these is given by its own fields, such as
// `totalAmount.currency`.
func (d *Description) fieldsExcept(r *Resource, lacks []string) (present, missing []string) {
	lacks = d.withMembers(r, lacks)
	isLacking := func(name string) bool { return slices.Contains(lacks, name) }
	present, missing = slices.DeleteFunc(slices.Clone(recordFields[2:]), isLacking), slices.Clone(lacks)
	var keys []string // that are missing
	for typeName, f := range d.fields() {
		if typeName == r.Type.Name && isLacking(f.Name) {
			keys = append(keys, keyOf(f))
		}
	}
	for typeName, f := range d.fields() {
		if typeName != r.Type.Name || isLacking(f.Name) {
			continue
		}
		var has, hasNot []string
		if of := d.Types[f.Type.Name()]; isComposed(of) {
			for _, part := range of.Fields {
				if name := f.Name + "." + part.Name; slices.Contains(keys, partKey(f, part)) {
					hasNot = append(hasNot, name)
				} else {
					has = append(has, name)
				}
			}
		}
		if hasNot == nil {
			has = []string{f.Name}
		}
		present, missing = append(present, has...), append(missing, hasNot...)
	}
	return present, missing
}

// withMembers adds the fields with @member whose members are in one of the given fields.
func (d *Description) withMembers(r *Resource, names []string) []string {
	for f := range d.fieldsOf(r.Type.Name) {
		if slices.Contains(names, memberOf(f)) {
			names = append(slices.Clip(names), f.Name)
		}
	}
	return names
}

// writeChildren writes the loaders of rows that belong to other records.
func (d *Description) writeChildren(c *code) {
	for _, r := range d.inOrder() {
		for _, relation := range r.Relations {
			if relation.Inverse == "" {
				continue
			}
			across := ""
			if relation.Across != "" {
				across = ".across(allRowsOf(" + d.resourceAt(relation.Across).Type.Name + "List))"
			}
			c.line("%s = byKey(%s, %q, func(o *upstream.%s) string { return %s })%s", childrenName(relation.Inverse, relation.To),
				listName(r, r.Lists[0]), relation.FilterKey, r.Record, accessExpr("o", relation.Key), across)
		}
	}
	for typeName, f := range d.fields() {
		directive := f.Directives.ForName("hasMany")
		if directive == nil || (arguments{directive}).text("walk", "") == "" {
			continue
		}
		of := d.Resources[f.Type.Name()]
		c.line("%s = byWalk(%s, func(o *upstream.%s) []string { return %s })", childrenName(f.Name, typeName),
			listName(of, of.Lists[0]), of.Record, accessExpr("o", arguments{directive}.text("walk", "")))
	}
}
