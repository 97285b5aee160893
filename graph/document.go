package graph

import (
	"context"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// cachedDocuments is how many parsed and validated documents are kept. maxCachedBytes is the
	// size above which a document is not kept. Applications have few and small documents; the
	// limits bound the memory that made-up ones can fill.
	cachedDocuments = 500
	maxCachedBytes  = 8 << 10
)

// documents caches documents by their text. It is safe for concurrent use.
type documents struct{ cache graphql.Cache[*document] }

func newDocuments() documents {
	return documents{lru.New[*document](cachedDocuments)}
}

// Get implements [graphql.Cache].
func (d documents) Get(ctx context.Context, query string) (*ast.QueryDocument, bool) {
	found, ok := d.cache.Get(ctx, query)
	if !ok {
		return nil, false
	}
	found.attach(ctx)
	return found.parsed, true
}

// Add implements [graphql.Cache]. gqlgen calls it with every document that is about to run and
// was not cached.
func (d documents) Add(ctx context.Context, query string, parsed *ast.QueryDocument) {
	made := newDocument(parsed)
	if len(query) <= maxCachedBytes {
		d.cache.Add(ctx, query, made)
	}
	made.attach(ctx)
}

// deferDirective is the name of @defer in a validated document. gqlgen does not know the name, so
// it executes deferred fragments with the rest.
const deferDirective = "deferred"

// renameDefer renames @defer to deferDirective.
func renameDefer(set ast.SelectionSet) {
	for _, selection := range set {
		var directives ast.DirectiveList
		switch s := selection.(type) {
		case *ast.Field:
			renameDefer(s.SelectionSet)
		case *ast.InlineFragment:
			directives = s.Directives
			renameDefer(s.SelectionSet)
		case *ast.FragmentSpread:
			directives = s.Directives
		}
		if directive := directives.ForName("defer"); directive != nil {
			directive.Name = deferDirective
		}
	}
}

// isDeferred reports whether a fragment, or one within it, has @defer.
func isDeferred(selection ast.Selection) bool {
	switch s := selection.(type) {
	case *ast.Field:
		return slices.ContainsFunc(s.SelectionSet, isDeferred)
	case *ast.InlineFragment:
		return s.Directives.ForName(deferDirective) != nil || slices.ContainsFunc(s.SelectionSet, isDeferred)
	case *ast.FragmentSpread:
		return s.Directives.ForName(deferDirective) != nil
	}
	return false
}

// document is what all executions of a document share. It is safe for concurrent use.
type document struct {
	parsed *ast.QueryDocument
	keys   fieldKeys
	// projection selects the keys of records to decode.
	projection *upstream.Projection
	// plans holds the plan of each *ast.OperationDefinition. It is nil if directives decide which
	// fields are selected.
	plans *sync.Map
	// variables are the variable definitions of each operation.
	variables map[*ast.OperationDefinition]ast.VariableDefinitionList
}

const attached = "document"

// attach attaches the document to the operation in the context.
func (d *document) attach(ctx context.Context) {
	graphql.GetOperationContext(ctx).Stats.SetExtension(attached, d)
}

// documentOf returns an operation's document.
func documentOf(op *graphql.OperationContext) *document {
	return op.Stats.GetExtension(attached).(*document)
}

// plan returns the plan of an operation.
func (d *document) plan(op *graphql.OperationContext, schema *ast.Schema) *selection {
	if d.plans == nil {
		return newPlan(op, schema, false)
	}
	if plan, ok := d.plans.Load(op.Operation); ok {
		return plan.(*selection)
	}
	plan, _ := d.plans.LoadOrStore(op.Operation, newPlan(&graphql.OperationContext{Doc: op.Doc, Operation: op.Operation}, schema, false))
	return plan.(*selection)
}

// newDocument prepares a validated document. It takes the variable definitions out of the
// operations, so that gqlparser does not coerce their variables (see [coercion]).
func newDocument(parsed *ast.QueryDocument) *document {
	d := &document{parsed: parsed, keys: make(fieldKeys), variables: make(map[*ast.OperationDefinition]ast.VariableDefinitionList)}
	conditional := false
	for _, op := range parsed.Operations {
		d.variables[op], op.VariableDefinitions = op.VariableDefinitions, nil
		renameDefer(op.SelectionSet)
		conditional = d.keys.add(op.SelectionSet) || conditional
	}
	for _, fragment := range parsed.Fragments { // each once, however often it is spread
		renameDefer(fragment.SelectionSet)
		conditional = d.keys.add(fragment.SelectionSet) || conditional
	}
	d.projection = upstream.NewProjection(d.keys.want)
	if !conditional {
		d.plans = new(sync.Map)
	}
	return d
}

// fieldKeys are the field names anywhere in a document, as keys of REST records: in snake case.
type fieldKeys map[string]bool

// add adds the fields of a selection set. It reports whether directives decide which of them are
// selected.
func (k fieldKeys) add(set ast.SelectionSet) (conditional bool) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			k[snakeCase(s.Name)] = true
			conditional = k.add(s.SelectionSet) || isConditional(s.Directives) || conditional
		case *ast.InlineFragment:
			conditional = k.add(s.SelectionSet) || isConditional(s.Directives) || conditional
		case *ast.FragmentSpread:
			conditional = isConditional(s.Directives) || conditional
		}
	}
	return conditional
}

func isConditional(directives ast.DirectiveList) bool {
	return slices.ContainsFunc(directives, func(d *ast.Directive) bool { return d.Name != deferDirective })
}

// want reports whether a key of a record may be read.
func (k fieldKeys) want(key string) bool { return k[key] }

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
