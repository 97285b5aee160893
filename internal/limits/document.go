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

// measurements describe a document by its text alone.
type measurements struct {
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
	// maxCachedDocuments is the number of documents whose measurements are cached, each of at
	// most maxCachedDocumentBytes.
	maxCachedDocuments     = 1000
	maxCachedDocumentBytes = 8 << 10
)

// documentCache caches the measurements of documents. It is safe for concurrent use.
type documentCache struct{ known graphql.Cache[*measurements] }

func newDocumentCache() documentCache {
	return documentCache{lru.New[*measurements](maxCachedDocuments)}
}

// check enforces the limits for a document. It returns nil if the document cannot be parsed; the
// executor reports that.
func (d documentCache) check(ctx context.Context, query string, p Policy) *gqlerror.Error {
	known, ok := d.known.Get(ctx, query)
	if !ok {
		most := p.Tokens
		if p.Measure {
			most = 0
		}
		n, longest := countTokens(query, most)
		if most > 0 && n > most { // counting has stopped here
			return exceededError("tokens", n, most, tooManyTokens)
		}
		if longest > maxName {
			return exceededError("name", longest, maxName, "The document has a name of %d bytes; the limit is %d.")
		}
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			return nil //nolint:nilerr // the executor says what is wrong
		}
		known = measure(doc)
		known.tokens = n
		if len(query) <= maxCachedDocumentBytes {
			d.known.Add(ctx, query, known)
		}
	}
	if known.fields > maxFields {
		return exceededError("fields", known.fields, maxFields, "The document has at least %d fields with its fragments expanded; the limit is %d.")
	}
	if known.comparisons > maxComparisons {
		return exceededError("comparisons", known.comparisons, maxComparisons, "The document repeats fields so often that validation needs %d comparisons; the limit is %d.")
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
		if err := p.enforce(ctx, limit.name, limit.value, limit.most, limit.text); err != nil {
			return err
		}
	}
	return nil
}

const tooManyTokens = "The document has at least %d lexical tokens; the limit is %d."

// countTokens returns the number of tokens in a document, and the length of the longest name in
// bytes. It stops at most+1 tokens unless most is 0.
func countTokens(query string, most int) (n, longest int) {
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
	measurements
	doc       *ast.QueryDocument
	enclosing map[string]bool // the fragments around the current selection
}

// responsePath collects the fields of the document that share a response path.
type responsePath struct {
	fields int // the number of these fields
	// runs is how often validation compares them, summed over these fields.
	runs     int
	children map[string]*responsePath
}

func measure(doc *ast.QueryDocument) *measurements {
	m := &measurer{doc: doc, enclosing: make(map[string]bool)}
	for _, op := range doc.Operations {
		m.directives += len(op.Directives)
		for _, variable := range op.VariableDefinitions {
			m.directives += len(variable.Directives)
		}
		m.countSelections(op.SelectionSet)
		root := new(responsePath)
		m.rootFields = max(m.rootFields, m.walk(op.SelectionSet, root, 1, 1))
		m.countComparisons(root)
	}
	for _, fragment := range doc.Fragments { // validation also checks each fragment alone
		m.directives += len(fragment.Directives)
		m.countSelections(fragment.SelectionSet)
		root := new(responsePath)
		m.walk(fragment.SelectionSet, root, 1, 1)
		m.countComparisons(root)
	}
	return &m.measurements
}

// countSelections adds the directives and aliases of a selection set, without expanding fragments.
func (m *measurer) countSelections(set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			m.directives += len(s.Directives)
			if s.Alias != s.Name {
				m.aliases++
			}
			m.countSelections(s.SelectionSet)
		case *ast.InlineFragment:
			m.directives += len(s.Directives)
			m.countSelections(s.SelectionSet)
		case *ast.FragmentSpread:
			m.directives += len(s.Directives)
		}
	}
}

// walk visits a selection set of the object at a place, and returns the number of its fields. runs
// is how often validation compares them. walk skips fragments that contain themselves, which
// validation refuses.
func (m *measurer) walk(set ast.SelectionSet, at *responsePath, depth, runs int) (fields int) {
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
					at.children = make(map[string]*responsePath)
				}
				child = new(responsePath)
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
			if definition == nil || m.enclosing[s.Name] {
				continue
			}
			m.enclosing[s.Name] = true
			fields += m.walk(definition.SelectionSet, at, depth, runs+1)
			m.enclosing[s.Name] = false
		}
	}
	return fields
}

// countComparisons adds the comparisons at a place and below it.
func (m *measurer) countComparisons(at *responsePath) {
	if at.fields > 1 {
		m.comparisons = addClamped(m.comparisons, multiplyClamped(at.fields, at.runs))
	}
	for _, child := range at.children {
		m.countComparisons(child)
	}
}

// countValues counts the values in variables. It stops soon after maxValues.
func countValues(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for i := 0; i < len(v) && n <= maxValues; i++ {
			n += countValues(v[i])
		}
	case map[string]any:
		for _, inner := range v {
			if n > maxValues {
				break
			}
			n += countValues(inner)
		}
	}
	return n
}

// addClamped adds without overflow.
func addClamped(a, b int) int {
	if a > math.MaxInt32 || b > math.MaxInt32 {
		return math.MaxInt32
	}
	return a + b
}
