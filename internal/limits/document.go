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

// figures are the measurements of a document, from its text alone.
type figures struct {
	tokens, depth, aliases, directives, rootFields int
	// fields is the number of fields after every fragment spread is expanded.
	fields int
	// comparisons is about the number of pairs of fields that validation compares. It
	// compares the fields with the same response path: once for the object, and once more for
	// every fragment around them.
	comparisons int
}

// Bounds on the work of validation. They are not configurable because the documents of real
// applications stay far below them.
const (
	// maxName is the longest name, in bytes. Validation searches for similar names when a
	// field does not exist.
	maxName = 256
	// maxFields bounds the work of measuring, and of the validation rules that visit every
	// fragment again for each operation.
	maxFields = 50_000
	// maxComparisons allows one field about two hundred times at the same response path.
	maxComparisons = 50_000
	// maxValues is the maximum number of values in variables, including those in lists and
	// objects. gqlgen reads them again at every use.
	maxValues = 5_000
)

const (
	// knownDocuments is the number of documents whose figures are cached, each of at most
	// maxKnownBytes.
	knownDocuments = 1000
	maxKnownBytes  = 8 << 10
)

// documents caches the figures of documents. It is safe for concurrent use.
type documents struct{ known graphql.Cache[*figures] }

func newDocuments() documents { return documents{lru.New[*figures](knownDocuments)} }

// check enforces the limits for a document. It returns nil if the document cannot be parsed; the
// executor reports that.
func (d documents) check(ctx context.Context, query string, p Policy) *gqlerror.Error {
	known, ok := d.known.Get(ctx, query)
	if !ok {
		most := p.Tokens
		if p.Measure {
			most = 0
		}
		n, longest := tokens(query, most)
		if most > 0 && n > most { // counting has stopped here
			return refusal("tokens", n, most, tooManyTokens)
		}
		if longest > maxName {
			return refusal("name", longest, maxName, "The document has a name of %d bytes; the limit is %d.")
		}
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			return nil //nolint:nilerr // the executor says what is wrong
		}
		known = measure(doc)
		known.tokens = n
		if len(query) <= maxKnownBytes {
			d.known.Add(ctx, query, known)
		}
	}
	if known.fields > maxFields {
		return refusal("fields", known.fields, maxFields, "The document has at least %d fields with its fragments expanded; the limit is %d.")
	}
	if known.comparisons > maxComparisons {
		return refusal("comparisons", known.comparisons, maxComparisons, "The document repeats fields so often that validation needs %d comparisons; the limit is %d.")
	}
	for _, limit := range []struct {
		name        string
		value, most int
		text        string
	}{
		{"tokens", known.tokens, p.Tokens, tooManyTokens},
		{"depth", known.depth, p.Depth, "The document nests fields %d deep; the limit is %d."},
		{"aliases", known.aliases, p.Aliases, "The document has %d aliases; the limit is %d."},
		{"directives", known.directives, p.Directives, "The document has %d directives; the limit is %d."},
		{"rootFields", known.rootFields, p.RootFields, "The operation has %d root fields; the limit is %d."},
	} {
		if err := p.over(ctx, limit.name, limit.value, limit.most, limit.text); err != nil {
			return err
		}
	}
	return nil
}

const tooManyTokens = "The document has at least %d lexical tokens; the limit is %d."

// tokens returns the number of tokens in a document, and the length of the longest name in bytes.
// It stops at most+1 tokens unless most is 0.
func tokens(query string, most int) (n, longest int) {
	for l := lexer.New(&ast.Source{Input: query}); ; n++ {
		token, err := l.ReadToken()
		if err != nil || token.Kind == lexer.EOF || most > 0 && n > most {
			return n, longest
		}
		if token.Kind == lexer.Name {
			longest = max(longest, len(token.Value))
		}
	}
}

// measurer walks a document as the response is assembled: it expands fragments at every spread,
// until there are too many fields.
type measurer struct {
	figures
	doc    *ast.QueryDocument
	within map[string]bool // the fragments around the current selection
}

// place collects the fields of the document that share a response path.
type place struct {
	fields int // the number of these fields
	// runs is how often validation compares them, summed over these fields.
	runs     int
	children map[string]*place
}

func measure(doc *ast.QueryDocument) *figures {
	m := &measurer{doc: doc, within: make(map[string]bool)}
	for _, op := range doc.Operations {
		m.directives += len(op.Directives)
		for _, variable := range op.VariableDefinitions {
			m.directives += len(variable.Directives)
		}
		m.count(op.SelectionSet)
		root := new(place)
		m.rootFields = max(m.rootFields, m.walk(op.SelectionSet, root, 1, 1))
		m.compare(root)
	}
	for _, fragment := range doc.Fragments { // validation also checks each fragment alone
		m.directives += len(fragment.Directives)
		m.count(fragment.SelectionSet)
		root := new(place)
		m.walk(fragment.SelectionSet, root, 1, 1)
		m.compare(root)
	}
	return &m.figures
}

// count adds the directives and aliases of a selection set, without expanding fragments.
func (m *measurer) count(set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			m.directives += len(s.Directives)
			if s.Alias != s.Name {
				m.aliases++
			}
			m.count(s.SelectionSet)
		case *ast.InlineFragment:
			m.directives += len(s.Directives)
			m.count(s.SelectionSet)
		case *ast.FragmentSpread:
			m.directives += len(s.Directives)
		}
	}
}

// walk visits a selection set of the object at a place, and returns the number of its fields. runs
// is how often validation compares them. walk skips fragments that contain themselves, which
// validation refuses.
func (m *measurer) walk(set ast.SelectionSet, at *place, depth, runs int) (fields int) {
	for _, selection := range set {
		if m.fields > maxFields {
			return fields
		}
		switch s := selection.(type) {
		case *ast.Field:
			fields++
			m.fields++
			m.depth = max(m.depth, depth)
			child := at.children[s.Alias]
			if child == nil {
				if at.children == nil {
					at.children = make(map[string]*place)
				}
				child = new(place)
				at.children[s.Alias] = child
			}
			child.fields++
			child.runs += runs
			m.walk(s.SelectionSet, child, depth+1, runs)
		case *ast.InlineFragment:
			m.fields++ // visiting it is work as well
			fields += m.walk(s.SelectionSet, at, depth, runs+1)
		case *ast.FragmentSpread:
			m.fields++
			definition := m.doc.Fragments.ForName(s.Name)
			if definition == nil || m.within[s.Name] {
				continue
			}
			m.within[s.Name] = true
			fields += m.walk(definition.SelectionSet, at, depth, runs+1)
			m.within[s.Name] = false
		}
	}
	return fields
}

// compare adds the comparisons at a place and below it.
func (m *measurer) compare(at *place) {
	if at.fields > 1 {
		m.comparisons = plus(m.comparisons, times(at.fields, at.runs))
	}
	for _, child := range at.children {
		m.compare(child)
	}
}

// values counts the values in variables. It stops soon after maxValues.
func values(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for i := 0; i < len(v) && n <= maxValues; i++ {
			n += values(v[i])
		}
	case map[string]any:
		for _, inner := range v {
			if n > maxValues {
				break
			}
			n += values(inner)
		}
	}
	return n
}

// plus adds without overflow.
func plus(a, b int) int {
	if a > math.MaxInt32 || b > math.MaxInt32 {
		return math.MaxInt32
	}
	return a + b
}
