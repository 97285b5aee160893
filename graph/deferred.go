package graph

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// A deferred fragment is loaded for all of its objects when what is around it has been
// written, and is then written, a response for each object. Nothing else waits for it.
//
// gqlgen's own deferral puts null in the place of non-null fields, defers nothing at the
// root, and loses the deferred fragments of mutations.

// maxParts is how many deferred fragments are sent in parts of their own; more come with
// what is around them.
const maxDeferred = 20

// fragment is a deferred fragment of the objects of a selection.
type deferredFragment struct {
	*selection

	label string
	once  sync.Once
	// execution loads and writes the fragment for all of its objects.
	execution *execution
}

// deferred is a deferred fragment of one object.
type deferredResult struct {
	*deferredFragment

	path []step
	obj  *object
}

// divider marks the fragments of an operation that are sent later.
type deferMarker struct {
	op    *graphql.OperationContext
	count int
}

// divide returns the operation with marked fragments, and reports whether there are any.
func markDeferred(op *graphql.OperationContext) (*graphql.OperationContext, bool) {
	d := &deferMarker{op: op}
	set := d.mark(op.Operation.SelectionSet, op.Operation.Operation == ast.Mutation)
	if d.count == 0 {
		return op, false
	}
	operation := *op.Operation
	operation.SelectionSet = set
	return withOperation(op, &operation), true
}

// withOperation returns the context of another operation of the same document.
func withOperation(op *graphql.OperationContext, operation *ast.OperationDefinition) *graphql.OperationContext {
	return &graphql.OperationContext{
		RawQuery: op.RawQuery, Variables: op.Variables, OperationName: op.OperationName, Doc: op.Doc,
		Extensions: op.Extensions, Headers: op.Headers, Operation: operation,
		DisableIntrospection: op.DisableIntrospection, RecoverFunc: op.RecoverFunc,
		ResolverMiddleware: op.ResolverMiddleware, RootResolverMiddleware: op.RootResolverMiddleware, Stats: op.Stats,
	}
}

// later marks a fragment that is sent later. Resolvers look ahead at its fields as at any
// others, so that its objects have what it asks for.
var deferredMark = &ast.Directive{Name: "later"}

// isLater reports whether a fragment is sent later.
func hasDeferredMark(fragment *ast.InlineFragment) bool {
	return len(fragment.Directives) > 0 && fragment.Directives[0] == deferredMark
}

// withoutLater returns the selection set of an object without the fragments that are sent
// later.
func withoutDeferred(set ast.SelectionSet) ast.SelectionSet {
	left := make(ast.SelectionSet, 0, len(set))
	for _, selection := range set {
		if inline, ok := selection.(*ast.InlineFragment); ok {
			if hasDeferredMark(inline) {
				continue
			}
			kept := *inline
			kept.SelectionSet = withoutDeferred(inline.SelectionSet)
			selection = &kept
		}
		left = append(left, selection)
	}
	return left
}

// mark returns a selection set with marked fragments. The root of a mutation is never
// deferred: its fields are executed in their order.
func (d *deferMarker) mark(set ast.SelectionSet, mutation bool) ast.SelectionSet {
	marked := make(ast.SelectionSet, 0, len(set))
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if !d.included(s.Directives) {
				continue
			}
			if strings.HasPrefix(s.Name, "__") { // gqlgen answers it whole
				marked = append(marked, s)
				continue
			}
			field := *s
			field.SelectionSet = d.mark(s.SelectionSet, false)
			marked = append(marked, &field)
		case *ast.InlineFragment:
			marked = append(marked, d.markFragment(s, mutation))
		case *ast.FragmentSpread:
			marked = append(marked, d.markFragment(&ast.InlineFragment{
				TypeCondition: s.Definition.TypeCondition, Directives: s.Directives, SelectionSet: s.Definition.SelectionSet,
				ObjectDefinition: s.ObjectDefinition, Position: s.Position,
			}, mutation))
		}
	}
	return marked
}

func (d *deferMarker) markFragment(fragment *ast.InlineFragment, mutation bool) *ast.InlineFragment {
	if !d.included(fragment.Directives) {
		return fragment
	}
	marked := *fragment
	directive := fragment.Directives.ForName(deferDirective)
	if directive != nil && !mutation && d.isEnabled(directive) && d.count < maxDeferred && d.selectsAny(fragment.SelectionSet) {
		d.count++
		marked.Directives = append(ast.DirectiveList{deferredMark}, fragment.Directives...)
	}
	marked.SelectionSet = d.mark(fragment.SelectionSet, mutation)
	return &marked
}

