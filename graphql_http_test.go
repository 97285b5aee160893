package main

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestDeferSendsNoEmptyPart defers fragments that are of no object, or of some: each part
// brings data, no part is null, and nothing is announced that does not come.
func TestDeferSendsNoEmptyPart(t *testing.T) {
	contact, team := contactIDs(1)[0], model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "11"})
	order := model.GlobalID(upstream.Ref{Kind: upstream.KindOrder, Parent: "101", ID: "50001"})
	missing := model.GlobalID(upstream.Ref{Kind: upstream.KindTeam, ID: "99"})
	for _, test := range []struct {
		name, query string
		later       int // objects that come later
	}{
		{"skipped", `{ team(id: "11") { name ... @defer @skip(if: true) { locale } } }`, 0},
		{"not included, by a variable", `query($no: Boolean = false) { team(id: "11") { name ... @include(if: $no) @defer { locale } } }`, 0},
		{"included", `{ team(id: "11") { name ... @include(if: true) @defer { locale } } }`, 1},
		{"a spread that is skipped", `{ team(id: "11") { name ...More @skip(if: true) @defer(label: "more") } } fragment More on Team { locale }`, 0},
		{"fields that are all skipped", `{ team(id: "11") { name ... @defer { locale @skip(if: true) ... @include(if: false) { timeZone } } } }`, 0},
		{"a field on the way that is skipped", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { name } } } } }`, 0},
		{"a way that is skipped and taken", `{ team(id: "11") { name workspaces(first: 1) @skip(if: true) { nodes { ... @defer { subdomain } } } workspaces(first: 1) { nodes { name } } } }`, 0},
		{"inside a skipped fragment", `{ team(id: "11") { name ... @skip(if: true) { ... @defer { locale } } } }`, 0},
		{"off by a variable", `query($on: Boolean! = false) { team(id: "11") { name ... @defer(if: $on) { locale } } }`, 0},
		{"off", `{ team(id: "11") { name ... @defer(if: false) { locale } } }`, 0},
		{"of another type", `{ node(id: "` + contact + `") { id ... on Team @defer { name } } }`, 0},
		{"of another type, around", `{ node(id: "` + contact + `") { id ... on Team { ... @defer { name } } } }`, 0},
		{"of another type, within", `{ node(id: "` + contact + `") { id ... @defer { ... on Team { name } } } }`, 0},
		{"of another type, with the record's too", `{ node(id: "` + contact + `") { __typename id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 1},
		{"a spread of another type", `{ node(id: "` + contact + `") { id ...T @defer ...C @defer } } fragment T on Team { name workspaces { nodes { name } } } fragment C on Contact { emailAddress }`, 1},
		{"on the interface", `{ node(id: "` + team + `") { id ... on Node @defer { ... on Team { name } } } }`, 1},
		{"of a null", `{ node(id: "` + missing + `") { id ... on Team @defer { name } } }`, 0},
		{"rows of different types", `{ nodes(ids: ["` + contact + `", "` + team + `", "` + order + `"]) { id ... on Team @defer { name } ... on Contact @defer { emailAddress } } }`, 2},
		{"rows of different types, one null", `{ nodes(ids: ["` + contact + `", "` + missing + `", "` + team + `"]) { id ... on Team @defer { name } ... on Order @defer { notes } } }`, 1},
		{"the same field of rows of different types", `{ nodes(ids: ["` + contact + `", "` + order + `"]) { id ... on Contact { workspace { name } } ... on Order { workspace { name ... @defer { subdomain } } } } }`, 1},
		{"within each other, the outer of another type", `{ node(id: "` + contact + `") { id ... on Team @defer(label: "a") { name ... @defer(label: "b") { locale } } } }`, 0},
		{"within each other, the inner of another type", `{ node(id: "` + contact + `") { id ... on Node @defer(label: "a") { again: id ... on Team @defer(label: "b") { locale } } } }`, 1},
		{"within each other, the inner skipped", `{ team(id: "11") { name ... @defer(label: "a") { locale ... @defer(label: "b") @skip(if: true) { timeZone } } } }`, 1},
		{"only others within", `{ team(id: "11") { name ... @defer(label: "a") { ... @defer(label: "b") { locale } } } }`, 1},
		{"an empty list", `{ workspace(id: "101") { name contacts(filter: { emailAddresses: ["nobody@example.com"] }) { nodes { id ... @defer { emailAddress } } } } }`, 0},
		{"fields that have been sent", `{ team(id: "11") { name ... @defer { name } } }`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t)
			plain := e.query(test.query)
			got := e.begin(t.Context(), test.query, nil).all()
			if !reflect.DeepEqual(got.Data, plain.Data) || len(got.Errors) != len(plain.Errors) {
				t.Errorf("got\n%s, want\n%s", got.raw, plain.raw)
			}
			later := 0
			for i, part := range got.parts {
				later += len(part.Incremental)
				if i > 0 && len(part.Incremental) == 0 {
					t.Errorf("part %d brings nothing: %s", i, got.raw)
				}
				for _, item := range part.Incremental {
					if len(item.Data) == 0 {
						t.Errorf("part %d has nothing for %v: %s", i, item.Path, got.raw)
					}
				}
			}
			if later != test.later {
				t.Errorf("%d objects later, want %d: %s", later, test.later, got.raw)
			}
			if last := got.parts[len(got.parts)-1]; test.later > 0 && (last.HasNext == nil || *last.HasNext) || test.later == 0 && (last.HasNext != nil || len(got.parts) > 1) {
				t.Errorf("hasNext: %s", got.raw)
			}
		})
	}
}

// TestDeferredNullHasAnError sends null for a deferred fragment only with the error that
// caused it.
func TestDeferredNullHasAnError(t *testing.T) {
	e := newEnv(t, withoutRetries, withFault(func(w http.ResponseWriter, _ *http.Request, _, path string) bool {
		if !ofContacts(path) {
			return false
		}
		http.Error(w, `{"error":"down"}`, http.StatusInternalServerError)
		return true
	}))
	got := e.begin(t.Context(), contactsLater, nil).all()
	for _, part := range got.parts[1:] {
		for _, item := range part.Incremental {
			if len(item.Errors) == 0 {
				t.Errorf("no error: %s", got.raw)
			}
		}
	}
	if len(got.Errors) != 1 || got.get("workspace.name") != "Acme Academy" {
		t.Error(got.raw)
	}
}

// TestFragmentsBeyondTheLimitOfParts sends 20 fragments in parts of their own, and those
// beyond with what is around them.
func TestFragmentsBeyondTheLimitOfParts(t *testing.T) {
	e := newEnv(t)
	query := `{ team(id: "11") { id ` + each(25, func(i int) string { return fmt.Sprintf("... @defer { a%d: name } ", i) }) + `} }`
	got := e.begin(t.Context(), query, nil).all()
	later := 0
	for _, part := range got.parts {
		later += len(part.Incremental)
	}
	first, _ := got.parts[0].Data["team"].(map[string]any)
	if len(got.Errors) > 0 || later != 20 || got.get("team.a24") != "Acme Coaching" || first["a24"] == nil {
		t.Errorf("%d later: %s", later, got.raw)
	}
}
