package limits

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/funnelgraph/funnelgraph/upstream"
)

func parsed(t *testing.T, query string) *ast.QueryDocument {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: query})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentsAreMeasuredWithFragmentsExpanded(t *testing.T) {
	for _, test := range []struct {
		query string
		want  measurements
	}{
		{`{ a }`, measurements{depth: 1, rootFields: 1, fields: 1}},
		{`{ a { b { c } } d }`, measurements{depth: 3, rootFields: 2, fields: 4}},
		{`{ x: a y: b { z: c } d: d }`, measurements{depth: 2, aliases: 3, rootFields: 3, fields: 4}},
		{`query($v: Int @b) @a { c @d ... @e { f } ...F @g } fragment F on T @h { i @j }`, measurements{depth: 1, directives: 7, rootFields: 3, fields: 6}},
		// An inline fragment adds no depth, but it is work.
		{`{ ... { a { ... { b } } } }`, measurements{depth: 2, rootFields: 1, fields: 4}},
		// A fragment counts at each spread, and once more by itself.
		{`{ ...F ...F } fragment F on T { a { b } }`, measurements{depth: 2, rootFields: 2, fields: 8, comparisons: 16}},
		{`{ ...F } fragment F on T { a { ...G } } fragment G on T { b { c } }`, measurements{depth: 3, rootFields: 1, fields: 11}},
		// The operation with the most root fields counts.
		{`query A { a } query B { a b c }`, measurements{depth: 1, rootFields: 3, fields: 4}},
		// Validation refuses these two; they must not be walked forever.
		{`{ ...F } fragment F on T { a { ...F } }`, measurements{depth: 2, rootFields: 1, fields: 7}},
		{`{ ...Unknown }`, measurements{fields: 1}},
		// Pairs of fields at one response path, more often within fragments.
		{`{ a` + strings.Repeat(` a`, 2) + ` }`, measurements{depth: 1, rootFields: 3, fields: 3, comparisons: 9}},
		{`{ a ... { a } }`, measurements{depth: 1, rootFields: 2, fields: 3, comparisons: 6}},
		{`{ a { b } a { b } }`, measurements{depth: 2, rootFields: 2, fields: 4, comparisons: 8}},
		{`{ x: a y: a }`, measurements{depth: 1, aliases: 2, rootFields: 2, fields: 2}},
	} {
		if got := *measure(parsed(t, test.query)); got != test.want {
			t.Errorf("%s: measured %+v, want %+v", test.query, got, test.want)
		}
	}
}

// TestMeasuringStopsAtTheBoundOfFields doubles a fragment forty times.
func TestMeasuringStopsAtTheBoundOfFields(t *testing.T) {
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range 40 {
		fmt.Fprintf(&b, " fragment F%d on T { a ...F%d ...F%d }", i, i+1, i+1)
	}
	b.WriteString(" fragment F40 on T { a }")
	if n := measure(parsed(t, b.String())).fields; n <= maxFields || n > 100*maxFields {
		t.Errorf("counted %d fields, want slightly more than %d: the walk must stop there", n, maxFields)
	}
}

func TestTokensAreCountedUpToTheLimit(t *testing.T) {
	for _, test := range []struct {
		query           string
		most            int
		tokens, longest int
	}{
		{"", 0, 0, 0},
		{"{ a }", 0, 3, 1},
		{`query Name($v: [Int!] = 12) { a(b: "text", c: $v) ...F }`, 0, 27, 5},
		{"{ a b c d e f }", 3, 4, 1}, // not counted to the end
		{"{ a b", 5, 3, 1},
		{`{ a "unterminated`, 0, 2, 1},
		{"{ " + strings.Repeat("n", 300) + " }", 0, 3, 300},
	} {
		if n, longest := countTokens(test.query, test.most); n != test.tokens || longest != test.longest {
			t.Errorf("%q with a limit of %d: %d tokens and a longest name of %d bytes, want %d and %d", test.query, test.most, n, longest, test.tokens, test.longest)
		}
	}
}

// wantExceeded checks that an error names a limit with these figures.
func wantExceeded(t *testing.T, err *gqlerror.Error, limit string, value, most int) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one because %d exceeds %d", limit, value, most)
		return
	}
	if got, want := fmt.Sprint(err.Extensions), fmt.Sprint(map[string]any{"limit": limit, "value": value, "max": most}); got != want {
		t.Errorf("the error has the extensions %s, want %s", got, want)
	}
	if !errors.Is(err, upstream.BadUserInput) {
		t.Errorf("%s: the error has another code than BAD_USER_INPUT: %v", limit, err)
	}
	if figures := fmt.Sprint(value); !strings.Contains(err.Message, figures) || !strings.Contains(err.Message, fmt.Sprint(most)) {
		t.Errorf("%s: the message lacks the figures %d and %d: %s", limit, value, most, err.Message)
	}
}

