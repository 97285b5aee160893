package gqlhttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/internal/contentcoding"
)

// Media types of an incremental response.
const (
	// multipart is for operations with deferred fragments, if the client accepts it
	// (github.com/graphql/graphql-over-http/blob/main/rfcs/IncrementalDelivery.md).
	multipart = "multipart/mixed"
	// eventStream is for clients that prefer it to all other types. It follows the protocol of
	// graphql-sse in its distinct connections mode.
	eventStream = "text/event-stream"
)

// deferSpec is the version of @defer that clients mean by multipart/mixed. Apollo Client, urql,
// Relay and GraphiQL support this version, of August 2022.
const deferSpec = "20220824"

// framing is the text around the parts of an incremental response. Clients process a part when
// they see the boundary after it, so it is written together with the part.
type framing struct {
	contentType               string
	begin, before, after, end string
	// keepAlive is the keep-alive text; empty if the framing has none.
	keepAlive string
}

var framings = map[string]*framing{
	multipart: {
		contentType: multipart + `;boundary="-";deferSpec=` + deferSpec,
		begin:       "\r\n---\r\n",
		before:      "content-type: application/json; charset=utf-8\r\n\r\n",
		after:       "\r\n---\r\n",
		end:         "\r\n-----\r\n",
	},
	eventStream: {
		contentType: eventStream + "; charset=utf-8",
		before:      "event: next\ndata: ",
		after:       "\n\n",
		end:         "\n\nevent: complete\ndata:\n\n",
		keepAlive:   ":\n\n",
	},
}

// keepAliveInterval is the longest silence in an event stream. Proxies commonly close a connection
// after a minute without data, some after 15 seconds.
const keepAliveInterval = 10 * time.Second

// maxBuffered is the number of responses that are buffered before they are written.
const maxBuffered = 256

// incrementally reports whether to answer an operation incrementally, and returns the context for
// it.
func (a *answer) incrementally(ctx context.Context, op *graphql.OperationContext) (context.Context, bool) {
	if a.parts == "" {
		return ctx, false
	}
	ctx, deferred := a.InParts(ctx, op)
	return ctx, deferred || a.parts == eventStream
}

// sendIncrementally executes an operation and writes its responses as they arrive. It returns only
// after the execution has ended.
func (a *answer) sendIncrementally(ctx context.Context, op *graphql.OperationContext) {
	ctx, cancel := context.WithCancel(ctx)
	responses := make(chan *graphql.Response, maxBuffered)
	defer func() {
		cancel()
		for range responses { // until the execution has ended
		}
	}()
	go a.produce(ctx, op, responses)
	idle := time.NewTicker(keepAliveInterval)
	defer idle.Stop()
	var out *parts
	begun, ended := false, false
	open := func() *parts {
		if out == nil {
			out = a.openParts()
		}
		return out
	}
	defer func() {
		if out != nil {
			out.close()
		}
	}()
	for {
		select {
		case response := <-responses:
			switch {
			case response == nil: // cancelled
				abortIfIncomplete(out, ended)
				return
			case out == nil && a.parts == multipart && response.HasNext == nil:
				made := a.encodeComplete(response)
				made.cacheable = made.cacheable && op.Operation.Operation == ast.Query
				a.send(made)
				return
			case !begun:
				begun, ended = true, !hasMore(response)
				open().write(encodePart(response), ended)
			default:
				runtime.Gosched() // let other finished responses join this part
				var part []byte
				part, ended = encodeIncremental(response, responses)
				open().write(part, ended)
			}
			idle.Reset(keepAliveInterval)
		case <-idle.C:
			if idle := framings[a.parts].keepAlive; idle != "" {
				_ = open().writeAndFlush(idle)
			}
		case <-ctx.Done():
			abortIfIncomplete(out, ended)
			return
		}
	}
}

// abortIfIncomplete aborts the connection if an incremental response is incomplete. The client may
// have closed only its own side, and must not mistake the response for a complete one.
func abortIfIncomplete(out *parts, ended bool) {
	if out != nil && !ended {
		panic(http.ErrAbortHandler)
	}
}

