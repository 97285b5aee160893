package graph

import (
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/funnelgraph/funnelgraph/graph/exec"
)

// TestFieldSetCoversSelections pins which selections need no record. The set has the fields id and
// rawId, and appliedTags, whose call finds out whether the contact exists.
func TestFieldSetCoversSelections(t *testing.T) {
	set := fieldSet{"Contact", []string{"id", "rawId"}, []string{"appliedTags"}}
	for _, test := range []struct {
		selection, fragments string
		covered, verified    bool
	}{
		{`id`, ``, true, false},
		{`__typename`, ``, true, false},
		{`id appliedTags { nodes { id } }`, ``, true, true},
		{`appliedTags { __typename }`, ``, true, true},
		{`id firstName`, ``, false, false},
		{`appliedTags { nodes { id } } firstName`, ``, false, true},
		{`firstName: id`, ``, true, false},
		{`id: firstName`, ``, false, false},
		{`id ... { rawId }`, ``, true, false},
		{`id ... { firstName }`, ``, false, false},
		{`... on Node { id }`, ``, true, false},
		{`...F`, `fragment F on Contact { id ...G } fragment G on Contact { firstName }`, false, false},
		{`id firstName @skip(if: $yes)`, ``, true, false},
		{`id firstName @include(if: $yes)`, ``, false, false},
		{`id ... @skip(if: $yes) { appliedTags { nodes { id } } }`, ``, true, false},
		{`id @skip(if: $yes)`, ``, true, false},
	} {
		ctx := inField(t, `query($yes: Boolean! = true) { contact(id: "1", workspaceId: "2") { `+test.selection+` } a: __typename @include(if: $yes) } `+test.fragments, map[string]any{"yes": true})
		if covered, verified := set.coverage(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field); covered != test.covered || verified != test.verified {
			t.Errorf("%s %s: covered %t and verified %t, want %t and %t", test.selection, test.fragments, covered, verified, test.covered, test.verified)
		}
		if got := set.covers(ctx); got != test.covered {
			t.Errorf("%s: covers is %t, want %t", test.selection, got, test.covered)
		}
		if got := set.coversAndVerifies(ctx); got != (test.covered && test.verified) {
			t.Errorf("%s: coversAndVerifies is %t, want %t", test.selection, got, test.covered && test.verified)
		}
	}
	if set.with("firstName").covers(inField(t, `{ contact(id: "1", workspaceId: "2") { firstName lastName } }`, nil)) || len(set.free) != 2 {
		t.Error("a set with one more field covers two more, or changed the first set")
	}
}

// TestWorkspaceFieldsDependOnTheFormOfTheID pins that only the id that was given is free.
func TestWorkspaceFieldsDependOnTheFormOfTheID(t *testing.T) {
	for _, test := range []struct {
		id, selection string
		covered       bool
	}{
		{"101", `rawId contacts { nodes { id } }`, true},
		{"101", `publicId contacts { nodes { id } }`, false},
		{"abcdef", `publicId contacts { nodes { id } }`, true},
		{"abcdef", `rawId contacts { nodes { id } }`, false},
		{"abcdef", `id contacts { nodes { id } }`, false},
		{"101", `rawId`, false}, // nothing finds out whether it exists
	} {
		if got := workspaceRefFieldsBy(test.id).coversAndVerifies(inField(t, `{ workspace(id: "1") { `+test.selection+` } }`, nil)); got != test.covered {
			t.Errorf("%s of the workspace %s need no record: %t, want %t", test.selection, test.id, got, test.covered)
		}
	}
}

func TestSelectedFieldsAreFoundInFragments(t *testing.T) {
	for _, test := range []struct {
		selection              string
		pageInfo, typenameOnly bool
	}{
		{`nodes { id }`, false, false},
		{`pageInfo { hasNextPage }`, true, false},
		{`info: pageInfo { hasNextPage }`, true, false},
		{`nodes { id } ... { ... { pageInfo { hasNextPage } } }`, true, false},
		{`nodes { id } pageInfo @skip(if: true) { hasNextPage }`, false, false},
		{`__typename`, false, true},
		{`__typename nodes @skip(if: true) { id }`, false, true},
		{`__typename ... @include(if: false) { nodes { id } }`, false, true},
		{`a: __typename ... { nodes { id } }`, false, false},
	} {
		ctx := inField(t, `{ teams { `+test.selection+` } }`, nil)
		if got := selects(ctx, "pageInfo"); got != test.pageInfo {
			t.Errorf("%s selects pageInfo: %t, want %t", test.selection, got, test.pageInfo)
		}
		if got := onlyTypename(ctx); got != test.typenameOnly {
			t.Errorf("%s selects only the type name: %t, want %t", test.selection, got, test.typenameOnly)
		}
	}
}

