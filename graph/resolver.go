package graph

// Resolver is the root of all resolvers. What an operation needs is in its
// context (see [NewExecutor]).
type Resolver struct{}
