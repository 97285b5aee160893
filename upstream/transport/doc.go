// Package transport makes the REST calls of package upstream. A call passes through these layers,
// each of which calls the next:
//
//   - The cache answers repeated reads. Writes invalidate it.
//   - The coalescer counts the call against its [Allowance]. Identical reads in flight share one call.
//   - The retrier repeats attempts that failed, where that is safe and useful.
//   - The limiter queues attempts and adapts the number in flight to what the host accepts. The
//     circuit breaker refuses attempts at a host that is down. The retrier asks both before each
//     attempt, and reports its outcome to them.
//   - [net/http] sends the request.
//
// [Replicas] can share the cache and the limits. The package knows requests and responses, but no
// records. State is kept apart by [Credential] and host.
package transport
