// Package graph answers GraphQL operations. There is a resolver file for each
// schema file; resolvers turn arguments into loader calls and no more. The
// loading is in graph/loader, the REST calls are in upstream.
package graph
