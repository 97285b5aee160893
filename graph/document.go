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
	// cachedDocuments is how many parsed and validated documents are kept, and
	// maxCachedBytes how long each may be: applications have few, and what is
	// made up to fill the memory is not kept.
	cachedDocuments = 500
	maxCachedBytes  = 8 << 10
)

// documents keeps documents by their text. It is safe for concurrent use.
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

// Add implements [graphql.Cache]. It is called with every document that is about to
// be run and was not known.
func (d documents) Add(ctx context.Context, query string, parsed *ast.QueryDocument) {
	made := newDocument(parsed)
	if len(query) <= maxCachedBytes {
		d.cache.Add(ctx, query, made)
	}
	made.attach(ctx)
}

// deferDirective is what @defer is called in a document that has been validated: gqlgen
// does not know it by this name, and takes what it marks with the rest.
const deferDirective = "deferred"

// undefer gives @defer that name.
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

// isDeferred reports whether a fragment is marked by @defer.
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

// document is what a text says of all its executions.
type document struct {
	parsed *ast.QueryDocument
	keys   fieldKeys
	// projection is to the keys.
	projection *upstream.Projection
	// plans are the plans of operations, by their definition; nil where directives decide
	// which fields are answered.
	plans *sync.Map
	// variables are the definitions of each operation's variables.
	variables map[*ast.OperationDefinition]ast.VariableDefinitionList
}

const attached = "document"

// attach attaches the document to the operation of a context.
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

// newDocument prepares a document that has been validated: its operations lose their
// variable definitions, by which gqlparser would coerce variables.
func newDocument(parsed *ast.QueryDocument) *document {
	d := &document{parsed: parsed, keys: make(fieldKeys), variables: make(map[*ast.OperationDefinition]ast.VariableDefinitionList)}
	conditional := false
	for _, op := range parsed.Operations {
		d.variables[op], op.VariableDefinitions = op.VariableDefinitions, nil
		renameDefer(op.SelectionSet)
		conditional = d.keys.add(op.SelectionSet) || conditional
	}
	for _, fragment := range parsed.Fragments { // each once
		renameDefer(fragment.SelectionSet)
		conditional = d.keys.add(fragment.SelectionSet) || conditional
	}
	d.projection = upstream.NewProjection(d.keys.want)
	if !conditional {
		d.plans = new(sync.Map)
	}
	return d
}

// keys are the fields that a document names anywhere, as the keys of records are
// written (a plain field's name is its key in camelCase).
type fieldKeys map[string]bool

// add goes through a selection, by names alone, and reports whether directives decide
// what of it is answered.
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

// want reports whether a key of a record may be looked at.
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
