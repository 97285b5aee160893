package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream/demo"
)

// TestLimitsCanBeMeasured sends the refused requests of test/testdata/limits. They are refused
// again when the parsed document is in the cache, and nothing is logged. In measure mode they are
// answered, and the log reports the figures of the error. Without limits they are answered, too.
func TestLimitsCanBeMeasured(t *testing.T) {
	for _, c := range readCases(t, "limits") {
		t.Run(c.name, func(t *testing.T) {
			log := captureLog(t)
			over := c.steps[len(c.steps)-1]
			e := c.start(t)
			var refused result
			for range 2 { // the second request finds the parsed document in the cache
				if refused = over.send(e, demo.Token); refused.raw != over.want(t) {
					t.Fatalf("want the refusal each time\ngot\n%s\nwant\n%s", refused.raw, over.want(t))
				}
			}
			if log() != "" {
				t.Errorf("want nothing logged, got %s", log())
			}
			c.start(t, withMeasuredLimits).must(over.query)
			figures := refused.Errors[0].Extensions
			want := fmt.Sprintf("limit=%v value=%v max=%v", figures["limit"], figures["value"], figures["max"])
			if c.name == "tokens" { // the refusal has no exact value
				want = "limit=tokens"
			}
			if !strings.Contains(log(), want) {
				t.Errorf("want the exceeded limit reported\ngot\n%s\nwant\n%s", log(), want)
			}
			c.start(t, withLimits(func(l *limits.Limits) { *l = limits.Limits{} })).must(over.query)
		})
	}
}

// TestCallBudgetAnswersInPart expects errors for the fields beyond the call budget, and data
// for the others.
func TestCallBudgetAnswersInPart(t *testing.T) {
	log := captureLog(t)
	budget := withLimits(func(l *limits.Limits) { l.Calls = 6 })
	e := newEnv(t, budget)
	for range 2 { // each request has a budget of its own
		e.forget()
		r := e.query(nested) // 1 + 3 + 12 calls, six of them are made: the teams, and five of the lists below
		if calls := e.callsOf(demo.Token); len(calls) != 6 {
			t.Errorf("%d calls, want 6: %q", len(calls), calls)
		}
		lists, missing := 0, 0
		count := func(path string) bool {
			if r.get(path) != nil {
				lists++
				return true
			}
			missing++
			if code := r.code(path); code != "CALL_BUDGET_EXCEEDED" {
				t.Errorf("%s is missing with the code %q, want CALL_BUDGET_EXCEEDED", path, code)
			}
			return false
		}
		for i := range 3 {
			workspaces := fmt.Sprintf("teams.nodes.%d.workspaces", i)
			if !count(workspaces) {
				continue
			}
			for k := range 4 {
				count(fmt.Sprintf("%s.nodes.%d.contacts", workspaces, k))
			}
		}
		if lists != 5 || missing != len(r.Errors) || r.get("teams.nodes.0.name") != "Acme Coaching" {
			t.Errorf("want 5 lists, and an error for each of the others; got %d lists, %d missing, %d errors: %.1000s", lists, missing, len(r.Errors), r.raw)
		}
	}
	if log() != "" {
		t.Errorf("want nothing logged, got %s", log())
	}
	newEnv(t, budget, withMeasuredLimits).must(nested)
	if n := strings.Count(log(), "limit=calls value=7 max=6"); n != 1 {
		t.Errorf("the exceeded budget was reported %d times, want once: %s", n, log())
	}
}

