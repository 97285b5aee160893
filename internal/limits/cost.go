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
	// usualRows is the default page size of a connection, and mostRows the maximum.
	usualRows = 20
	mostRows  = 100
	// embeddedRows is the assumed length of a list without paging that its parent embeds, such
	// as a contact's tags.
	embeddedRows = 5
)

// check enforces the limits of rows and complexity for an operation.
func (p Policy) check(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if p.Complexity == 0 && p.Rows == 0 {
		return nil
	}
	w := &walker{op: op, fragments: make(map[string]int)}
	complexity := w.selection(op.Operation.SelectionSet)
	if err := p.over(ctx, "rows", w.rows, p.Rows, "The operation requests %d rows of a list; the limit is %d."); err != nil && w.rows <= mostRows {
		return err // the field itself reports more than mostRows
	}
	return p.over(ctx, "complexity", complexity, p.Complexity, "The response could have %d fields; the limit is %d. Request fewer rows, or send several requests.")
}

// Complexity returns the maximum number of fields in an operation's response.
func Complexity(op *graphql.OperationContext) int {
	w := &walker{op: op, fragments: make(map[string]int)}
	return w.selection(op.Operation.SelectionSet)
}

// walker computes the maximum number of fields in an operation's response. It visits each
// fragment once.
type walker struct {
	op        *graphql.OperationContext
	fragments map[string]int
	rows      int // the largest requested page
}

func (w *walker) selection(set ast.SelectionSet) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if w.included(s.Directives) {
				sum = plus(sum, plus(w.own(s), times(w.length(s), w.selection(s.SelectionSet))))
			}
		case *ast.InlineFragment:
			if w.included(s.Directives) {
				sum = plus(sum, w.selection(s.SelectionSet))
			}
		case *ast.FragmentSpread:
			if w.included(s.Directives) {
				sum = plus(sum, w.fragment(s))
			}
		}
	}
	return sum
}

func (w *walker) fragment(spread *ast.FragmentSpread) int {
	known, ok := w.fragments[spread.Name]
	if !ok && spread.Definition != nil {
		known = w.selection(spread.Definition.SelectionSet)
		w.fragments[spread.Name] = known
	}
	return known
}

// length returns the maximum number of objects of a field: the requested page size of a
// connection, or an estimate for a list without paging.
func (w *walker) length(field *ast.Field) int {
	if field.Definition == nil {
		return 1
	}
	arguments := field.Definition.Arguments
	if arguments.ForName("first") != nil && arguments.ForName("last") != nil {
		rows := usualRows
		for _, name := range []string{"first", "last"} {
			if n, ok := whole(w.argument(field, name)); ok {
				rows = max(n, 0)
			}
		}
		w.rows = max(w.rows, rows)
		return min(rows, mostRows)
	}
	if ids, ok := w.argument(field, "ids").([]any); ok {
		return len(ids)
	}
	if of := field.ObjectDefinition; field.Definition.Type.Elem != nil && len(field.SelectionSet) > 0 && (of == nil || !isConnection(of)) {
		return embeddedRows
	}
	return 1
}

// isConnection reports whether a type is a connection. Its lists have the page size that was
// requested of the field that returns it.
func isConnection(t *ast.Definition) bool { return t.Fields.ForName("pageInfo") != nil }

// own returns the cost of the field itself. Each value in a list argument adds to it, because
// gqlgen reads the arguments again for each parent object.
func (w *walker) own(field *ast.Field) int {
	cost := 1
	for _, argument := range field.Arguments {
		if value := w.argument(field, argument.Name); value != nil {
			cost = plus(cost, values(value)-1)
		}
	}
	return cost
}

func (w *walker) argument(field *ast.Field, name string) any {
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
func (w *walker) included(directives ast.DirectiveList) bool {
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

// whole converts a number of a document or of the variables to an int.
func whole(v any) (int, bool) {
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

// times multiplies without overflow.
func times(a, b int) int {
	if a > 0 && b > math.MaxInt32/a {
		return math.MaxInt32
	}
	return a * b
}
