package test

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// This file generates test rows for resources that are simulated from their description.

// derivedID returns the global id of a resource's example.
func derivedID(x demo.Example) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.Kind(x.Kind), Parent: "101", ID: x.RefID()})
}

// derivedParent returns the global id of the record that lists the example.
func derivedParent(x demo.Example) string {
	return model.GlobalID(upstream.Ref{Kind: upstream.Kind(resourceOf(x.Parent).Kind), Parent: "101", ID: x.ParentID})
}

// resourceOf returns the resource of a GraphQL type.
func resourceOf(typeName string) demo.Resource {
	return demo.Resources[slices.IndexFunc(demo.Resources, func(r demo.Resource) bool { return r.Type == typeName })]
}

// derivedKind returns the two letters that stand for the nth derived resource in the leaky API.
func derivedKind(n int) string { return string([]byte{'a' + byte(n/26), 'a' + byte(n%26)}) }

// derived holds the derived resources by their letters. They are simulated from their description.
var derived = func() map[string]demo.Example {
	all := make(map[string]demo.Example)
	for i, x := range demo.Derived() {
		all[derivedKind(i)] = x
	}
	return all
}()

// inOrder iterates over a map in the order of its keys.
func inOrder[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// withDerived adds the derived resources to those of the leaky API.
func withDerived(all map[string]leakyResource) map[string]leakyResource {
	above := func(typeName string) string {
		for letter, r := range all {
			if typeName == "Workspace" && letter == "W" || typeName != "Workspace" && string(r.kind) == resourceOf(typeName).Kind {
				return letter
			}
		}
		return ""
	}
	for i, x := range demo.Derived() {
		all[derivedKind(i)] = leakyResource{upstream.Kind(x.Kind), x.Path, above(x.Parent), "12", []string{strings.Replace(x.List, "*", "", 1)}}
	}
	return all
}

// listedAt returns the kind of the records that a path lists, or "".
func listedAt(path string) string {
	i := slices.IndexFunc(letters, func(kind string) bool { return slices.Contains(resources[kind].lists, path) })
	if i < 0 {
		return ""
	}
	return letters[i]
}

// fillMarks sets all texts of a record to its mark.
func fillMarks(row map[string]any, fields []demo.Field, text string) {
	if !slices.ContainsFunc(fields, func(f demo.Field) bool { return f.Type == "String" && f.Key != "" }) {
		row["public_id"] = text // some records have no other text
	}
	for _, f := range fields {
		switch {
		case f.Key == "":
			fillMarks(row, f.Fields, text)
		case f.Fields != nil:
			part := make(map[string]any)
			fillMarks(part, f.Fields, text)
			row[f.Key] = part
		case f.Type == "String":
			row[f.Key] = text
		}
	}
}

// withDerivedFragments adds the fields of all derived resources.
func withDerivedFragments(all map[string]string) map[string]string {
	for letter, x := range inOrder(derived) {
		all[x.Type] = x.Selection(letter) + " workspace { name }"
	}
	return all
}

// derivedReadTemplates returns query templates for the derived resources.
func derivedReadTemplates() []string {
	var all []string
	for letter, x := range inOrder(derived) {
		rows := " { nodes { id" + x.Selection("") + " workspace { name } } } "
		all = append(all, below(x.Resource, x.Field+rows))
		if slices.Contains(x.Filters, "id") {
			all = append(all, below(x.Resource, fmt.Sprintf(`%s(filter: { ids: ["{%s}", "{raw}"] })%s`, x.Field, letter, rows)))
		}
	}
	return all
}

// below returns a query for a list of a resource, below its workspace.
func below(r demo.Resource, list string) string {
	if r.Parent == "Workspace" {
		return `{ workspace(id: "{W}") { ` + list + ` } }`
	}
	parent := resourceOf(r.Parent)
	return below(parent, parent.Field+"(first: 3) { nodes { "+list+" } }") // few rows, for the limit of complexity
}

// derivedWriteTemplates returns mutation templates for the derived resources.
func derivedWriteTemplates() []string {
	var all []string
	for letter, x := range inOrder(derived) {
		if x.ByHand {
			continue // in writeTemplates
		}
		result := fmt.Sprintf(" { %s { id%s workspace { name } } userErrors { message } }", lowerFirst(x.Type), x.Selection(""))
		for _, write := range x.Write {
			switch write {
			case "CREATE":
				parent := ""
				if x.Parent != "Workspace" {
					parent = fmt.Sprintf(`%sId: "{%s}", `, lowerFirst(x.Parent), resources[letter].above)
				}
				all = append(all, fmt.Sprintf(`create%s(input: { %sworkspaceId: "{W}"%s })%s`, x.Type, parent, x.Given("create"), result))
			case "UPDATE":
				all = append(all, fmt.Sprintf(`update%s(input: { id: "{%s}", workspaceId: "{W}"%s })%s`, x.Type, letter, x.Given("update"), result),
					fmt.Sprintf(`update%s(input: { id: "{%s}"%s })%s`, x.Type, letter, x.Given("update"), result))
			case "DELETE":
				all = append(all, fmt.Sprintf(`delete%s(input: { id: "{%s}", workspaceId: "{W}" }) { deleted%sId userErrors { message } }`, x.Type, letter, x.Type))
			}
		}
	}
	return all
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// createdBy returns the type of the record below which a resource is created, and the start of the
// input that names it.
func createdBy(x demo.Example) string {
	parent := cmp.Or(x.CreateParent, x.Parent)
	if parent == "Workspace" {
		return `workspaceId: "101"`
	}
	i := slices.IndexFunc(demo.Examples(), func(x demo.Example) bool { return x.Type == parent })
	id := demo.Examples()[i].ID
	if parent == x.Parent {
		id = x.ParentID
	}
	return fmt.Sprintf("%sId: %q", lowerFirst(parent), model.GlobalID(upstream.Ref{Kind: upstream.Kind(resourceOf(parent).Kind), Parent: "101", ID: id}))
}

// TestDescribedWritesSucceed creates, changes and deletes a record of each resource that the
// description can write, and carries out its actions.
func TestDescribedWritesSucceed(t *testing.T) {
	for _, x := range demo.Examples() {
		if len(x.Write)+len(x.Actions) > 0 && !x.ByHand { // test/testdata has cases for the others
			t.Run(x.Type, func(t *testing.T) { testWrites(t, x) })
		}
	}
}

func testWrites(t *testing.T, x demo.Example) {
	t.Helper()
	e, at := newEnv(t), "m."+lowerFirst(x.Type)
	id := model.GlobalID(upstream.Ref{Kind: upstream.Kind(x.Kind), Parent: "101", ID: x.ID})
	payload := fmt.Sprintf(" { %s { id%s } userErrors { field message code } }", lowerFirst(x.Type), x.Selection(""))
	write := func(verb, input string) result {
		return e.must(fmt.Sprintf("mutation { m: %s%s(input: { %s })%s }", verb, x.Type, input, payload))
	}
	var texts []demo.Field
	for _, f := range x.Fields {
		if (f.Create != "" || f.Update != "") && f.Type == "String" && !f.List && !f.InputOnly {
			texts = append(texts, f)
		}
	}
	if slices.Contains(x.Write, "CREATE") {
		made := write("create", createdBy(x)+x.Given("create"))
		if id, _ = made.get(at + ".id").(string); id == "" {
			t.Fatalf("want a new record, got %s", made.raw)
		}
		for _, f := range x.Fields {
			if f.Create != "" && f.To != "" && !f.List && made.get(at+"."+f.Name+".id") == nil {
				t.Errorf("%s: want the related record, got %s", f.Name, made.raw)
			}
		}
		for _, f := range texts {
			if f.Create != "" && made.get(at+"."+f.Name) != "7" {
				t.Errorf("%s: want the created value, got %s", f.Name, made.raw)
			}
		}
	}
	if i := slices.IndexFunc(texts, func(f demo.Field) bool { return f.Update != "" }); slices.Contains(x.Write, "UPDATE") && i >= 0 {
		f := texts[i]
		if changed := write("update", fmt.Sprintf("id: %q, %s: \"changed\"", id, f.Name)); changed.get(at+"."+f.Name) != "changed" {
			t.Errorf("want the changed text, got %s", changed.raw)
		}
		if f.Create == "REQUIRED" {
			refused := write("update", fmt.Sprintf(`id: %q, %s: ""`, id, f.Name))
			want := strings.ToUpper(f.Key[:1]) + strings.ReplaceAll(f.Key[1:], "_", " ") + " can't be blank"
			if refused.get("m.userErrors.0.message") != want || refused.get("m.userErrors.0.field") != f.Name || refused.get(at) != nil {
				t.Errorf("a blank %s: want a user error, got %s", f.Name, refused.raw)
			}
		}
	}
	for _, action := range x.Actions {
		if done := write(action, fmt.Sprintf("id: %q", id)); done.get(at+".id") != id {
			t.Errorf("%s: want the record, got %s", action, done.raw)
		}
		if again := write(action, fmt.Sprintf("id: %q", id)); again.get("m.userErrors.0.code") != "CONFLICT" {
			t.Errorf("%s, twice: want a conflict as a user error, got %s", action, again.raw)
		}
	}
	if !slices.Contains(x.Write, "DELETE") {
		return
	}
	if deleted := e.must(fmt.Sprintf("mutation { m: delete%s(input: { id: %q }) { deleted%sId userErrors { message } } }", x.Type, id, x.Type)); deleted.get("m.deleted"+x.Type+"Id") != id {
		t.Errorf("want the deleted id, got %s", deleted.raw)
	}
	if gone := e.query(fmt.Sprintf("{ node(id: %q) { id } }", id)); gone.code("node") != "NOT_FOUND" {
		t.Errorf("want NOT_FOUND after the deletion, got %s", gone.raw)
	}
}
