package limits

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	// defaultPageSize is the default page size of a connection, and maxPageSize the maximum.
	defaultPageSize = 20
	maxPageSize     = 100
	// embeddedListLength is the assumed length of a list without paging that its parent embeds,
	// such as a contact's tags.
	embeddedListLength = 5
)

// check enforces the limits of rows and complexity for an operation.
func (p Policy) check(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if p.Complexity == 0 && p.Rows == 0 {
		return nil
	}
	w := &costWalker{op: op, fragments: make(map[string]int)}
	complexity := w.selection(op.Operation.SelectionSet)
	if err := p.enforce(ctx, "rows", w.rows, p.Rows, "The operation requests %d rows of a list; the limit is %d."); err != nil && w.rows <= maxPageSize {
		return err // the field itself reports more than maxPageSize
	}
	return p.enforce(ctx, "complexity", complexity, p.Complexity, "The response could have %d fields; the limit is %d. Request fewer rows, or send several requests.")
}

// Complexity returns the maximum number of fields in an operation's response.
func Complexity(op *graphql.OperationContext) int {
	w := &costWalker{op: op, fragments: make(map[string]int)}
	return w.selection(op.Operation.SelectionSet)
}

// costWalker computes the maximum number of fields in an operation's response. It visits each
// fragment once.
type costWalker struct {
	op        *graphql.OperationContext
	fragments map[string]int
	rows      int // the largest requested page
}

func (w *costWalker) selection(set ast.SelectionSet) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if w.included(s.Directives) {
				sum = addClamped(sum, addClamped(w.ownCost(s), multiplyClamped(w.length(s), w.selection(s.SelectionSet))))
			}
		case *ast.InlineFragment:
			if w.included(s.Directives) {
				sum = addClamped(sum, w.selection(s.SelectionSet))
			}
		case *ast.FragmentSpread:
			if w.included(s.Directives) {
				sum = addClamped(sum, w.fragment(s))
			}
		}
	}
	return sum
}

func (w *costWalker) fragment(spread *ast.FragmentSpread) int {
	known, ok := w.fragments[spread.Name]
	if !ok && spread.Definition != nil {
		known = w.selection(spread.Definition.SelectionSet)
		w.fragments[spread.Name] = known
	}
	return known
}

// length returns the maximum number of objects of a field: the requested page size of a
// connection, or an estimate for a list without paging.
func (w *costWalker) length(field *ast.Field) int {
	if field.Definition == nil {
		return 1
	}
	arguments := field.Definition.Arguments
	if arguments.ForName("first") != nil && arguments.ForName("last") != nil {
		rows := defaultPageSize
		for _, name := range []string{"first", "last"} {
			if n, ok := toInt(w.argument(field, name)); ok {
				rows = max(n, 0)
			}
		}
		w.rows = max(w.rows, rows)
		return min(rows, maxPageSize)
	}
	if ids, ok := w.argument(field, "ids").([]any); ok {
		return len(ids)
	}
	if of := field.ObjectDefinition; field.Definition.Type.Elem != nil && len(field.SelectionSet) > 0 && (of == nil || !isConnection(of)) {
		return embeddedListLength
	}
	return 1
}

// isConnection reports whether a type is a connection. Its lists have the page size that was
// requested of the field that returns it.
func isConnection(t *ast.Definition) bool { return t.Fields.ForName("pageInfo") != nil }

// ownCost returns the cost of the field itself. Each value in a list argument adds to it, because
// gqlgen reads the arguments again for each parent object.
func (w *costWalker) ownCost(field *ast.Field) int {
	cost := 1
	for _, argument := range field.Arguments {
		if value := w.argument(field, argument.Name); value != nil {
			cost = addClamped(cost, countValues(value)-1)
		}
	}
	return cost
}

func (w *costWalker) argument(field *ast.Field, name string) any {
	argument := field.Arguments.ForName(name)
	if argument == nil {
		return nil
	}
	value, err := argument.Value.Value(w.op.Variables)
	if err != nil {
		return nil
	}
	return value
}

// included reports whether @skip and @include keep a selection.
func (w *costWalker) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if d.Name != "skip" && d.Name != "include" || d.Arguments.ForName("if") == nil {
			continue
		}
		value, err := d.Arguments.ForName("if").Value.Value(w.op.Variables)
		if given, ok := value.(bool); err == nil && ok && given == (d.Name == "skip") {
			return false
		}
	}
	return true
}

// toInt converts a number of a document or of the variables to an int.
func toInt(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return clamp(float64(v)), true
	case int:
		return v, true
	case float64:
		return clamp(v), true
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return clamp(f), err == nil
	}
	return 0, false
}

func clamp(f float64) int { return int(max(math.MinInt32, min(math.MaxInt32, f))) }

// multiplyClamped multiplies without overflow.
func multiplyClamped(a, b int) int {
	if a > 0 && b > math.MaxInt32/a {
		return math.MaxInt32
	}
	return a * b
}
