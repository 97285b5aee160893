package upstream

import (
	"context"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// request is one REST call. [Client.call] completes the part for the transport.
type request struct {
	transport.Request
	subdomain string
	segments  []string // of the path
	query     string   // encoded
	// uncertain is set if the call may have been carried out although no response says so.
	uncertain bool
}

type (
	withoutRetriesKey struct{}
	freshKey          struct{}
)

// withoutRetries returns a context whose calls are attempted once.
func withoutRetries(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutRetriesKey{}, true)
}

// Fresh returns a context whose calls bypass the cache. Their responses are stored for later calls.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }
