package graph

// Resolver is the root of all resolvers. What an operation needs is in its
// context (see [NewHandler]).
type Resolver struct{}
