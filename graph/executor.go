package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/graph/exec"
	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/upstream"
)

const (
	// maxTokens bounds a document: the parser stops there, before validation,
	// whose time grows with the square of the fields of one object. Hundreds of
	// aliases fit.
	maxTokens = 5_000
	// cachedDocuments is how many parsed and validated documents are kept, and
	// maxCachedBytes how long each may be: applications have few, and what is
	// made up to fill the memory is not kept.
	cachedDocuments = 500
	maxCachedBytes  = 8 << 10
)

// documents keeps parsed documents by their text.
type documents struct {
	graphql.Cache[*ast.QueryDocument]
}

// Add implements [graphql.Cache].
func (d documents) Add(ctx context.Context, query string, doc *ast.QueryDocument) {
	if len(query) <= maxCachedBytes {
		d.Cache.Add(ctx, query, doc)
	}
}

// NewExecutor returns what answers operations. client returns the REST client of
// the credential that an operation's context carries.
func NewExecutor(client func(context.Context) *upstream.Client) *executor.Executor {
	schema := exec.NewExecutableSchema(exec.Config{}).Schema()
	e := newExecutor(client)
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		// In the place of all field extensions, of which there are none:
		// AroundFields makes two closures for every field.
		op := graphql.GetOperationContext(ctx)
		p := &plans{schema: schema, known: make(map[selectionKey]plan)}
		op.ResolverMiddleware = p.resolve
		return next(ctx)
	})
	return e
}

// newExecutor is [NewExecutor] without the short way of plain rows.
func newExecutor(client func(context.Context) *upstream.Client) *executor.Executor {
	e := executor.New(exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}}))
	e.SetQueryCache(documents{lru.New[*ast.QueryDocument](cachedDocuments)})
	e.SetParserTokenLimit(maxTokens)
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(recovered)
	e.Use(extension.Introspection{})
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		keys, expand := keysOf(op.Doc), ""
		if keys[upstream.ExpandEmailEngagement] {
			expand = upstream.ExpandEmailEngagement
		}
		l := loader.New(ctx, client(ctx).Only(keys.want), expand)
		if op.Operation.Operation == ast.Query {
			prefetch(op, l)
		}
		return next(loader.With(ctx, l))
	})
	return e
}