// asks reports whether a selection asks for any field.
func (d *deferMarker) selectsAny(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(selection ast.Selection) bool {
		switch s := selection.(type) {
		case *ast.Field:
			return d.included(s.Directives)
		case *ast.InlineFragment:
			return d.included(s.Directives) && d.selectsAny(s.SelectionSet)
		case *ast.FragmentSpread:
			return d.included(s.Directives) && d.selectsAny(s.Definition.SelectionSet)
		}
		return false
	})
}

// included reports whether neither @skip nor @include leaves a selection out.
func (d *deferMarker) included(directives ast.DirectiveList) bool {
	for _, directive := range directives {
		if on, ok := argumentOf(d.op, directive, "if").(bool); ok && (directive.Name == "skip" && on || directive.Name == "include" && !on) {
			return false
		}
	}
	return true
}

// on reports whether the argument "if" of @defer is not false.
func (d *deferMarker) isEnabled(directive *ast.Directive) bool {
	on, given := argumentOf(d.op, directive, "if").(bool)
	return on || !given
}

func argumentOf(op *graphql.OperationContext, directive *ast.Directive, name string) any {
	if argument := directive.Arguments.ForName(name); argument != nil {
		if value, err := argument.Value.Value(op.Variables); err == nil {
			return value
		}
	}
	return nil
}

// parts plans the deferred fragments of objects of a type.
func (p *planner) deferredFragments(around *selection, set ast.SelectionSet, satisfies []string) (fragments []*deferredFragment) {
	for _, selection := range set {
		inline, ok := selection.(*ast.InlineFragment)
		if !ok || inline.TypeCondition != "" && !slices.Contains(satisfies, inline.TypeCondition) {
			continue
		}
		if !hasDeferredMark(inline) {
			fragments = append(fragments, p.deferredFragments(around, inline.SelectionSet, satisfies)...)
			continue
		}
		label, _ := argumentOf(p.op, inline.Directives.ForName(deferDirective), "label").(string)
		if s := p.selection(around.def, inline.SelectionSet, around.level, around.lookupLevel); len(s.fields)+len(s.deferred) > 0 {
			fragments = append(fragments, &deferredFragment{label: label, selection: s})
		}
	}
	return fragments
}

// deferred makes the objects of deferred fragments and returns the calls that begin with
// the calls around them. The others are held.
func (x *execution) prepareDeferred(fragments []*deferredFragment, objs []*object) (early []*resolverCall) {
	for _, f := range fragments {
		f.once.Do(func() { f.execution = x.fork() })
		of := make([]*object, len(objs))
		for i, obj := range objs {
			of[i] = f.newObject(obj.record, obj, 0)
			obj.deferred = append(obj.deferred, of[i])
		}
		early = append(early, f.execution.hold(f.execution.nextCalls([][]*object{of}))...)
	}
	return early
}

// hold keeps calls of a deferred fragment until it is released, so that they take nothing
// of the budget before. It returns the calls that begin now: those that are not its own,
// and single records by their ids that share a batch with what is around it.
func (x *execution) hold(calls []*resolverCall) []*resolverCall {
	if !x.isDeferred {
		return calls
	}
	return slices.DeleteFunc(calls, func(c *resolverCall) bool { return c.execution == x && x.tryHold(c) })
}

func (x *execution) tryHold(c *resolverCall) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.released {
		return false
	}
	if c.isLookup() && (c.kind != "" || c.objectSelection() == nil) {
		if x.parent.isDeferred {
			return x.parent.tryHold(c)
		}
		// A batch for the few that miss what is around them would cost a call. They wait for
		// the others of the fragment instead.
		if c.ownAnnounced = c.loaders.ExpectMore(c.ownBatches...); c.ownAnnounced {
			return false
		}
	}
	x.held = append(x.held, c)
	return true
}

// release returns the calls that were held.
func (x *execution) release() []*resolverCall {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.released = true
	return x.held
}

// deferParts keeps the deferred fragments of an object that was written.
func (w *writer) addDeferred(s *selection, o *object) {
	for i, f := range s.deferred {
		w.deferred = append(w.deferred, deferredResult{f, slices.Clone(w.path), o.deferred[i]})
	}
}

