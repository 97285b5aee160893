package upstream

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Call is a finished REST call. It contains no ids and no filter values in its exported fields and
// methods.
type Call struct {
	Method string
	// Host is the called host, with the subdomain if the URL template has it in the path.
	Host string
	// Accounts reports whether it went to the accounts host and not to a workspace's host.
	Accounts bool
	// Status is the status of the response, 0 without one.
	Status int
	Origin transport.Origin
	// Age is the time since a cached response came from ClickFunnels; 0 for others. IsStale reports that it
	// replaces one that ClickFunnels could not give.
	Age     time.Duration
	IsStale bool
	// Took is the duration, including all attempts and the time in the limiter's queue.
	Began time.Time
	Took  time.Duration
	// Chain is the length of the chain of calls up to this one, which is included. It is 0 if the
	// context does not count calls.
	Chain int

	segments []string
	query    string
}

// Path returns the path's template, such as /workspaces/{id}/contacts.
func (c Call) Path() string { return pathTemplate(c.segments) }

// Parameters returns the names of the query parameters, such as filter[id].
func (c Call) Parameters() []string { return parameters(c.query) }

// Trace records the calls of a request. It is safe for concurrent use. Make one for each request
// with [NewTrace].
type Trace struct {
	began time.Time

	mu    sync.Mutex
	calls []Call
}

// NewTrace returns a trace that starts now.
func NewTrace() *Trace { return &Trace{began: time.Now()} }

type traceKey struct{}

// WithTrace returns a context whose calls are recorded, with their chains.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return AfterChain(context.WithValue(ctx, traceKey{}, t), 0)
}

// TraceOf returns the trace of a context; nil without one.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Calls returns the finished calls in the order in which they began.
func (t *Trace) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := slices.Clone(t.calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Began.Compare(b.Began) })
	return calls
}

// Began returns the start of the trace.
func (t *Trace) Began() time.Time { return t.began }

func (t *Trace) add(c Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, c)
}

// LongestChain returns the length of the longest chain of calls. Each call of a chain needed the
// response to the one before. The origins of the responses do not matter.
func LongestChain(calls []Call) (longest int) {
	for _, c := range calls {
		longest = max(longest, c.Chain)
	}
	return longest
}

// pathTemplateSize is the initial capacity for a path's template, in bytes.
const pathTemplateSize = 64

// pathTemplate returns a path with its ids replaced by {id}.
func pathTemplate(segments []string) string {
	var b strings.Builder
	b.Grow(pathTemplateSize)
	for _, segment := range segments {
		if !pathWords[segment] {
			segment = "{id}"
		}
		b.WriteByte('/')
		b.WriteString(segment)
	}
	return b.String()
}

// parameters returns the names of a query's parameters.
func parameters(query string) []string {
	var names []string
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); err == nil && name != "" {
			names = append(names, name)
		}
	}
	return names
}
