package limits

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
)

// figures are what a document looks like, by its text alone.
type figures struct {
	depth, aliases, directives, rootFields int
	// comparisons is about how many pairs of fields validation has to hold
	// against each other: those of one response name, and those of fragments.
	comparisons int
}

const (
	// maxComparisons keeps validation below a tenth of a second or so. A field
	// that stands a thousand times in one document is within it.
	maxComparisons = 1_000_000
	// knownDocuments is how many documents' figures are remembered, of
	// maxKnownBytes each at most.
	knownDocuments = 1000
	maxKnownBytes  = 8 << 10
)

// documents remembers the figures of documents. It is safe for concurrent use.
type documents struct{ known graphql.Cache[*figures] }

func newDocuments() documents { return documents{lru.New[*figures](knownDocuments)} }

// check holds a document against the limits. What cannot be parsed is no matter of
// theirs.
func (d documents) check(ctx context.Context, query string, p Policy) *gqlerror.Error {
	known, ok := d.known.Get(ctx, query)
	if !ok {
		// Whoever may not send a document this long has it counted no further.
		if err := p.over(ctx, "tokens", tokens(query, p.Tokens), p.Tokens, "The document has %d or more words and signs; it can have %d."); err != nil {
			return err
		}
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			return nil //nolint:nilerr // the executor says what is wrong
		}
		known = measure(doc)
		if len(query) <= maxKnownBytes {
			d.known.Add(ctx, query, known)
		}
	}
	for _, limit := range []struct {
		name        string
		value, most int
		text        string
	}{
		{"depth", known.depth, p.Depth, "The document nests fields %d deep; it can nest them %d deep."},
		{"aliases", known.aliases, p.Aliases, "The document has %d aliases; it can have %d."},
		{"directives", known.directives, p.Directives, "The document has %d directives; it can have %d."},
		{"rootFields", known.rootFields, p.RootFields, "The operation begins with %d fields; it can begin with %d."},
		{"comparisons", known.comparisons, maxComparisons, "The document repeats fields and fragments so often that %d comparisons are needed to check it; there can be %d."},
	} {
		if err := p.over(ctx, limit.name, limit.value, limit.most, limit.text); err != nil {
			return err
		}
	}
	return nil
}

// tokens counts the tokens of a document, one more than most at most.
func tokens(query string, most int) int {
	if most == 0 {
		return 0
	}
	l := lexer.New(&ast.Source{Input: query})
	for n := 0; ; n++ {
		token, err := l.ReadToken()
		if err != nil || token.Kind == lexer.EOF || n > most {
			return n
		}
	}
}

// measurer goes through each fragment once.
type measurer struct {
	figures
	doc       *ast.QueryDocument
	fragments map[string]*shape
	names     map[string]int // how often each response name stands in the document
	spreads   int
}

// shape is what a selection comes to with its fragments.
type shape struct{ depth, fields int }

func measure(doc *ast.QueryDocument) *figures {
	m := &measurer{doc: doc, fragments: make(map[string]*shape), names: make(map[string]int)}
	for _, op := range doc.Operations {
		m.directives += len(op.Directives)
		for _, variable := range op.VariableDefinitions {
			m.directives += len(variable.Directives)
		}
		s := m.selection(op.SelectionSet)
		m.depth, m.rootFields = max(m.depth, s.depth), max(m.rootFields, s.fields)
	}
	for _, fragment := range doc.Fragments { // also those that nothing uses
		m.directives += len(fragment.Directives)
		m.fragment(fragment.Name)
	}
	for _, n := range m.names {
		m.comparisons = plus(m.comparisons, n*n)
	}
	// Fragments are compared with each other, and with where they are spread.
	m.comparisons = plus(m.comparisons, (m.spreads+len(doc.Fragments))*(m.spreads+len(doc.Fragments)))
	return &m.figures
}

// selection measures what is selected of one object.
func (m *measurer) selection(set ast.SelectionSet) shape {
	var s shape
	inline := func(inner shape) {
		s.depth, s.fields = max(s.depth, inner.depth), plus(s.fields, inner.fields)
	}
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			m.directives += len(selection.Directives)
			if selection.Alias != selection.Name {
				m.aliases++
			}
			m.names[selection.Alias]++
			inner := m.selection(selection.SelectionSet)
			inline(shape{1 + inner.depth, 1})
		case *ast.InlineFragment:
			m.directives += len(selection.Directives)
			inline(m.selection(selection.SelectionSet))
		case *ast.FragmentSpread:
			m.directives += len(selection.Directives)
			m.spreads++
			inline(m.fragment(selection.Name))
		}
	}
	return s
}

// fragment measures a fragment, once. One that spreads itself is no deeper for it:
// validation refuses it.
func (m *measurer) fragment(name string) shape {
	if known, ok := m.fragments[name]; ok {
		return *known
	}
	s := new(shape)
	m.fragments[name] = s
	if definition := m.doc.Fragments.ForName(name); definition != nil {
		*s = m.selection(definition.SelectionSet)
	}
	return *s
}

// plus adds without overflow.
func plus(a, b int) int {
	if a > math.MaxInt32 || b > math.MaxInt32 {
		return math.MaxInt32
	}
	return a + b
}
