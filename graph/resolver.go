package graph

// Resolver is the root of all resolvers. It has no state: what an operation needs is in its
// context (see [NewExecutor]).
type Resolver struct{}
