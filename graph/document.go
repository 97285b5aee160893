package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// cachedDocuments is how many parsed and validated documents are kept, and
	// maxCachedBytes how long each may be: applications have few, and what is
	// made up to fill the memory is not kept.
	cachedDocuments = 500
	maxCachedBytes  = 8 << 10
)

// documents keeps parsed documents by their text, and what is worth knowing of
// each. It is safe for concurrent use.
type documents struct {
	graphql.Cache[*ast.QueryDocument]
	known graphql.Cache[*document]
}

func newDocuments() *documents {
	return &documents{lru.New[*ast.QueryDocument](cachedDocuments), lru.New[*document](cachedDocuments)}
}

// Add implements [graphql.Cache]. It is called with every document that is about to
// be run and was not known.
func (d *documents) Add(ctx context.Context, query string, doc *ast.QueryDocument) {
	for _, op := range doc.Operations {
		undefer(op.SelectionSet)
	}
	for _, fragment := range doc.Fragments {
		undefer(fragment.SelectionSet)
	}
	if len(query) <= maxCachedBytes {
		d.Cache.Add(ctx, query, doc)
	}
}

// undefer takes @defer out of a selection: what it marks comes with the rest of the
// answer, which is one piece. gqlgen would leave it out.
func undefer(set ast.SelectionSet) {
	isDefer := func(d *ast.Directive) bool { return d.Name == "defer" }
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			undefer(s.SelectionSet)
		case *ast.InlineFragment:
			s.Directives = slices.DeleteFunc(s.Directives, isDefer)
			undefer(s.SelectionSet)
		case *ast.FragmentSpread:
			s.Directives = slices.DeleteFunc(s.Directives, isDefer)
		}
	}
}

// of returns what is worth knowing of an operation's document.
func (d *documents) of(ctx context.Context, op *graphql.OperationContext) *document {
	if known, ok := d.known.Get(ctx, op.RawQuery); ok && known.parsed == op.Doc {
		return known
	}
	made := newDocument(op.Doc)
	if len(op.RawQuery) <= maxCachedBytes {
		d.known.Add(ctx, op.RawQuery, made)
	}
	return made
}

// document is what a text says of all its executions.
type document struct {
	parsed *ast.QueryDocument
	keys   keys
	// projection is to the keys.
	projection *upstream.Projection
	// plans are nil where directives can make them other ones each time.
	plans *plans
}

func newDocument(parsed *ast.QueryDocument) *document {
	d := &document{parsed: parsed, keys: make(keys)}
	conditional := false
	for _, op := range parsed.Operations {
		conditional = d.keys.add(op.SelectionSet) || conditional
	}
	for _, fragment := range parsed.Fragments { // each once
		conditional = d.keys.add(fragment.SelectionSet) || conditional
	}
	d.projection = upstream.NewProjection(d.keys.want)
	if !conditional {
		d.plans = new(plans)
	}
	return d
}

// keys are the fields that a document names anywhere, as the keys of records are
// written (a plain field's name is its key in camelCase).
type keys map[string]bool

// add goes through a selection, by names alone, and reports whether it has any
// directives.
func (k keys) add(set ast.SelectionSet) (directives bool) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			k[snakeCase(s.Name)] = true
			directives = k.add(s.SelectionSet) || len(s.Directives) > 0 || directives
		case *ast.InlineFragment:
			directives = k.add(s.SelectionSet) || len(s.Directives) > 0 || directives
		case *ast.FragmentSpread:
			directives = len(s.Directives) > 0 || directives
		}
	}
	return directives
}

// want reports whether a key of a record may be looked at.
func (k keys) want(key string) bool { return k[key] }

func snakeCase(name string) string {
	b := make([]byte, 0, len(name)+4)
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			b = append(b, '_', c|0x20)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
