package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Session is what an operation is run with.
type Session struct {
	// Client is the REST client of the operation's caller, and Calls the context
	// for the calls that it makes.
	Client *upstream.Client
	Calls  context.Context //nolint:containedctx // the operation's
	// Objects is how many objects the lists of the answer may have together; 0 is
	// any number. Records that were fetched once can be asked for again and
	// again, so that the calls are no bound.
	Objects int
	// Exceeded, if not nil, is called when there are more, which are then let.
	Exceeded func()
}

// NewExecutor returns an executor of operations, each with the session of its context.
// introspection says whether they may ask for the schema; errors suggest names from it
// only then.
func NewExecutor(session func(context.Context) Session, introspection bool) *executor.Executor {
	return newExecutor(session, introspection, false)
}

// newExecutor is [NewExecutor]. With oracle, gqlgen executes the operations, by the same
// resolvers.
func newExecutor(session func(context.Context) Session, introspection, oracle bool) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}, Schema: publicSchema()})
	used := schema
	if !oracle {
		used = executable{schema}
	}
	e := executor.New(used)
	e.SetQueryCache(newDocuments())
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(recovered)
	e.SetDisableSuggestion(!introspection)
	e.SetDefaultRulesFn(func() *rules.Rules { return rulesOf(introspection) })
	e.Use(coercion{schema.Schema(), introspection})
	if introspection {
		e.Use(extension.Introspection{})
	}
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		with := session(ctx)
		l := loader.New(with.Calls, with.Client.Only(documentOf(op).projection)) //nolint:contextcheck // made of ctx
		x := &execution{schema: schema, loaders: l, spans: newSpans(ctx), objects: &objectCount{Session: &with}, hasNullVariable: hasNull(op.Variables)}
		op.ResolverMiddleware = x.middleware
		return x.spans.untilEnd(next(context.WithValue(loader.With(ctx, l), executionKey{}, x)))
	})
	return e
}

type executionKey struct{}

// middleware is the [graphql.FieldMiddleware] of what gqlgen executes.
func (x *execution) middleware(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if x.hasNullVariable {
		if err := nullArgument(field.Field.Arguments, graphql.GetOperationContext(ctx).Variables); err != nil {
			return nil, err
		}
	}
	v, err := next(ctx)
	if err != nil {
		return v, err
	}
	if field.Object == "__Type" && !isDefined(field) {
		return nil, nil //nolint:nilnil // null
	}
	return v, x.objects.count(v)
}

// executable executes operations by loading and writing; gqlgen executes what asks for the
// schema.
type executable struct{ graphql.ExecutableSchema }

// Exec implements [graphql.ExecutableSchema].
func (s executable) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	var plan *selection
	if ctx.Value(incrementalKey{}) != nil {
		divided := false
		if op, divided = markDeferred(op); divided {
			plan = newPlan(op, s.Schema(), true)
		}
	}
	if plan == nil {
		plan = documentOf(op).plan(op, s.Schema())
	}
	x := ctx.Value(executionKey{}).(*execution)
	x.op, x.relations = op, exec.NewRelations(op, s.ExecutableSchema)
	next := func(context.Context) *graphql.Response { return nil }
	begun := false
	return func(ctx context.Context) *graphql.Response {
		if begun {
			return next(ctx)
		}
		begun = true
		x.ctx = graphql.WithOperationContext(ctx, op)
		response, deferred := x.answer(plan) //nolint:contextcheck // the operation's
		if len(deferred) > 0 {
			groups := groupByFragment(deferred)
			i := &incremental{execution: x, results: make(chan delivery, maxDeferred), outstanding: len(groups)}
			i.begin(groups) //nolint:contextcheck // the operation's
			next = i.next
			response.HasNext = new(true)
		}
		return response
	}
}

// answer answers an operation but for its deferred fragments.
func (x *execution) answer(plan *selection) (*graphql.Response, []deferredResult) {
	root := x.loadRoot(plan)
	w := &writer{execution: x}
	if !w.object(plan, nil, root) {
		w.buf = []byte("null")
	}
	return &graphql.Response{Data: w.buf, Errors: w.errs}, w.deferred
}