// produce executes an operation and sends its responses to the channel.
func (a *answer) produce(ctx context.Context, op *graphql.OperationContext, responses chan<- *graphql.Response) {
	defer close(responses)
	hand := func(response *graphql.Response) {
		select {
		case responses <- response:
		case <-ctx.Done():
		}
	}
	defer func() {
		if v := recover(); v != nil {
			hand(a.panicResponse(ctx, v))
		}
	}()
	next, ctx := a.Executor.DispatchOperation(ctx, op)
	for goesOn := true; goesOn; {
		response := next(ctx)
		if response == nil {
			return
		}
		goesOn = hasMore(response) // read it first: the receiver owns the response
		hand(response)
	}
}

// hasMore reports whether further responses follow.
func hasMore(response *graphql.Response) bool { return response.HasNext != nil && *response.HasNext }

// sendEvent sends a response as a single event.
func (a *answer) sendEvent(response *graphql.Response) {
	out := a.openParts()
	defer out.close()
	out.write(encodePart(response), true)
}

// parts writes the parts of an incremental response, and flushes each at once.
type parts struct {
	*framing
	w           io.Writer
	flush       []func() error
	closeCoding func()
	recording   *recording // nil without one
}

// openParts begins an incremental response.
func (a *answer) openParts() *parts {
	a.written = true
	p := &parts{framing: framings[a.parts], w: a.w, recording: a.recording}
	header := a.w.Header()
	header["Vary"] = append(header["Vary"], "Accept, Accept-Encoding") // after CORS's
	header["X-Content-Type-Options"] = noSniff
	header["Cache-Control"] = noStore
	header["X-Accel-Buffering"] = []string{"no"} // for nginx as a reverse proxy
	header["Content-Type"] = []string{p.contentType}
	if coding := contentcoding.Negotiate(a.r.Header["Accept-Encoding"]); coding != nil {
		header["Content-Encoding"] = []string{coding.Name}
		packed := coding.NewWriter(a.w)
		p.w, p.flush = packed, append(p.flush, packed.Flush)
		p.closeCoding = func() {
			_ = packed.Close()
			coding.Free(packed)
		}
	}
	p.flush = append(p.flush, http.NewResponseController(a.w).Flush)
	a.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(p.w, p.begin)
	return p
}

// write writes a part, and after the last one the end of the response.
func (p *parts) write(part []byte, last bool) {
	after := p.after
	if last {
		after = p.end
	}
	p.recording.add(p.before, string(part), after)
	_ = p.writeAndFlush(p.before, string(part), after)
}

// writeAndFlush writes and flushes texts. The request's context reports a disconnected client as well, but
// not one that stays connected and does not read.
func (p *parts) writeAndFlush(texts ...string) error {
	for _, text := range texts {
		if _, err := io.WriteString(p.w, text); err != nil {
			return err
		}
	}
	for _, flush := range p.flush {
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) close() {
	if p.closeCoding != nil {
		p.closeCoding()
	}
}

// encodePart encodes the first part, which is the complete response if HasNext is not set.
func encodePart(response *graphql.Response) []byte {
	response.Errors = firstErrors(response.Errors, maxFieldErrors)
	_, part := encode(http.StatusOK, response)
	return part
}

// encodeIncremental encodes a part with a response and all further responses that are ready. It
// reports whether it is the last part.
func encodeIncremental(response *graphql.Response, ready <-chan *graphql.Response) (part []byte, last bool) {
	rest := new(graphql.Response)
	var items []byte
	for response != nil {
		last = !hasMore(response)
		rest.Extensions = response.Extensions
		if response.Path == nil {
			rest.Errors = append(rest.Errors, response.Errors...)
		} else {
			response.HasNext, response.Extensions = nil, nil
			if len(items) > 0 {
				items = append(items, ',')
			}
			items = append(items, encodePart(response)...)
		}
		select {
		case response = <-ready: // nil if the channel is closed
		default:
			response = nil
		}
	}
	rest.HasNext = new(!last)
	part = encodePart(rest)
	if len(items) == 0 {
		return part, last
	}
	return append(append(append([]byte(`{"incremental":[`), items...), "],"...), bytes.TrimPrefix(part, []byte("{"))...), last
}

// writesParts reports whether funnelgraph can write incremental responses with a media type.
func writesParts(media string, params map[string]string) bool {
	switch media {
	case eventStream:
		return true
	case multipart: // also used for other versions and for subscriptions
		spec, given := params["deferspec"]
		return (!given || spec == deferSpec) && params["incrementalspec"] == "" && params["subscriptionspec"] == ""
	}
	return false
}
