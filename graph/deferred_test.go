package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// labelsOf returns the labels of the fragments of an operation that are marked as deferred.
func labelsOf(set ast.SelectionSet) (labels []string) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			labels = append(labels, labelsOf(s.SelectionSet)...)
		case *ast.InlineFragment:
			if hasDeferredMark(s) {
				labels = append(labels, s.Directives.ForName(deferDirective).Arguments.ForName("label").Value.Raw)
			}
			labels = append(labels, labelsOf(s.SelectionSet)...)
		}
	}
	return labels
}

func TestFragmentsAreDeferredWhereTheyApply(t *testing.T) {
	for _, test := range []struct {
		query string
		want  []string
	}{
		{`{ teams { nodes { id } } }`, nil},
		{`{ ... @defer(label: "a") { teams { nodes { id } } } }`, []string{"a"}},
		{`{ ...F @defer(label: "a") } fragment F on Query { teams { ... @defer(label: "b") { nodes { id } } } }`, []string{"a", "b"}},
		{`{ teams { nodes { ... @defer(label: "a") { id } ... @defer(label: "b") { name } } } }`, []string{"a", "b"}},
		{`{ ... @defer(if: false, label: "a") { teams { nodes { id } } } }`, nil},
		{`query($no: Boolean!) { ... @defer(if: $no, label: "a") { teams { nodes { id } } } ... @defer(if: true, label: "b") { users { nodes { id } } } }`, []string{"b"}},
		{`query($no: Boolean!) { ... @defer(label: "a") @include(if: $no) { teams { nodes { id } } } }`, nil},
		{`query($no: Boolean!) { teams @include(if: $no) { ... @defer(label: "a") { nodes { id } } } }`, nil},
		// Fragments without fields would be empty parts.
		{`query($no: Boolean!) { ... @defer(label: "a") { teams @include(if: $no) { nodes { id } } } }`, nil},
		{`query($no: Boolean!) { ... @defer(label: "a") { ... @include(if: $no) { teams { nodes { id } } } ...F @include(if: $no) } } fragment F on Query { users { nodes { id } } }`, nil},
		// The fields of a mutation run in order. Those of its payload can wait.
		{`mutation { ... @defer(label: "a") { updateTeam(input: { id: "11", name: "A" }) { ... @defer(label: "b") { team { name } } } } }`, []string{"b"}},
	} {
		op := operationOf(t, test.query, map[string]any{"no": false})
		renameDefer(op.Operation.SelectionSet)
		for _, fragment := range op.Doc.Fragments {
			renameDefer(fragment.SelectionSet)
		}
		before := fmt.Sprint(labelsOf(op.Operation.SelectionSet))
		marked, found := markDeferred(op)
		if got := labelsOf(marked.Operation.SelectionSet); !slices.Equal(got, test.want) || found != (len(test.want) > 0) {
			t.Errorf("%s: deferred %q (%t), want %q", test.query, got, found, test.want)
		}
		if after := fmt.Sprint(labelsOf(op.Operation.SelectionSet)); after != before {
			t.Errorf("%s: the document itself was marked, but other operations use it: %s", test.query, after)
		}
	}
}

// part is a response of an operation in parts.
type part struct {
	Path       []any
	Label      string
	Data       json.RawMessage
	HasNext    *bool
	Errors     []partError
	Extensions map[string]any
}

// partError is an error of a part.
type partError struct {
	Message string
	Path    []any
}

// describe describes a part by its label, its path and its data.
func (p part) describe() string { return fmt.Sprint(p.Label, " ", p.Path, " ", string(p.Data)) }