// TestDocumentLimitsRefuseOneMore allows as much of each quantity as the document has, and then
// one less.
func TestDocumentLimitsRefuseOneMore(t *testing.T) {
	const query = `{ x: a { y: b @d(n: 1) } c z: c @d }`
	for _, test := range []struct {
		limit string
		set   func(*Limits, int)
		value int
	}{
		{"tokens", func(l *Limits, n int) { l.Tokens = n }, 23},
		{"depth", func(l *Limits, n int) { l.Depth = n }, 2},
		{"aliases", func(l *Limits, n int) { l.Aliases = n }, 3},
		{"directives", func(l *Limits, n int) { l.Directives = n }, 2},
		{"rootFields", func(l *Limits, n int) { l.RootFields = n }, 3},
	} {
		t.Run(test.limit, func(t *testing.T) {
			log := captureLog(t)
			cache := newDocumentCache()
			var p Policy
			test.set(&p.Limits, test.value)
			if err := cache.check(t.Context(), query, p); err != nil {
				t.Errorf("a limit of exactly %d refused the document: %v", test.value, err)
			}
			test.set(&p.Limits, test.value-1)
			wantExceeded(t, cache.check(t.Context(), query, p), test.limit, test.value, test.value-1)              // measured before
			wantExceeded(t, newDocumentCache().check(t.Context(), query, p), test.limit, test.value, test.value-1) // measured now
			if log.String() != "" {
				t.Errorf("an enforced limit was logged: %s", log)
			}
			p.Measure = true
			if err := newDocumentCache().check(t.Context(), query, p); err != nil {
				t.Errorf("measuring must not refuse: %v", err)
			}
			if want := fmt.Sprintf("limit=%s value=%d max=%d", test.limit, test.value, test.value-1); strings.Count(log.String(), want) != 1 {
				t.Errorf("logged %q, want one line with %s", log, want)
			}
		})
	}
}

// TestValidationBoundsHoldWithoutLimits refuses documents that are expensive to validate, even if
// the policy has no limits and only measures.
func TestValidationBoundsHoldWithoutLimits(t *testing.T) {
	for limit, query := range map[string]string{
		"name":        "{ " + strings.Repeat("x", maxName+1) + " }",
		"fields":      "{ " + strings.Repeat("... { ", 100) + strings.Repeat("a ", maxFields) + strings.Repeat("} ", 100) + "}",
		"comparisons": "{ " + strings.Repeat("a ", 224) + "}",
	} {
		for _, measures := range []bool{false, true} {
			err := newDocumentCache().check(t.Context(), query, Policy{Measure: measures})
			if err == nil || err.Extensions["limit"] != limit {
				t.Errorf("measure %t: got %v, want the bound of %s", measures, err, limit)
			}
		}
	}
	for name, query := range map[string]string{
		"the longest name":             "{ " + strings.Repeat("x", maxName) + " }",
		"almost too many comparisons":  "{ " + strings.Repeat("a ", 223) + "}",
		"a document that is no syntax": "{ a",
	} {
		if err := newDocumentCache().check(t.Context(), query, Policy{}); err != nil {
			t.Errorf("%s was refused: %v", name, err)
		}
	}
}

// TestTokensOfUnparsedDocumentsAreLimited pins that the limit holds before the parser runs.
func TestTokensOfUnparsedDocumentsAreLimited(t *testing.T) {
	wantExceeded(t, newDocumentCache().check(t.Context(), strings.Repeat("{ ", 1000), Policy{Limits: Limits{Tokens: 10}}), "tokens", 11, 10)
}

func TestMeasurementsOfSmallDocumentsAreCached(t *testing.T) {
	cache := newDocumentCache()
	small := "{ a }"
	large := small + " #" + strings.Repeat("x", maxCachedDocumentBytes)
	for query, want := range map[string]bool{small: true, large: false, "{": false} {
		if err := cache.check(t.Context(), query, Policy{}); err != nil {
			t.Fatal(err)
		}
		if _, cached := cache.known.Get(t.Context(), query); cached != want {
			t.Errorf("a document of %d bytes is cached: %t, want %t", len(query), cached, want)
		}
	}
}

func TestValuesAreCountedInListsAndObjects(t *testing.T) {
	for _, test := range []struct {
		value any
		want  int
	}{
		{nil, 1}, {"text", 1}, {[]any{}, 1}, {[]any{1, 2}, 3}, {map[string]any{"a": 1, "b": []any{1, nil}}, 5},
	} {
		if got := countValues(test.value); got != test.want {
			t.Errorf("%v has %d values, want %d", test.value, got, test.want)
		}
	}
	list, object := make([]any, 1_000_000), make(map[string]any)
	for i := range 100_000 {
		object[fmt.Sprint(i)] = nil
	}
	for _, huge := range []any{list, object, []any{list, list, list}} {
		if n := countValues(huge); n <= maxValues || n > maxValues+5 {
			t.Errorf("counted %d values, want the count to stop soon after %d", n, maxValues)
		}
	}
}