// TestObjectLimitBoundsTheAnswer omits lists beyond the limit of objects, however often they
// are selected and however few calls they take.
func TestObjectLimitBoundsTheAnswer(t *testing.T) {
	log := captureLog(t)
	// A team has two members, so that each level has six times as many rows as the one above.
	people := func(levels int) string {
		return `{ team(id: "11") { ...F0 } }` + each(levels, func(i int) string {
			if i == levels-1 {
				return fmt.Sprintf(" fragment F%d on Team { name }", i)
			}
			return fmt.Sprintf(" fragment F%d on Team { a: memberships { team { ...F%d } } b: memberships { team { ...F%[2]d } } c: memberships { team { ...F%[2]d } } }", i, i+1)
		})
	}
	introspection := `{ ` + each(10, func(i int) string { return fmt.Sprintf(`t%d: __type(name: "Contact") { ...A } `, i) }) + `}
		fragment A on __Type { ` + each(10, func(i int) string { return fmt.Sprintf("a%d: fields { type { ...B ofType { ...B } } } ", i) }) + `}
		fragment B on __Type { ` + each(10, func(i int) string { return fmt.Sprintf("b%d: fields { name } ", i) }) + `}`
	for name, query := range map[string]string{"people": people(6), "introspection": introspection} {
		e := newEnv(t, withLimits(func(l *limits.Limits) { l.Objects, l.Complexity = 1000, 0 }))
		r := e.query(query)
		if len(r.Errors) == 0 || len(r.Errors) > 1001 || len(r.raw) > 2<<20 {
			t.Errorf("%s: want at most 1001 errors in 2 MiB, got %d errors in %d bytes: %.300s", name, len(r.Errors), len(r.raw), r.raw)
			continue
		}
		if failed := r.Errors[0]; failed.Extensions["code"] != "BAD_USER_INPUT" || failed.Extensions["limit"] != "objects" || failed.Extensions["max"] != 1000.0 {
			t.Errorf("%s: want BAD_USER_INPUT with the limit of objects, got %+v", name, failed)
		}
	}
	// 3 teams, 2 members each, 12 workspaces, and at most 5 contacts of each
	const query = `{ teams { nodes { memberships { id } workspaces { nodes { name contacts(first: 5) { nodes { emailAddress } } } } } } }`
	all := newEnv(t).must(query)
	n := strings.Count(all.raw, `"id"`) + strings.Count(all.raw, `"name"`) + strings.Count(all.raw, `"emailAddress"`) + 3
	if r := newEnv(t, withLimits(func(l *limits.Limits) { l.Objects = n })).must(query); r.raw != all.raw {
		t.Errorf("with a limit of %d objects: want everything, got %.300s", n, r.raw)
	}
	if r := newEnv(t, withLimits(func(l *limits.Limits) { l.Objects = n - 1 })).query(query); len(r.Errors) != 1 || r.get("teams.nodes.0.memberships.0.id") == nil {
		t.Errorf("with a limit of %d of %d objects: want one error beside data, got %d errors in %.1000s", n-1, n, len(r.Errors), r.raw)
	}
	if log() != "" {
		t.Errorf("want nothing logged, got %s", log())
	}
	newEnv(t, withLimits(func(l *limits.Limits) { l.Objects = n - 1 }), withMeasuredLimits).must(query)
	if !strings.Contains(log(), fmt.Sprintf("limit=objects value=%d max=%d", n, n-1)) {
		t.Errorf("want the exceeded limit logged, got %s", log())
	}
}

