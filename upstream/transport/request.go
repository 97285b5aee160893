package transport

import (
	"bytes"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Request is one call as it passes from the cache to the retrier, which makes an [http.Request] for
// each attempt. The layers read no context values and parse no URL.
type Request struct {
	Method string
	// URL is the full URL. It identifies the call together with the credential.
	URL string
	// Host is a name of the host, such as its subdomain; empty if all calls go to one host. A write
	// invalidates the cached responses of its host.
	Host       string
	Header     http.Header // shared by calls; must not be modified
	Body       []byte      // nil without a body
	Credential Credential
	// Filtered marks a filtered read. Only a few of them may be in flight.
	Filtered bool
	// Stored marks a read that a stored filter narrows. A 503 then says that the filter took too
	// long: the call is repeated once, and the host does not count as down (clickfunnels-api.md §4).
	Stored bool
	// Idempotent reports whether the call can safely be repeated after it may have been carried out
	// (clickfunnels-api.md §4).
	Idempotent bool
	// Fresh bypasses the cache. The response is stored for later calls.
	Fresh bool
	// Kind is the kind of the records in the response; empty if there is none.
	Kind string
	// Tags, if not nil, returns the tags of a response: of the records in it and of its list or, for a
	// write, of what it has changed. nil stands for everything on the host.
	Tags func(body []byte) []string
	// NoRetry limits the call to one attempt.
	NoRetry bool

	Allowance *Allowance // of the client request; may be nil
	Span      trace.Span // of this call; may be nil
}

// authorization returns the header value with which shared responses are sealed.
func (r *Request) authorization() string { return r.Header.Get("Authorization") }

// recording reports whether the call has a span that records.
func (r *Request) recording() bool { return r.Span != nil && r.Span.IsRecording() }

// Response is the response to a call. Callers share its header and body, which must not be
// modified. Call [Response.Free] when the body is not used any more.
type Response struct {
	Status int // 0 without a response
	Header http.Header
	Body   []byte
	// Origin is where the response came from.
	Origin Origin
	// Age is the time since a cached response came from ClickFunnels. IsStale reports that it has expired,
	// and that ClickFunnels is down.
	Age     time.Duration
	IsStale bool
	// Uncertain reports that an attempt may have been carried out although no response says so.
	Uncertain bool

	buffer  *bytes.Buffer // holds the body, if it can be reused
	decoded func()        // stores the response in the cache; may be nil
}

// Decoded must be called after the body has been decoded. Only such responses are cached.
func (r *Response) Decoded() {
	if r.decoded != nil {
		r.decoded()
	}
}

// Origin is the source of a response.
type Origin string

// Sources of responses.
const (
	// FromNetwork is a call to ClickFunnels.
	FromNetwork Origin = "network"
	// FromOther is the response to an identical call of another caller.
	FromOther Origin = "coalesced"
	// FromCache is a cached response.
	FromCache Origin = "cache"
)
