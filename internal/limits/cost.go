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
	// usualRows is how many rows of a list there are if nothing else is asked for,
	// and mostRows how many there can be.
	usualRows = 20
	mostRows  = 100
	// embeddedRows is how many objects a list is taken for that comes whole with what
	// it belongs to, such as a contact's tags.
	embeddedRows = 5
)

// check holds what an operation asks for against the limits.
func (p Policy) check(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if p.Complexity == 0 && p.Rows == 0 {
		return nil
	}
	w := &walker{op: op, fragments: make(map[string]int)}
	complexity := w.selection(op.Operation.SelectionSet)
	if err := p.over(ctx, "rows", w.rows, p.Rows, "A list is asked for %d rows; it can be asked for %d."); err != nil && w.rows <= mostRows {
		return err // more than there can ever be is the field's own error
	}
	return p.over(ctx, "complexity", complexity, p.Complexity, "The answer could have %d fields; it can have %d. Ask for fewer rows, or in several requests.")
}

// Complexity returns how many fields an operation's answer can have.
func Complexity(op *graphql.OperationContext) int {
	w := &walker{op: op, fragments: make(map[string]int)}
	return w.selection(op.Operation.SelectionSet)
}

// walker works out how many fields an operation's answer can have, going through
// each fragment once.
type walker struct {
	op        *graphql.OperationContext
	fragments map[string]int
	rows      int // the most that a list is asked for
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

// length returns how many objects a field can lead to: a list has the rows that it
// is asked for, and is taken for a few where nothing can be asked.
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

// isConnection reports whether a type's lists are the rows that the field leading to it
// has been asked for.
func isConnection(t *ast.Definition) bool { return t.Fields.ForName("pageInfo") != nil }

// own returns what a field costs itself: lists among its arguments are read again for
// each object that it is asked of.
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

// included reports whether @skip and @include leave a selection in.
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

// whole reads a number as it stands in a document or among the variables.
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