// parts runs an operation and returns its responses.
func (o *operations) parts(ctx context.Context, t *testing.T, query string) (all []part) {
	t.Helper()
	next := o.start(ctx, t, query, "", true)
	for response := next(); response != nil; response = next() {
		var p part
		if err := json.Unmarshal([]byte(text(t, response)), &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 || all[0].Data == nil {
		t.Fatalf("%s was not executed: %+v", query, all)
	}
	for i, p := range all {
		if want := i < len(all)-1; len(all) > 1 && (p.HasNext == nil || *p.HasNext != want) {
			t.Errorf("part %d of %d announces more: %v, want %t", i, len(all), p.HasNext, want)
		}
	}
	return all
}

// TestDeferredFragmentsArePartsAfterTheirObjects pins the parts of operations, and that a fragment
// comes after the one that contains it. Parts of different fragments may come in any order.
func TestDeferredFragmentsArePartsAfterTheirObjects(t *testing.T) {
	for _, test := range []struct {
		name, query string
		first       string
		later       []string // sorted
	}{
		{"none", `{ team(id: "11") { name } }`, `{"team":{"name":"Acme Coaching"}}`, nil},
		{"none that applies", `{ team(id: "11") { ... @defer(if: false) { name } } }`, `{"team":{"name":"Acme Coaching"}}`, nil},
		{
			"a member", `{ contact(id: "3000000001", workspaceId: "101") { customAttribute(key: "city") ... @defer(label: "a") { plan: customAttribute(key: "plan") none: customAttribute(key: "none") } } }`,
			`{"contact":{"customAttribute":"Lisbon"}}`, []string{`a [contact] {"plan":"starter","none":null}`},
		},
		{"at the root", `{ ... @defer(label: "a") { team(id: "11") { name } } }`, `{}`, []string{`a [] {"team":{"name":"Acme Coaching"}}`}},
		{
			"beside fields", `{ team(id: "11") { name ... @defer(label: "a") { locale } ... @defer(label: "b") { timeZone } } }`, `{"team":{"name":"Acme Coaching"}}`,
			[]string{`a [team] {"locale":"en"}`, `b [team] {"timeZone":"Pacific Time (US \u0026 Canada)"}`},
		},
		{
			"for each object of a list", `{ t: teams(first: 2) { nodes { ... @defer(label: "a") { name } } } }`, `{"t":{"nodes":[{},{}]}}`,
			[]string{`a [t nodes 0] {"name":"Acme Coaching"}`, `a [t nodes 1] {"name":"Northwind Studio"}`},
		},
		{
			"only for objects of its type", `{ nodes(ids: ["MTp0ZWFtOjEx"]) { id ... on Team @defer(label: "a") { name } ... on Contact @defer(label: "b") { firstName } } }`,
			`{"nodes":[{"id":"MTp0ZWFtOjEx"}]}`, []string{`a [nodes 0] {"name":"Acme Coaching"}`},
		},
		{
			"within another one", `{ team(id: "11") { ... @defer(label: "a") { name ... @defer(label: "b") { locale } } } }`, `{"team":{}}`,
			[]string{`a [team] {"name":"Acme Coaching"}`, `b [team] {"locale":"en"}`},
		},
		{
			"that has only others", `{ team(id: "11") { ... @defer(label: "a") { ... @defer(label: "b") { locale } } } }`, `{"team":{}}`,
			[]string{`b [team] {"locale":"en"}`},
		},
		{"of an object that is null", `{ contact(id: "3000000001", workspaceId: "101") { visits { firstVisit { ... @defer(label: "a") { uuid } } } } }`, `{"contact":{"visits":{"firstVisit":null}}}`, nil},
		{
			"of a payload", `mutation { updateTeam(input: { id: "11", name: "A" }) { team { ... @defer(label: "a") { name } } userErrors { message } } }`, `{"updateTeam":{"team":{},"userErrors":[]}}`,
			[]string{`a [updateTeam team] {"name":"A"}`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := newOperations(t).parts(t.Context(), t, test.query)
			if string(all[0].Data) != test.first || all[0].Path != nil {
				t.Errorf("the first part is %s, want %s", all[0].describe(), test.first)
			}
			var later []string
			labels := ""
			for _, p := range all[1:] {
				later, labels = append(later, p.describe()), labels+p.Label
			}
			slices.Sort(later)
			if !slices.Equal(later, test.later) {
				t.Errorf("the later parts are\n\t%s\nwant\n\t%s", strings.Join(later, "\n\t"), strings.Join(test.later, "\n\t"))
			}
			if test.name == "within another one" && labels != "ab" {
				t.Errorf("the parts come in the order %s, want the inner fragment after the outer one", labels)
			}
		})
	}
}

// TestDeferredCallsBeginAfterTheFirstPart delays the call of the first part. The calls of deferred
// fragments must not begin before its response.
func TestDeferredCallsBeginAfterTheFirstPart(t *testing.T) {
	o := newOperations(t)
	var early atomic.Int32
	var answered atomic.Bool
	o.Answer = func(_ http.ResponseWriter, _ *http.Request, path string) bool {
		switch {
		case path == "/teams":
			time.Sleep(20 * time.Millisecond)
			answered.Store(true)
		case !answered.Load():
			early.Add(1)
		}
		return false
	}
	all := o.parts(t.Context(), t, `{ teams(first: 1) { nodes { name } } ... @defer { users { nodes { email } } workspace(id: "102") { name } } }`)
	if len(all) != 2 || early.Load() != 0 {
		t.Errorf("%d parts, and %d calls of the deferred fragment before the first part; want 2 and 0", len(all), early.Load())
	}
	if calls := o.Take(); calls[0] != "accounts /teams" || len(calls) != 3 {
		t.Errorf("calls %q, want the call for the first part before the two others", calls)
	}
}

// TestDeferredLookupsJoinABatchOfTheFirstPart selects contacts by id inside and outside of a
// deferred fragment. They are loaded by one call.
func TestDeferredLookupsJoinABatchOfTheFirstPart(t *testing.T) {
	o := newOperations(t)
	all := o.parts(t.Context(), t, in101(`a: contact(id: "3000000001") { firstName } b: contact(id: "3000000002") { firstName } ... @defer { c: contact(id: "3000000003") { firstName } }`))
	if len(all) != 2 || string(all[1].Data) != `{"c":{"firstName":"Chen"}}` {
		t.Errorf("parts %+v, want the third contact in the second part", all)
	}
	o.Want(t, "acme-academy /workspaces/101/contacts id×3")
}

func (o *operations) locating(t *testing.T, workspaces ...string) *operations {
	t.Helper()
	o.Locating(t, workspaces...)
	return o
}

// TestDeferredErrorsStayInTheirParts fails the call of one of two deferred fragments, and then a
// non-null field of one.
func TestDeferredErrorsStayInTheirParts(t *testing.T) {
	for _, test := range []struct {
		name, query string
		session     func(*Session)
		failed      string // the path of the failed part's error
		data        string // of the failed part
	}{
		{"a nullable field", `{ ... @defer(label: "bad") { a: team(id: "99") { name } } ... @defer(label: "good") { b: team(id: "12") { name } } }`, nil, `[a]`, `{"a":null}`},
		{
			"a non-null field", `{ c: contact(id: "3000000001", workspaceId: "101") { ... @defer(label: "bad") { customAttributes { key } } ... @defer(label: "good") { firstName } } }`,
			func(s *Session) { s.Objects = 1 }, `[c customAttributes]`, `null`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperations(t)
			o.session = test.session
			all := o.parts(t.Context(), t, test.query)
			if len(all) != 3 || len(all[0].Errors) > 0 {
				t.Fatalf("%d parts, want 3 with no error in the first: %+v", len(all), all)
			}
			for _, p := range all[1:] {
				switch {
				case p.Label == "good" && (len(p.Errors) > 0 || string(p.Data) == "null"):
					t.Errorf("the other part failed, too: %+v", p)
				case p.Label == "bad" && (len(p.Errors) != 1 || fmt.Sprint(p.Errors[0].Path) != test.failed || string(p.Data) != test.data):
					t.Errorf("the failed part is %s with the errors %v; want %s with one error at %s", p.describe(), p.Errors, test.data, test.failed)
				}
			}
		})
	}
}

// TestFragmentsBeyondTheMaximumAreNotDeferred defers 25 fragments.
func TestFragmentsBeyondTheMaximumAreNotDeferred(t *testing.T) {
	all := newOperations(t).parts(t.Context(), t, `{ team(id: "11") { `+each(maxDeferred+5, func(i int) string { return fmt.Sprintf("... @defer { a%d: name }", i) })+`} }`)
	if len(all) != 1+maxDeferred || strings.Count(string(all[0].Data), "Acme") != 5 {
		t.Errorf("%d parts, the first is %s; want %d, with 5 names in the first", len(all), all[0].Data, 1+maxDeferred)
	}
}

// TestPartsEndWithTheirContext cancels an operation whose deferred call never returns.
func TestPartsEndWithTheirContext(t *testing.T) {
	o := newOperations(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Answer = func(_ http.ResponseWriter, r *http.Request, path string) bool {
		if path == "/users" {
			cancel()
			<-r.Context().Done()
		}
		return path == "/users"
	}
	next := o.start(ctx, t, `{ team(id: "11") { name } ... @defer { users { nodes { email } } } }`, "", true)
	if first := next(); string(first.Data) != `{"team":{"name":"Acme Coaching"}}` {
		t.Errorf("the first part is %s, want the team", first.Data)
	}
	if response := next(); response != nil {
		t.Errorf("got the part %s after the end, want none", text(t, response))
	}
}

// TestDeferIsIgnoredUnlessResponsesCanHaveParts pins the whole response.
func TestDeferIsIgnoredUnlessResponsesCanHaveParts(t *testing.T) {
	o := newOperations(t)
	o.answeredWhole(t, `{ team(id: "11") { ... @defer { name } ...F @defer } } fragment F on Team { locale }`, `{"data":{"team":{"name":"Acme Coaching","locale":"en"}}}`)
	if _, parts := InParts(t.Context(), operationOf(t, `{ team(id: "11") { name } }`, nil)); parts {
		t.Error("an operation without @defer is said to have parts")
	}
}

func (o *operations) answeredWhole(t *testing.T, query, want string) {
	t.Helper()
	if got := o.execute(t, query, ""); got != want {
		t.Errorf("%s: got %s, want %s", query, got, want)
	}
}
