package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/internal/flight"
)

// coalescer shares one call among identical GETs in flight, across client requests. GETs are
// identical if they have the same credential and URL, so a response never reaches another
// credential. Finished calls are not remembered. A write ends the sharing of earlier calls of its
// credential, and of its host. Each caller can cancel without affecting the others; the call is
// cancelled when the last one does.
type coalescer struct {
	retrier *retrier
	group   flight.Group[flightKey, result]
	changes atomic.Uint64 // the number of calls of forget
}

type flightKey struct {
	credential Credential
	host       string
	url        string
	noRetry    bool // attempted once; not shared with other calls
}

type result struct {
	response Response
	err      error
}

var errPanic = errors.New("panic in a REST call")

// do makes a call, and counts it against the client request's allowance.
func (c *coalescer) do(ctx context.Context, r *Request) (Response, error) {
	if r.Allowance != nil && !r.Allowance.Spend() {
		return Response{}, ErrOverBudget
	}
	if r.Method != http.MethodGet {
		return c.write(ctx, r)
	}
	if r.Span != nil {
		ctx = trace.ContextWithSpan(ctx, r.Span)
	}
	origin := FromNetwork
	f, began := c.group.Join(ctx, flightKey{r.Credential, r.Host, r.URL, r.NoRetry})
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
		origin = FromOther
		if leader := trace.SpanContextFromContext(f.Leader); leader.IsSampled() && r.recording() { //nolint:contextcheck // another caller's
			r.Span.AddLink(trace.Link{SpanContext: leader})
		}
	}
	made, err := f.Wait(ctx)
	if err != nil {
		return Response{Origin: origin}, err
	}
	made.response.Origin = origin
	if f.Shared() {
		made.response.buffer = nil
	}
	return made.response, made.err
}

// write makes a call that is not a GET. A read that begins after it joins no earlier call.
func (c *coalescer) write(ctx context.Context, r *Request) (a Response, err error) {
	c.group.Forget(func(key flightKey) bool { return key.credential == r.Credential })
	defer func() {
		if mayHaveChanged(a, err) {
			c.forget(func(key flightKey) bool { return key.credential == r.Credential || key.host == r.Host })
		}
	}()
	deadline, _ := ctx.Deadline()
	return c.retrier.do(ctx, r, func() time.Time { return deadline })
}

// mayHaveChanged reports whether a write can have changed something.
func mayHaveChanged(a Response, err error) bool {
	isRefused := a.Status >= 400 && a.Status < 500
	return a.Uncertain || err == nil && !isRefused
}

// forget stops new callers from joining the calls whose keys match, because something has changed.
func (c *coalescer) forget(match func(flightKey) bool) {
	c.group.Forget(match)
	c.changes.Add(1)
}
