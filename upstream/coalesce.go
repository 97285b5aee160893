package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/internal/flight"
)

// coalescer makes one call of identical GETs in flight, from whichever client requests they
// come. Calls are identical when the credential and the URL are: what one credential is answered
// never reaches another. A finished call is not remembered, and a write of the same credential
// ends the sharing of the calls before it. Each caller can give up without harm to the others;
// when the last one has, the call is cancelled.
type coalescer struct {
	retrier *retrier
	group   flight.Group[flightKey, result]
}

type flightKey struct {
	credential credential
	url        string
	noRetry    bool // attempted once, unlike other calls
}

type result struct {
	response response
	err      error
}

var errPanic = errors.New("panic in a REST call")

// do makes a call, which comes out of the allowance of its client request.
func (c *coalescer) do(ctx context.Context, r *request) (response, error) {
	if r.allowance != nil && !r.allowance.spend() {
		return response{}, errOverBudget
	}
	if r.method != http.MethodGet {
		// A read that begins after a write joins no call from before it.
		c.forget(r.credential)
		defer c.forget(r.credential)
		deadline, _ := ctx.Deadline()
		return c.retrier.do(ctx, r, func() time.Time { return deadline })
	}
	if r.span != nil {
		ctx = trace.ContextWithSpan(ctx, r.span)
	}
	f, began := c.group.Join(ctx, flightKey{r.credential, r.url, r.noRetry})
	if began {
		go f.Run(func(ctx context.Context, deadline func() time.Time) (made result) {
			defer func() {
				if v := recover(); v != nil {
					slog.Error("panic in a REST call", "value", v, "stack", string(debug.Stack()))
					made.err = errPanic
				}
			}()
			made.response, made.err = c.retrier.do(ctx, r, deadline)
			return made
		})
	} else {
		r.origin = FromOther
		if leader := trace.SpanContextFromContext(f.Leader); leader.IsSampled() && r.recording() { //nolint:contextcheck // another caller's
			r.span.AddLink(trace.Link{SpanContext: leader})
		}
	}
	made, err := f.Wait(ctx)
	if err != nil {
		return response{}, err
	}
	if f.Shared() {
		made.response.buffer = nil
	}
	return made.response, made.err
}

// forget lets no call of a credential be joined any more.
func (c *coalescer) forget(of credential) {
	c.group.Forget(func(key flightKey) bool { return key.credential == of })
}
