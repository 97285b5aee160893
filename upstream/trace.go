package upstream

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Origin is where the answer to a call came from.
type Origin string

// The origins of answers.
const (
	// FromNetwork is a call to ClickFunnels.
	FromNetwork Origin = "network"
	// FromOther is the answer to the same call of another request.
	FromOther Origin = "coalesced"
	// FromCache is an answer that was kept.
	FromCache Origin = "cache"
)

// Call is a REST call that has come to an end. What it tells holds no id and no value of a
// filter.
type Call struct {
	Method string
	// Host is where it went, with the subdomain behind it where a URL template has that
	// in its path.
	Host string
	// Accounts says that this is the host of teams and workspaces, and no workspace's own.
	Accounts bool
	// Status is that of the answer, 0 without one.
	Status int
	Origin Origin
	// Took is how long it took, with all attempts and the waiting for the pace.
	Began time.Time
	Took  time.Duration
	// Chain is how many calls were needed one after another up to this one, which is
	// included; 0 where nobody counts.
	Chain int

	segments []string
	query    string
}

// Path returns the path's template, such as /workspaces/{id}/contacts.
func (c Call) Path() string { return pathTemplate(c.segments) }

// Parameters returns the names of the query's parameters, such as filter[id].
func (c Call) Parameters() []string { return parameters(c.query) }

// Trace writes down the calls of a request. It is safe for concurrent use; make one for
// each request with [NewTrace].
type Trace struct {
	began time.Time

	mu    sync.Mutex
	calls []Call
}

// NewTrace returns a trace that begins now.
func NewTrace() *Trace { return &Trace{began: time.Now()} }

type traceKey struct{}

// WithTrace returns a context whose calls are written down, each with its chain.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return AfterChain(context.WithValue(ctx, traceKey{}, t), 0)
}

// TraceOf returns the trace of a context, nil if it has none.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Calls returns the calls that have come to an end, in the order in which they began.
func (t *Trace) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := slices.Clone(t.calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Began.Compare(b.Began) })
	return calls
}

// Began returns when the trace began.
func (t *Trace) Began() time.Time { return t.began }

func (t *Trace) add(c Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, c)
}

// LongestChain returns how many of the calls had to be made one after another, since each needed
// the answer of the one before it. It does not matter where an answer came from.
func LongestChain(calls []Call) (longest int) {
	for _, c := range calls {
		longest = max(longest, c.Chain)
	}
	return longest
}

// words are the segments of paths that are none of ids.
var pathWords = func() map[string]bool {
	all := make(map[string]bool)
	for _, word := range append(resourceWords, "upsert", "gdpr_destroy") {
		all[word] = true
	}
	return all
}()

// usualPath is room for a path's template, in bytes.
const pathTemplateSize = 64

// pathTemplate returns a path without its ids.
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
