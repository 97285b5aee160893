package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
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
	e := newExecutor(session, true)
	if introspection {
		e.Use(extension.Introspection{})
		return e
	}
	e.SetDisableSuggestion(true)
	e.SetDefaultRulesFn(func() *rules.Rules { // those that the former leaves out
		quiet := rules.NewDefaultRules()
		for name, rule := range map[string]core.Rule{
			rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
			rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
			rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		} {
			quiet.ReplaceRule(name, rule.RuleFunc)
		}
		return quiet
	})
	return e
}

// newExecutor is [NewExecutor], with or without the short way of plain rows.
func newExecutor(session func(context.Context) Session, short bool) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}, Schema: public()})
	e := executor.New(partly{schema})
	known := newDocuments()
	e.SetQueryCache(known)
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(recovered)
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		doc := known.of(ctx, op)
		with := session(ctx)
		l := loader.New(with.Calls, with.Client.Only(doc.projection)) //nolint:contextcheck // made of ctx
		if op.Operation.Operation == ast.Query {
			prefetch(op, doc, l)
		}
		spans := newSpans(ctx, l)
		// In the place of all field extensions, of which there are none:
		// AroundFields makes two closures for every field.
		op.ResolverMiddleware = (&planner{schema: schema.Schema(), kept: doc.plans, short: short, spans: spans, objects: objects{Session: &with}}).resolve
		return spans.untilEnd(next(loader.With(ctx, l)))
	})
	return e
}
