package graph

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Session is what an operation runs with.
type Session struct {
	// Client is the REST client of the operation's caller. Calls is the context of its calls.
	Client *upstream.Client
	Calls  context.Context //nolint:containedctx // the operation's
	// Objects limits the number of list elements in a response; 0 is no limit. The call budget is
	// no such limit, since a record that was fetched once can be selected any number of times.
	Objects int
	// Exceeded, if not nil, is called once when a response exceeds Objects. The response is then
	// allowed.
	Exceeded func()
	// Viewer is the operation's caller.
	Viewer Viewer
	// Events are the events of workspaces; nil if the server gets none.
	Events Events
	// Refused, if not nil, is why the caller may not run the operation any more. Only subscriptions
	// live that long.
	Refused error
}

// Viewer is the caller of an operation, as the field `viewer` shows it.
type Viewer struct {
	// Name is the caller's name, empty if it has none.
	Name string
	// ReadOnly callers may not run mutations.
	ReadOnly bool
}

// NewExecutor returns an executor. It gets the session of each operation from the operation's
// context. introspection says whether operations may query the schema; only then do errors
// suggest names from it. The executor is safe for concurrent use.
func NewExecutor(session func(context.Context) Session, introspection bool) *executor.Executor {
	return newExecutor(session, introspection, false)
}

// newExecutor is [NewExecutor]. With oracle, gqlgen's own executor runs the operations, with the
// same resolvers; tests compare the two.
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
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		x, _ := ctx.Value(executionKey{}).(*execution)
		if response != nil && x != nil {
			x.markStale(response)
		}
		return response
	})
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		var begin beginner = func(ctx context.Context) (context.Context, *execution, error) {
			return begin(ctx, schema, session(ctx))
		}
		if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
			return next(context.WithValue(ctx, beginKey{}, begin))
		}
		ctx, x, err := begin(ctx)
		if err != nil {
			return graphql.OneShot(ended(ctx, err))
		}
		return x.spans.untilEnd(next(ctx))
	})
	return e
}

// StaleExtension is the key of a [Stale] in a response's extensions.
const StaleExtension = "stale"

// Stale says that ClickFunnels is down, so that parts of a response are from expired responses.
type Stale struct {
	// ExpiredMS is the time since the first one of them expired, in milliseconds.
	ExpiredMS int64 `json:"expiredMs"`
}

// markStale adds a [Stale] to a response if ClickFunnels is down.
func (x *execution) markStale(response *graphql.Response) {
	allowance := transport.AllowanceOf(x.objects.Calls)
	if allowance == nil || allowance.Stale() == 0 {
		return
	}
	if response.Extensions == nil {
		response.Extensions = make(map[string]any)
	}
	response.Extensions[StaleExtension] = Stale{ExpiredMS: allowance.Stale().Milliseconds()}
}

// FreshUntil returns until when clients may use the response of an operation, whose context this is: the
// first cached response of ClickFunnels expires then. It is the zero time if clients must ask again each time
// ([transport.Allowance.FreshUntil]).
func FreshUntil(ctx context.Context) time.Time {
	return allowanceOf(ctx).FreshUntil(ctx)
}

// CacheTags returns the tags of the response of an operation, whose context this is, for shared caches. It is
// nil if the operation does not collect them ([transport.Allowance.CacheTags]).
func CacheTags(ctx context.Context) []string {
	if allowance := allowanceOf(ctx); allowance != nil && allowance.CacheTags != nil {
		return allowance.CacheTags.All()
	}
	return nil
}

// allowanceOf returns the allowance of an operation, whose context this is; nil without one.
func allowanceOf(ctx context.Context) *transport.Allowance {
	if x, ok := ctx.Value(executionKey{}).(*execution); ok {
		return transport.AllowanceOf(x.objects.Calls) //nolint:contextcheck // the operation's
	}
	return nil
}

// Expired returns the time since parts of a response expired, and whether there are any.
func Expired(response *graphql.Response) (time.Duration, bool) {
	stale, ok := response.Extensions[StaleExtension].(Stale)
	return time.Duration(stale.ExpiredMS) * time.Millisecond, ok
}

// begin returns a new execution of the context's operation, with a context for its resolvers.
func begin(ctx context.Context, schema graphql.ExecutableSchema, with Session) (context.Context, *execution, error) {
	if with.Refused != nil {
		return nil, nil, with.Refused
	}
	op := graphql.GetOperationContext(ctx)
	l := loader.New(with.Calls, with.Client.WithProjection(documentOf(op).projection))
	x := &execution{schema: schema, loaders: l, spans: newSpans(ctx), objects: &objectCount{Session: &with}, hasNullVariable: hasNull(op.Variables)}
	op.ResolverMiddleware = x.middleware
	ctx = context.WithValue(context.WithValue(ctx, viewerKey{}, with.Viewer), eventsKey{}, with.Events)
	return context.WithValue(loader.With(ctx, l), executionKey{}, x), x, nil
}

// beginKey is the key of the [beginner] of a subscription.
type beginKey struct{}

type executionKey struct{}

// middleware is the [graphql.FieldMiddleware] of fields that gqlgen's executor resolves.
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

// executable executes operations by loading and writing. Only introspection is left to gqlgen.
type executable struct{ graphql.ExecutableSchema }

// Exec implements [graphql.ExecutableSchema].
func (s executable) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	var plan *selection
	if ctx.Value(incrementalKey{}) != nil {
		var hasDeferred bool
		if op, hasDeferred = markDeferred(op); hasDeferred {
			plan = newPlan(op, s.Schema(), true)
		}
	}
	if plan == nil {
		plan = documentOf(op).plan(op, s.Schema())
	}
	if op.Operation.Operation == ast.Subscription {
		return s.subscribe(ctx, plan)
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

// subscribe executes a subscription. Its first response is an error if it cannot begin.
func (s executable) subscribe(ctx context.Context, plan *selection) graphql.ResponseHandler {
	if len(plan.fields) != 1 || len(plan.loadedFields) != 1 {
		return graphql.OneShot(ended(ctx, badInput("A subscription has exactly one field.")))
	}
	running := &stream{schema: s.ExecutableSchema, plan: plan, field: plan.loadedFields[0], begin: ctx.Value(beginKey{}).(beginner)}
	begun, refused := false, false
	return func(ctx context.Context) *graphql.Response {
		switch {
		case refused:
			return nil
		case !begun:
			begun = true
			if response := running.start(ctx); response != nil {
				refused = true
				return response
			}
		}
		response := running.next(ctx)
		refused = response == nil || response.Data == nil
		return response
	}
}

// answer loads and writes an operation except for its deferred fragments, which it returns.
func (x *execution) answer(plan *selection) (*graphql.Response, []deferredResult) {
	root := x.loadRoot(plan)
	w := &writer{execution: x}
	if !w.object(plan, nil, root) {
		w.buf = []byte("null")
	}
	return &graphql.Response{Data: w.buf, Errors: w.errs}, w.deferred
}
