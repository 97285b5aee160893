package gqlhttp

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/funnelgraph/funnelgraph/internal/limits"
)

// streamWriteTimeout is how long a client may take to read an event.
const streamWriteTimeout = 20 * time.Second

// subscribe executes a subscription, and writes each response as an event.
func (a *answer) subscribe(ctx context.Context, op *graphql.OperationContext) {
	if a.parts != eventStream {
		a.refuseOperation(ctx, op, http.StatusNotAcceptable, refusal("The response to a subscription is a stream of events: accept "+eventStream+".").Errors)
		return
	}
	release, ok := a.Streams.subscriptions.acquire(ctx, a.Scope(ctx), a.MayStream)
	if !ok {
		a.refuseOperation(ctx, op, http.StatusTooManyRequests, tooManyStreams().Errors)
		return
	}
	defer release()
	ctx, cancel := context.WithCancel(limits.WithDeadline(ctx, time.Time{})) // a deadline is for one response
	responses := make(chan *graphql.Response)
	defer func() {
		cancel()
		for range responses { // until the execution has ended
		}
	}()
	go a.produceEvents(ctx, op, responses)
	a.writeEvents(ctx, responses)
}

// produceEvents executes a subscription and sends its responses to the channel.
func (a *answer) produceEvents(ctx context.Context, op *graphql.OperationContext, responses chan<- *graphql.Response) {
	defer close(responses)
	hand := func(response *graphql.Response) bool {
		select {
		case responses <- response:
			return true
		case <-ctx.Done():
			return false
		}
	}
	defer func() {
		if v := recover(); v != nil {
			hand(a.panicResponse(ctx, v))
		}
	}()
	next, ctx := a.Executor.DispatchOperation(ctx, op)
	for {
		response := next(ctx)
		if response == nil || !hand(response) {
			return
		}
	}
}

// writeEvents writes responses until there are no more, the client is gone or does not read, or the server
// ends. In the last cases the connection breaks, so that the client connects again.
func (a *answer) writeEvents(ctx context.Context, responses <-chan *graphql.Response) {
	controller := http.NewResponseController(a.w)
	_ = controller.SetReadDeadline(time.Time{})
	idle := time.NewTicker(keepAliveInterval)
	defer idle.Stop()
	out := a.openParts()
	defer out.close()
	write := func(texts ...string) {
		_ = controller.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
		if out.writeAndFlush(texts...) != nil {
			panic(http.ErrAbortHandler)
		}
		idle.Reset(keepAliveInterval)
	}
	write(out.keepAlive)
	for {
		select {
		case response, ok := <-responses:
			if !ok {
				if ctx.Err() == nil {
					write("event: complete\ndata:\n\n")
				}
				return
			}
			id := response.Label
			response.Label = ""
			var event strings.Builder
			if id != "" {
				_, _ = io.WriteString(&event, "id: "+id+"\n")
			}
			write(event.String(), out.before, string(encodePart(response)), out.after)
		case <-idle.C:
			write(out.keepAlive)
		case <-a.Draining:
			panic(http.ErrAbortHandler)
		case <-ctx.Done():
			return
		}
	}
}