func TestFieldsOfRowsAreFoundByNodesAndEdges(t *testing.T) {
	ctx := inField(t, `{ teams { pageInfo { hasNextPage } nodes { name } edges { cursor node { locale } } ... { nodes { id } } } }`, nil)
	var names []string
	for _, field := range rowFields(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field) {
		names = append(names, field.Name)
	}
	if want := []string{"name", "id", "locale"}; !slices.Equal(names, want) {
		t.Errorf("the rows have the fields %q, want %q", names, want)
	}
}

// TestDocumentKnowsTheKeysToDecode pins the projection of a document, and whether its plans can
// be kept.
func TestDocumentKnowsTheKeysToDecode(t *testing.T) {
	for _, test := range []struct {
		query   string
		keys    []string
		missing []string
		kept    bool
	}{
		{`{ teams { nodes { name } } }`, []string{"teams", "nodes", "name"}, []string{"locale", "workspaces"}, true},
		{`{ teams { nodes { timeZone x: createdAt } } }`, []string{"time_zone", "created_at"}, []string{"x", "timeZone"}, true},
		{`{ teams { ...F } } fragment F on TeamConnection { nodes { ... { locale } } }`, []string{"locale"}, nil, true},
		{`query A { users { nodes { firstName } } } query B { teams { nodes { locale } } }`, []string{"first_name", "locale"}, nil, true},
		// Fields that @skip or @include may leave out are decoded, too, but the plan depends on variables.
		{`{ teams { nodes { name locale @skip(if: true) } } }`, []string{"locale"}, nil, false},
		{`{ teams { ... @include(if: true) { nodes { name } } } }`, []string{"name"}, nil, false},
		{`{ ...F @skip(if: false) } fragment F on Query { teams { nodes { name } } }`, []string{"name"}, nil, false},
		{`{ ... @defer { teams { nodes { name } } } }`, []string{"name"}, nil, true},
	} {
		doc, errs := gqlparser.LoadQueryWithRules(exec.NewExecutableSchema(exec.Config{}).Schema(), test.query, rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(errs)
		}
		d := newDocument(doc)
		for _, key := range test.keys {
			if !d.keys.want(key) {
				t.Errorf("%s: the key %s is not decoded", test.query, key)
			}
		}
		for _, key := range test.missing {
			if d.keys.want(key) {
				t.Errorf("%s: the key %s is decoded, but not selected", test.query, key)
			}
		}
		if kept := d.plans != nil; kept != test.kept {
			t.Errorf("%s: its plans are kept: %t, want %t", test.query, kept, test.kept)
		}
	}
}

// TestReferencesNeedNoRecord selects fields that need no record of their own. Only the lists below
// are fetched.
func TestReferencesNeedNoRecord(t *testing.T) {
	for _, test := range []struct {
		query string
		calls []string
	}{
		{`{ team(id: "11") { rawId workspaces(first: 1) { nodes { name } } } }`, []string{"accounts /teams/11/workspaces"}},
		{`{ team(id: "11") { name workspaces(first: 1) { nodes { name } } } }`, []string{"accounts /teams/11", "accounts /teams/11/workspaces"}},
		{`{ team(id: "11") { rawId } }`, []string{"accounts /teams/11"}}, // to find out whether it exists
		{`{ workspace(id: "101", subdomain: "acme-academy") { rawId pages(first: 1) { nodes { name } } } }`, []string{"acme-academy /workspaces/101/pages"}},
		{`{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000002") { rawId appliedTags { nodes { rawId } } } } }`, []string{"acme-academy /contacts/3000000002/applied_tags"}},
		{`{ workspace(id: "101", subdomain: "acme-academy") { pages { __typename } } }`, nil},
	} {
		o := newOperations(t)
		o.data(t, test.query)
		o.Want(t, test.calls...)
	}
}
