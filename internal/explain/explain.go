// Package explain adds an explanation to responses: the REST calls, the origin of their responses,
// the longest chain of dependent calls, and the operation's complexity.
package explain

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/internal/limits"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// Header is the request header that requests an explanation with "1" and declines it with "0".
const Header = "X-Funnelgraph-Explain"

// Extension is the key of the explanation in a response's extensions.
const Extension = "funnelgraph"

// Explanation describes the work behind a response.
type Explanation struct {
	// Calls are the REST calls in the order in which they began.
	Calls []Call `json:"calls"`
	// Network, Coalesced and Cache are the numbers of calls over the network, calls shared with
	// another request, and calls answered from the cache.
	Network   int `json:"network"`
	Coalesced int `json:"coalesced"`
	Cache     int `json:"cache"`
	// Chain is the length of the longest chain of calls in which each call needed the response
	// of the one before.
	Chain int `json:"chain"`
	// Complexity is the maximum number of fields that the response could have had.
	Complexity int `json:"complexity"`
	// DurationMS is the total time in milliseconds.
	DurationMS float64 `json:"durationMs"`
}

// Call is a REST call.
type Call struct {
	Method     string           `json:"method"`
	Host       string           `json:"host"`
	Path       string           `json:"path"`
	Parameters []string         `json:"parameters,omitempty"`
	Status     int              `json:"status"`
	Origin     transport.Origin `json:"origin"`
	// AgeMS is the time since a cached response came from ClickFunnels, in milliseconds; 0 for others.
	AgeMS float64 `json:"ageMs"`
	// Stale reports that ClickFunnels is down, and that an expired response replaces the one of the call.
	Stale bool `json:"stale,omitempty"`
	// StartMS is the time from the start of the request to the start of the call, and
	// DurationMS the duration of the call, both in milliseconds.
	StartMS    float64 `json:"startMs"`
	DurationMS float64 `json:"durationMs"`
}

// Handler enables the explanation for requests that ask for it. If always is true, it also enables
// it for every POST that does not decline it. Responses to GET can be cached by clients, and the
// durations would make each one different. may reports whether the caller may get explanations:
// the calls can reveal objects that a scoped client must not know about.
func Handler(always bool, may func(context.Context) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header.Get(Header)
		if (asked == "1" || always && asked == "" && r.Method == http.MethodPost) && may(r.Context()) {
			r = r.WithContext(upstream.WithTrace(r.Context(), upstream.NewTrace()))
		}
		next.ServeHTTP(w, r)
	})
}

// Wanted reports whether the response to the context's request has an explanation.
func Wanted(ctx context.Context) bool { return upstream.TraceOf(ctx) != nil }

// Apply makes an executor add explanations to responses. An incremental response has it in its
// last part. Subscriptions have none.
func Apply(e *executor.Executor) {
	e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
			ctx = upstream.WithTrace(ctx, nil) // it would grow with each event
		}
		return next(ctx)
	})
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		t := upstream.TraceOf(ctx)
		if t == nil || response == nil || response.HasNext != nil && *response.HasNext || !graphql.HasOperationContext(ctx) {
			return response
		}
		if response.Extensions == nil {
			response.Extensions = make(map[string]any)
		}
		response.Extensions[Extension] = explanation(t, graphql.GetOperationContext(ctx))
		return response
	})
}

func explanation(t *upstream.Trace, op *graphql.OperationContext) Explanation {
	calls := t.Calls()
	e := Explanation{Calls: make([]Call, len(calls)), Chain: upstream.LongestChain(calls), DurationMS: ms(time.Since(t.Began()))}
	if op.Operation != nil {
		e.Complexity = limits.Complexity(op)
	}
	for i, c := range calls {
		switch c.Origin {
		case transport.FromNetwork:
			e.Network++
		case transport.FromOther:
			e.Coalesced++
		case transport.FromCache:
			e.Cache++
		}
		e.Calls[i] = Call{c.Method, c.Host, c.Path(), c.Parameters(), c.Status, c.Origin, ms(c.Age), c.IsStale, ms(c.Began.Sub(t.Began())), ms(c.Took)}
	}
	return e
}

// ms returns a duration in milliseconds, rounded to a hundredth.
func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}
