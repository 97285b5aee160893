package upstream

import (
	"bytes"
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// request is one REST call on its way from the [Client] through the cache, the coalescer and
// the caller, which makes an [http.Request] of it for each attempt. The client fills it in once:
// nothing below reads the context's values or parses a URL.
type request struct {
	method    string
	subdomain string
	segments  []string // of the path
	query     string   // encoded
	body      []byte   // JSON; nil if there is none
	// filtered marks a filtered read. Only a few of these may be under way.
	filtered bool
	// repeatable says that it can be made again, without harm, when it may have been carried
	// out already (API.md §4).
	idempotent bool
	// fresh says that no cache answers it, and once that it is attempted once.
	fresh, noRetry bool

	// [Client.call] adds what follows.

	// url is where it goes, which identifies it together with the credential.
	url string
	// host is the subdomain; empty behind a URL template without one, where all is one host.
	host       string
	header     http.Header // shared by calls, and not to be modified
	credential credential  // of the token
	allowance  *Allowance  // of the client request; nil if it has none
	span       trace.Span  // its own; nil if it has none

	// origin is where its answer has come from.
	origin Origin
	// doubted says that it may have been carried out, though no answer says so.
	uncertain bool
}

// answer is what a call was answered. Callers share its header and body, which must not be
// modified.
type response struct {
	status    int // 0 without an answer
	header    http.Header
	body      []byte
	buffer    *bytes.Buffer // that the body is in, if that can be used again
	uncertain bool          // see [request]
	// decoded, if not nil, has to be called when the body has been decoded: only such an
	// answer is worth caching.
	decoded func()
}

// authorization returns what the cache of replicas is sealed with.
func (r *request) authorization() string { return r.header.Get("Authorization") }

// recording reports whether the call has a span that records.
func (r *request) recording() bool { return r.span != nil && r.span.IsRecording() }

type (
	withoutRetriesKey struct{}
	freshKey          struct{}
)

// once returns a context whose calls are attempted once.
func withoutRetries(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutRetriesKey{}, true)
}

// Fresh returns a context whose calls are not answered from the cache. Their
// answers are kept for others.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }
