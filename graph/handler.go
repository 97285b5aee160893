package graph

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
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

// NewHandler returns the GraphQL endpoint. client returns the REST client of
// the credential that a request's context carries; transports are the ways in
// which operations come over HTTP.
func NewHandler(client func(context.Context) *upstream.Client, transports ...graphql.Transport) http.Handler {
	s := newServer(client, transports...)
	s.AroundFields(plainRows)
	return s
}

// newServer is [NewHandler] without the short way of plain rows.
func newServer(client func(context.Context) *upstream.Client, transports ...graphql.Transport) *handler.Server {
	schema := exec.NewExecutableSchema(exec.Config{Resolvers: &Resolver{}})
	s := handler.New(schema)
	for _, t := range transports {
		s.AddTransport(t)
	}
	s.SetQueryCache(documents{lru.New[*ast.QueryDocument](cachedDocuments)})
	s.SetParserTokenLimit(maxTokens)
	s.SetErrorPresenter(present)
	s.SetRecoverFunc(recovered)
	s.Use(extension.Introspection{})
	s.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		keys, expand := keysOf(op.Doc), ""
		if keys[upstream.ExpandEmailEngagement] {
			expand = upstream.ExpandEmailEngagement
		}
		l := loader.New(ctx, client(ctx).Only(keys.want), expand)
		if op.Operation.Operation == ast.Query {
			prefetch(op, l)
		}
		ctx = context.WithValue(loader.With(ctx, l), plansKey{}, &plans{schema: schema.Schema(), known: make(map[selectionKey]plan)})
		return next(ctx)
	})
	s.AroundFields(plainRows)
	return s
}
