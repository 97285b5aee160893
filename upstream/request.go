package upstream

import (
	"bytes"
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// request is one REST call as it passes from the [Client] through the cache and the coalescer to
// the retrier, which makes an [http.Request] for each attempt. The client fills it in once. The
// layers below read no context values and parse no URL.
type request struct {
	method    string
	subdomain string
	segments  []string // of the path
	query     string   // encoded
	body      []byte   // JSON; nil without a body
	// filtered marks a filtered read. Only a few of them may be in flight.
	filtered bool
	// idempotent reports whether the call can safely be repeated after it may have been carried out
	// (clickfunnels-api.md §4).
	idempotent bool
	// fresh bypasses the cache, and noRetry limits the call to one attempt.
	fresh, noRetry bool

	// [Client.call] sets the fields below.

	// url is the full URL. It identifies the call together with the credential.
	url string
	// host is the subdomain. It is empty for URL templates without a placeholder, where all calls
	// go to one host.
	host       string
	header     http.Header // shared by calls; must not be modified
	credential credential  // of the token
	allowance  *Allowance  // of the client request; may be nil
	span       trace.Span  // of this call; may be nil

	// origin is where the response came from.
	origin Origin
	// uncertain is set if the call may have been carried out although no response says so.
	uncertain bool
}

// response is the response to a call. Callers share its header and body, which must not be
// modified.
type response struct {
	status    int // 0 without a response
	header    http.Header
	body      []byte
	buffer    *bytes.Buffer // holds the body, if it can be reused
	uncertain bool          // see [request]
	// decoded, if not nil, must be called after the body has been decoded. Only such responses are
	// cached.
	decoded func()
}

// authorization returns the header value with which shared responses are sealed.
func (r *request) authorization() string { return r.header.Get("Authorization") }

// recording reports whether the call has a span that records.
func (r *request) recording() bool { return r.span != nil && r.span.IsRecording() }

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
