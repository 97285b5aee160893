package graph

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// This file implements @defer. A marked fragment is loaded and written after the selection that
// contains it, with one response per object. No other part of the operation waits for a deferred
// fragment.
//
// Its calls are held until the containing selection is written, so that they do not use up the
// call budget first. The exception is a lookup that can share a batch with the containing
// selection: it costs no extra call and starts at once (see [execution.tryHold]).
//
// gqlgen's own @defer puts null into non-null fields, defers nothing at the root, and loses the
// deferred fragments of mutations.

// maxDeferred is how many fragments of an operation are deferred. Further ones are sent with the
// selection that contains them.
const maxDeferred = 20

// deferredFragment is a fragment that is sent later, for all objects of a selection.
type deferredFragment struct {
	*selection

	label string
	once  sync.Once
	// execution loads and writes the fragment for all of its objects.
	execution *execution
}

// deferredResult is a deferred fragment of one object. It becomes one response.
type deferredResult struct {
	*deferredFragment

	path []step
	obj  *object
}

// deferMarker marks the fragments of an operation that are sent later.
type deferMarker struct {
	op    *graphql.OperationContext
	count int
}

// markDeferred returns the operation with its deferred fragments marked. It reports whether there
// are any.
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

// deferredMark marks a fragment that is sent later. It stays in the selection set, so that the
// look-ahead of resolvers includes its fields.
var deferredMark = &ast.Directive{Name: "later"}

// hasDeferredMark reports whether a fragment is sent later.
func hasDeferredMark(fragment *ast.InlineFragment) bool {
	return len(fragment.Directives) > 0 && fragment.Directives[0] == deferredMark
}

// withoutDeferred returns a selection set without the fragments that are sent later. It does not
// go into fields.
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

// mark returns a selection set with marked fragments. mutation says that it is the root of a
// mutation, where nothing is deferred: its fields run in order.
func (d *deferMarker) mark(set ast.SelectionSet, mutation bool) ast.SelectionSet {
	marked := make(ast.SelectionSet, 0, len(set))
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if !d.included(s.Directives) {
				continue
			}
			if strings.HasPrefix(s.Name, "__") { // gqlgen answers it as a whole
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

// selectsAny reports whether a selection set selects any field.
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

// isEnabled reports whether the argument "if" of @defer is not false.
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

// deferredFragments plans the deferred fragments in a selection set. satisfies lists the object's
// type and its interfaces.
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

// prepareDeferred makes the objects of deferred fragments. It returns the calls that start with
// those of the containing selection, and holds the others.
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

// hold keeps the calls of a deferred fragment until it is released, so that they use no call
// budget before. It returns the calls to start now: those of other fragments, and lookups that
// share a batch with the containing selection.
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
	if c.isLookup() && (c.kind != "" || c.objectSelection == nil) {
		if x.parent.isDeferred {
			return x.parent.tryHold(c)
		}
		// Only join batches that will be sent anyway: a batch for these few lookups would cost a
		// call. Otherwise they wait for the rest of the fragment.
		if c.ownAnnounced = c.loaders.ExpectMore(c.ownBatches...); c.ownAnnounced {
			return false
		}
	}
	x.held = append(x.held, c)
	return true
}

// release returns the held calls. Later calls are not held any more.
func (x *execution) release() []*resolverCall {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.released = true
	return x.held
}

// addDeferred keeps the deferred fragments of an object that was written.
func (w *writer) addDeferred(s *selection, o *object) {
	for i, f := range s.deferred {
		w.deferred = append(w.deferred, deferredResult{f, slices.Clone(w.path), o.deferred[i]})
	}
}

type incrementalKey struct{}

// InParts returns a context in which the operation's @defer directives take effect. It reports
// whether the operation has any. If none of them applies, for example because of `if: false`,
// there is one response.
//
// The responses have the form of gqlgen's @defer: each has HasNext, and each after the first has
// a path and a label.
func InParts(ctx context.Context, op *graphql.OperationContext) (context.Context, bool) {
	if !slices.ContainsFunc(op.Operation.SelectionSet, isDeferred) &&
		!slices.ContainsFunc(op.Doc.Fragments, func(f *ast.FragmentDefinition) bool { return slices.ContainsFunc(f.SelectionSet, isDeferred) }) {
		return ctx, false
	}
	return context.WithValue(ctx, incrementalKey{}, true), true
}

// incremental is the state of an operation that is answered by several responses.
type incremental struct {
	*execution

	results     chan delivery // one per deferred fragment, as they complete
	outstanding int           // deferred fragments that have begun and are not delivered
	ready       []*graphql.Response
}

// delivery holds the responses of a deferred fragment, and the number of fragments within it that
// have begun.
type delivery struct {
	responses []*graphql.Response
	begun     int
}

// next is a [graphql.ResponseHandler] for all responses except the first.
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

// resultsByFragment groups results by their deferred fragment.
type resultsByFragment map[*deferredFragment][]deferredResult

func groupByFragment(results []deferredResult) resultsByFragment {
	groups := make(resultsByFragment)
	for _, d := range results {
		groups[d.deferredFragment] = append(groups[d.deferredFragment], d)
	}
	return groups
}

// begin releases deferred fragments. It then loads and writes each on a goroutine of its own and
// delivers the responses. A fragment is delivered before those within it begin.
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

// fork returns an execution for a deferred fragment. It collects its own errors.
func (x *execution) fork() *execution {
	return &execution{
		isDeferred: true, parent: x,
		ctx: graphql.WithFreshResponseContext(x.ctx), op: x.op, schema: x.schema, relations: x.relations,
		loaders: x.loaders, objects: x.objects, spans: x.spans, hasNullVariable: x.hasNullVariable,
	}
}

// writeDeferred writes one response for each object of a loaded deferred fragment. It also
// returns the deferred fragments within these objects.
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
			continue // everything selected is in fragments of its own
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
