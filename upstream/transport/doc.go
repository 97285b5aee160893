// Package transport makes the REST calls of package upstream. A call passes through its layers from
// top to bottom:
//
//	cache → coalescer → retrier → limiter, breaker → net/http
//
// The cache answers repeated reads, and asks the coalescer for the others. The coalescer counts each
// call against its [Allowance]. Identical reads in flight share one call to the retrier. The retrier
// repeats failed attempts where that is safe and useful. Before each attempt it waits in the
// concurrency limiter and asks the circuit breaker of the host. It reports the outcome to both.
//
// State is separate for each [Credential] and host. [Replicas] can share the cache and the limits.
// The package knows requests and responses, but no records.
package transport
