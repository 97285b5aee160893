package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
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

// NewExecutor returns what answers operations, each with the session that its context
// means. introspection says whether they may
// ask for the schema; errors suggest names from it only then.
func NewExecutor(session func(context.Context) Session, introspection bool) *executor.Executor {
	return newExecutor(session, introspection, true)
}

// newExecutor is [NewExecutor], with or without the short way of plain rows.
func newExecutor(session func(context.Context) Session, introspection, short bool) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}, Schema: public()})
	e := executor.New(partly{schema})
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
		doc := documentOf(op)
		with := session(ctx)
		l := loader.New(with.Calls, with.Client.Only(doc.projection)) //nolint:contextcheck // made of ctx
		if op.Operation.Operation == ast.Query {
			prefetch(op, doc, l)
		}
		spans := newSpans(ctx, l)
		// In the place of all field extensions, of which there are none:
		// AroundFields makes two closures for every field.
		op.ResolverMiddleware = (&planner{schema: schema.Schema(), kept: doc.plans, short: short, spans: spans, objects: objects{Session: &with}, nulls: hasNull(op.Variables)}).resolve
		return spans.untilEnd(next(loader.With(ctx, l)))
	})
	return e
}