// TestValidationIsBounded refuses documents that are expensive to validate, whatever the limits
// are. Lists of values are not read more often than needed.
func TestValidationIsBounded(t *testing.T) {
	e := newEnv(t, withLimits(func(l *limits.Limits) { *l = limits.Limits{} }), withMeasuredLimits)
	rep := strings.Repeat
	for name, query := range map[string]string{
		"fields in inline fragments":      `{ team(id: "1") {` + rep("... {", 50) + rep("id ", 200) + rep("}", 50) + `} }`,
		"fields in many inline fragments": `{ team(id: "1") {` + rep("... {", 900) + rep("id ", 80) + rep("}", 900) + `} }`,
		"many operations with a fragment": each(300, func(i int) string { return fmt.Sprintf("query q%d { ...F } ", i) }) + `fragment F on Query { team(id: 1) { ` + each(400, func(i int) string { return fmt.Sprintf("a%d: id ", i) }) + `} }`,
		"a field that conflicts":          `{ team(id: 1) { ` + each(800, func(i int) string { return fmt.Sprintf("id(a: %d) ", i) }) + `} }`,
		"a field at one place":            `{` + rep(" __typename", 4000) + ` }`,
		"objects at one place":            `{` + rep(` teams { nodes { memberships { id } } }`, 400) + ` }`,
		"fragments that double their size": `{ ...F0 }` + each(40, func(i int) string {
			return fmt.Sprintf(" fragment F%d on Query { __typename ...F%d ...F%d }", i, (i+1)%40, (i+1)%40)
		}),
		"fragments at one place":            `{` + each(800, func(i int) string { return fmt.Sprintf(" ...F%d", i) }) + ` }` + each(800, func(i int) string { return fmt.Sprintf(" fragment F%d on Query { __typename }", i) }),
		"a long name":                       `{ ` + rep("x", 100_000) + ` }`,
		"values of a variable":              `query($k: [String!]) { workspace(id: "101", subdomain: "acme-academy") { contacts { nodes { customAttributes(keys: $k) { key } } } } }`,
		"values of a variable in 50 places": `query($i: [ID!]) { workspace(id: "101", subdomain: "acme-academy") { ` + each(50, func(i int) string { return fmt.Sprintf("c%d: contacts(filter: { ids: $i }) { nodes { id } } ", i) }) + `} }`,
	} {
		begun := time.Now()
		r := e.query(query, map[string]any{"k": strings.Split(rep("x,", 100_000), ","), "i": strings.Split(rep("1,", 100_000), ",")})
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s: took %s, want at most 2s", name, took)
		}
		if len(r.Errors) == 0 || r.Data != nil || r.Errors[0].Extensions["code"] != "BAD_USER_INPUT" || len(r.raw) > 5000 {
			t.Errorf("%s: want a short BAD_USER_INPUT, got %.300s", name, r.raw)
		}
	}
	if calls := e.callsOf(demo.Token); len(calls) > 0 {
		t.Errorf("want no calls, got %q", calls)
	}
	// A list of literals costs its length for each row.
	costly := `{ workspace(id: "101", subdomain: "acme-academy") { contacts(first: 100) { nodes { ` + each(10, func(i int) string {
		return fmt.Sprintf("a%d: customAttributes(keys: [%s]) { key } ", i, rep(`"x" `, 400))
	}) + ` } } } }`
	if r := newEnv(t, withLimits(func(l *limits.Limits) { l.Complexity = 100_000 })).query(costly); len(r.Errors) != 1 || r.Errors[0].Extensions["limit"] != "complexity" {
		t.Errorf("want one error of complexity, got %.300s", r.raw)
	}
}

// TestErrorsOfBadDocumentsAreShort expects few and short errors for a document with many
// mistakes.
func TestErrorsOfBadDocumentsAreShort(t *testing.T) {
	e := newEnv(t, withLimits(func(l *limits.Limits) { l.Directives = 0 }))
	for name, query := range map[string]string{
		"unknown directives": "{ __typename" + strings.Repeat(" @a", 1000) + " }",
		"unknown fields":     "{" + each(1000, func(i int) string { return fmt.Sprintf("hush%d ", i) }) + "}",
		"a long name":        "{ hush" + strings.Repeat("x", 100_000) + " }",
	} {
		r := e.query(query)
		if len(r.raw) > 5000 || len(r.Errors) == 0 || len(r.Errors) > 11 {
			t.Errorf("%s: want 1 to 11 errors in 5000 bytes, got %d errors in %d bytes: %.300s", name, len(r.Errors), len(r.raw), r.raw)
		}
	}
	if r := e.query("{" + each(20, func(i int) string { return fmt.Sprintf("x%d ", i) }) + "}"); len(r.Errors) != 11 || r.Errors[10].Message != "There are 10 more errors." || r.Errors[10].Extensions["code"] != "BAD_USER_INPUT" {
		t.Errorf("want 10 errors and the number of the others, got %s", r.raw)
	}
}