type incrementalKey struct{}

// InParts returns a context in which an operation is executed in parts, and reports
// whether anything in it is marked by @defer. Where nothing is deferred after all, there
// is one response as ever. The responses are those of gqlgen's deferral: each has HasNext,
// and behind the first one a path and a label.
func InParts(ctx context.Context, op *graphql.OperationContext) (context.Context, bool) {
	if !slices.ContainsFunc(op.Operation.SelectionSet, isDeferred) &&
		!slices.ContainsFunc(op.Doc.Fragments, func(f *ast.FragmentDefinition) bool { return slices.ContainsFunc(f.SelectionSet, isDeferred) }) {
		return ctx, false
	}
	return context.WithValue(ctx, incrementalKey{}, true), true
}

// incremental is the state of an operation that is answered in parts.
type incremental struct {
	*execution

	results     chan delivery // of the parts, as they are there
	outstanding int           // parts that have begun and are not there
	ready       []*graphql.Response
}

// delivery holds the responses of a part, and the number of parts that have begun with it.
type delivery struct {
	responses []*graphql.Response
	begun     int
}

// next is a [graphql.ResponseHandler] for all responses but the first.
func (i *incremental) next(ctx context.Context) *graphql.Response {
	for len(i.ready) == 0 {
		if i.outstanding == 0 {
			return nil
		}
		select {
		case delivered := <-i.results:
			i.ready = delivered.responses
			i.outstanding += delivered.begun - 1
		case <-ctx.Done():
			return nil
		}
		if len(i.ready) == 0 && i.outstanding == 0 {
			return &graphql.Response{HasNext: new(false)}
		}
	}
	response := i.ready[0]
	i.ready = i.ready[1:]
	response.HasNext = new(len(i.ready) > 0 || i.outstanding > 0)
	return response
}

// byFragment are the objects of each deferred fragment.
type resultsByFragment map[*deferredFragment][]deferredResult

func groupByFragment(results []deferredResult) resultsByFragment {
	groups := make(resultsByFragment)
	for _, d := range results {
		groups[d.deferredFragment] = append(groups[d.deferredFragment], d)
	}
	return groups
}

// begin waits for deferred fragments and writes them as they are there, each before those
// in it.
func (i *incremental) begin(groups resultsByFragment) {
	held := make(map[*deferredFragment][]*resolverCall, len(groups))
	for f := range groups {
		held[f] = f.execution.release()
		for _, c := range held[f] {
			c.announce()
		}
	}
	for f, results := range groups {
		go func() {
			f.execution.begin(held[f])
			f.execution.loads.Wait()
			responses, inner := f.execution.writeDeferred(results)
			innerGroups := groupByFragment(inner)
			i.results <- delivery{responses, len(innerGroups)}
			i.begin(innerGroups)
		}()
	}
}

// fork returns an execution for a deferred fragment, with errors of its own.
func (x *execution) fork() *execution {
	return &execution{
		isDeferred: true, parent: x,
		ctx: graphql.WithFreshResponseContext(x.ctx), op: x.op, schema: x.schema, relations: x.relations,
		loaders: x.loaders, objects: x.objects, spans: x.spans, hasNullVariable: x.hasNullVariable,
	}
}

// writeParts writes a response for each object of a deferred fragment that has been loaded.
func (x *execution) writeDeferred(results []deferredResult) (responses []*graphql.Response, inner []deferredResult) {
	for _, d := range results {
		w := &writer{execution: x, path: slices.Clone(d.path)}
		response := &graphql.Response{Path: w.responsePath(), Label: d.label}
		func() {
			defer func() {
				if v := recover(); v != nil {
					w.buf, w.deferred = nil, nil
					w.fail(recovered(x.ctx, v))
				}
			}()
			if !w.object(d.selection, d.obj.record, d.obj) {
				w.buf = nil
			}
		}()
		inner = append(inner, w.deferred...)
		if string(w.buf) == "{}" {
			continue // all that is asked for comes in parts of its own
		}
		if response.Data, response.Errors = w.buf, w.errs; w.buf == nil {
			response.Data = []byte("null")
		}
		responses = append(responses, response)
	}
	if reported := graphql.GetErrors(x.ctx); len(reported) > 0 && len(responses) > 0 {
		responses[0].Errors = append(slices.Clone(responses[0].Errors), reported...)
	}
	return responses, inner
}
