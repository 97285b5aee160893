// Package graph answers GraphQL operations. Its resolvers are
// generated from the description in schema/, and turn arguments into loader
// calls. The loading is in graph/loader, the REST calls are in upstream.
package graph
