package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// maxTokens bounds a document: the parser stops there, before validation, whose
// time grows with the square of the fields of one object. Hundreds of aliases
// fit.
const maxTokens = 5_000

// NewExecutor returns what answers operations. client returns the REST client of
// the credential that an operation's context carries.
func NewExecutor(client func(context.Context) *upstream.Client) *executor.Executor {
	return newExecutor(client, true)
}

// newExecutor is [NewExecutor], with or without the short way of plain rows.
func newExecutor(client func(context.Context) *upstream.Client, short bool) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}})
	e := executor.New(schema)
	known := newDocuments()
	e.SetQueryCache(known)
	e.SetParserTokenLimit(maxTokens)
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(recovered)
	e.Use(extension.Introspection{})
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		doc := known.of(ctx, op)
		l := loader.New(ctx, client(ctx).Only(doc.projection))
		if op.Operation.Operation == ast.Query {
			prefetch(op, doc, l)
		}
		if short {
			// In the place of all field extensions, of which there are none:
			// AroundFields makes two closures for every field.
			op.ResolverMiddleware = (&planner{schema: schema.Schema(), kept: doc.plans}).resolve
		}
		return next(loader.With(ctx, l))
	})
	return e
}
