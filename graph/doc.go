// Package graph executes GraphQL operations against the ClickFunnels REST API.
//
// Its resolvers are generated from the description in schema/ and turn arguments into loader
// calls. An operation is planned (plan.go), loaded (load.go) and written (write.go); deferred.go
// does the same for deferred fragments. Package graph/loader batches the REST calls, and package
// upstream makes them.
package graph
