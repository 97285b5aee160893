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

	segments []string
	query    string
}

// Path returns the path's template, such as /workspaces/{id}/contacts.
func (c Call) Path() string { return pathTemplate(c.segments) }

// Parameters returns the names of the query's parameters, such as filter[id].
func (c Call) Parameters() []string { return parameters(c.query) }

func (c Call) ended() time.Time { return c.Began.Add(c.Took) }

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

// WithTrace returns a context whose calls are written down.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
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

// Depth returns how many of the calls were made one after another: the longest row in
// which each began when the one before it had ended. What was kept takes no time and is
// not counted.
func Depth(calls []Call) int {
	calls = slices.DeleteFunc(slices.Clone(calls), func(c Call) bool { return c.Origin == FromCache })
	slices.SortFunc(calls, func(a, b Call) int { return a.ended().Compare(b.ended()) })
	depth, deepest := make([]int, len(calls)), 0
	for i, c := range calls {
		depth[i] = 1
		for k := range i {
			if !calls[k].ended().After(c.Began) {
				depth[i] = max(depth[i], depth[k]+1)
			}
		}
		deepest = max(deepest, depth[i])
	}
	return deepest
}

// words are the segments of paths that are none of ids.
var words = func() map[string]bool {
	all := make(map[string]bool)
	for _, word := range strings.Fields(`teams users workspaces contacts tags applied_tags upsert gdpr_destroy funnels pages form_submissions
		orders invoices transactions products variants prices collections courses sections lessons enrollments sales pipelines stages opportunities`) {
		all[word] = true
	}
	return all
}()

// usualPath is room for a path's template, in bytes.
const usualPath = 64

// pathTemplate returns a path without its ids.
func pathTemplate(segments []string) string {
	var b strings.Builder
	b.Grow(usualPath)
	for _, segment := range segments {
		if !words[segment] {
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
