package graph

import (
	"errors"
	"testing"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestListElementsCountAgainstTheLimitOfObjects counts values of fields until the limit is
// exceeded.
func TestListElementsCountAgainstTheLimitOfObjects(t *testing.T) {
	o := &objectCount{Session: &Session{Objects: 3}}
	for _, v := range []any{nil, 7, "text", []byte("bytes"), []string{"a", "b"}, []int{1}, []int{}} {
		if err := o.count(v); err != nil {
			t.Errorf("%v was refused within the limit: %v", v, err)
		}
	}
	err := o.count([]int{1})
	failed, ok := errors.AsType[*gqlerror.Error](err)
	if !ok || !errors.Is(err, upstream.BadUserInput) || failed.Extensions["limit"] != "objects" || failed.Extensions["max"] != 3 {
		t.Errorf("the fourth element: got the error %v, want BAD_USER_INPUT with the limit and its maximum", err)
	}
	if err := (&objectCount{Session: &Session{}}).add(1_000_000); err != nil {
		t.Errorf("refused without a limit: %v", err)
	}
}

// TestExceededObjectsAreReportedOnce measures the limit and does not enforce it.
func TestExceededObjectsAreReportedOnce(t *testing.T) {
	reports := 0
	o := &objectCount{Session: &Session{Objects: 3, Exceeded: func() { reports++ }}}
	for i := range 10 {
		if err := o.add(1); err != nil {
			t.Errorf("element %d was refused: %v", i, err)
		}
		if want := min(1, i/3); reports != want {
			t.Errorf("after %d elements: %d reports, want %d", i+1, reports, want)
		}
	}
}

// TestObjectLimitOmitsListsOfTheAnswer pins how lists of each source count: rows by nodes and by
// edges, embedded objects, scalars, and introspection.
func TestObjectLimitOmitsListsOfTheAnswer(t *testing.T) {
	for query, objects := range map[string]int{
		`{ teams(first: 2) { nodes { name } } }`:                                                                           2,
		`{ teams(first: 2) { nodes { name } edges { cursor } } }`:                                                          4,
		`{ teams(first: 2) { nodes { memberships { id } } } }`:                                                             6,
		`{ teams(first: 1) { nodes { memberships { roleIds } } } }`:                                                        5,
		`{ nodes(ids: ["MTp0ZWFtOjEx"]) { id } }`:                                                                          1,
		`{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000002") { tags { name } } } }`:              1,
		`{ workspace(id: "101", subdomain: "acme-academy") { contact(id: "3000000002") { customAttributes { value } } } }`: 2,
		`{ __type(name: "SortDirection") { enumValues { name } } }`:                                                        2,
	} {
		for _, limit := range []int{objects, objects - 1} {
			o := newOperations(t)
			o.session = func(s *Session) { s.Objects = max(limit, 1) }
			response := o.start(t.Context(), t, query, "", false)()
			if failed := len(response.Errors) > 0; limit > 0 && failed != (limit < objects) {
				t.Errorf("%s with a limit of %d: errors %v, want some only below %d objects", query, limit, response.Errors, objects)
			}
		}
	}
}
