// Package explain adds to answers what they took: the REST calls, where their answers came from,
// the longest chain of dependent calls, and the operation's complexity.
package explain

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Header asks for an explanation by "1", and declines it by "0".
const Header = "X-Funnelgraph-Explain"

// Extension is the key of the explanation in an answer's extensions.
const Extension = "funnelgraph"

// Explanation is what an answer took.
type Explanation struct {
	// Calls are the REST calls in the order in which they began.
	Calls []Call `json:"calls"`
	// Network, Coalesced and Cache are how many of them were made, shared with another
	// request, and answered from what was kept.
	Network   int `json:"network"`
	Coalesced int `json:"coalesced"`
	Cache     int `json:"cache"`
	// Chain is how many calls had to be made one after another, since each needed the
	// answer of the one before it.
	Chain int `json:"chain"`
	// Complexity is how many fields the answer could have had.
	Complexity int `json:"complexity"`
	// DurationMS is how long it took in all, in milliseconds.
	DurationMS float64 `json:"durationMs"`
}

// Call is a REST call.
type Call struct {
	Method     string          `json:"method"`
	Host       string          `json:"host"`
	Path       string          `json:"path"`
	Parameters []string        `json:"parameters,omitempty"`
	Status     int             `json:"status"`
	Origin     upstream.Origin `json:"origin"`
	// StartMS is when it began, counted from the request, and DurationMS how long it
	// took, both in milliseconds.
	StartMS    float64 `json:"startMs"`
	DurationMS float64 `json:"durationMs"`
}

// Handler has those requests explained that ask for it, and with always also each POST
// that does not decline: an answer to a GET is one that a client keeps, and durations
// would make it another one each time. may says whose may be: calls tell of what there is,
// also where a client must not know.
func Handler(always bool, may func(context.Context) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header.Get(Header)
		if (asked == "1" || always && asked == "" && r.Method == http.MethodPost) && may(r.Context()) {
			r = r.WithContext(upstream.WithTrace(r.Context(), upstream.NewTrace()))
		}
		next.ServeHTTP(w, r)
	})
}

// Wanted reports whether the request of a context is explained.
func Wanted(ctx context.Context) bool { return upstream.TraceOf(ctx) != nil }

// Apply has an executor explain its answers. An answer in parts is explained with its
// last one.
func Apply(e *executor.Executor) {
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		t := upstream.TraceOf(ctx)
		if t == nil || response == nil || response.HasNext != nil && *response.HasNext || !graphql.HasOperationContext(ctx) {
			return response
		}
		if response.Extensions == nil {
			response.Extensions = make(map[string]any)
		}
		response.Extensions[Extension] = of(t, graphql.GetOperationContext(ctx))
		return response
	})
}

func of(t *upstream.Trace, op *graphql.OperationContext) Explanation {
	calls := t.Calls()
	e := Explanation{Calls: make([]Call, len(calls)), Chain: upstream.LongestChain(calls), DurationMS: ms(time.Since(t.Began()))}
	if op.Operation != nil {
		e.Complexity = limits.Complexity(op)
	}
	for i, c := range calls {
		switch c.Origin {
		case upstream.FromNetwork:
			e.Network++
		case upstream.FromOther:
			e.Coalesced++
		case upstream.FromCache:
			e.Cache++
		}
		e.Calls[i] = Call{c.Method, c.Host, c.Path(), c.Parameters(), c.Status, c.Origin, ms(c.Began.Sub(t.Began())), ms(c.Took)}
	}
	return e
}

// ms returns a duration in milliseconds, to a hundredth.
func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}
