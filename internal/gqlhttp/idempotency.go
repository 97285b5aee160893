package gqlhttp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/internal/idempotency"
	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// mutate executes a mutation and sends the response. A mutation with an idempotency key is executed
// once.
func (a *answer) mutate(ctx context.Context, p *graphql.RawParams, op *graphql.OperationContext) {
	if a.Keys == nil {
		a.change(ctx, op)
		return
	}
	key, err := idempotency.Key(a.r.Header)
	switch {
	case err != nil:
		a.refuse(http.StatusBadRequest, err.Error())
	case key == "":
		a.change(ctx, op)
	default:
		a.mutateOnce(ctx, p, op, key)
	}
}

// change executes a mutation and sends the response.
func (a *answer) change(ctx context.Context, op *graphql.OperationContext) {
	if ctx, ok := a.incrementally(ctx, op); ok {
		a.sendIncrementally(ctx, op)
		return
	}
	a.send(a.execute(ctx, op))
}

// mutateOnce executes a mutation with a key and sends the response, or sends the first response
// with this key. The execution continues if the client disconnects, so that the client can repeat
// the request.
func (a *answer) mutateOnce(ctx context.Context, p *graphql.RawParams, op *graphql.OperationContext, key string) {
	waiting := ctx
	if !a.until.IsZero() {
		var cancel context.CancelFunc
		waiting, cancel = context.WithDeadline(ctx, a.until)
		defer cancel()
	}
	r := idempotency.Request{Caller: a.Caller(ctx), Key: key, Fingerprint: a.fingerprint(ctx, p, op)}
	first, err := a.Keys.Do(waiting, r, func(ctx context.Context) ([]byte, bool) {
		a.recording = new(recording)
		// Callers without a valid token must not fill the store.
		var written atomic.Bool
		a.change(upstream.WithWritten(ctx, &written), op)
		_ = http.NewResponseController(a.w).Flush() // the client need not wait until it is stored
		return a.recording.encode(), written.Load()
	})
	if err != nil {
		a.refuseKey(ctx, op, err)
		return
	}
	if first != nil {
		a.replay(graphql.WithOperationContext(ctx, op), first)
	}
}

// fingerprint identifies a mutation and the form of its response. It covers the document's text,
// whether the request has sent it or its hash. It does not depend on the layout of the JSON body.
func (a *answer) fingerprint(ctx context.Context, p *graphql.RawParams, op *graphql.OperationContext) [sha256.Size]byte {
	var variables []byte
	if len(p.Variables) > 0 {
		var err error
		if variables, err = json.Marshal(p.Variables); err != nil {
			panic(err) // decoded JSON always marshals
		}
	}
	explained := a.Explained != nil && a.Explained(ctx)
	return transport.Digest(op.RawQuery, op.Operation.Name, string(variables), a.media, a.parts, strconv.FormatBool(explained))
}

// refuseKey responds to a mutation that its idempotency key prevents.
func (a *answer) refuseKey(ctx context.Context, op *graphql.OperationContext, err error) {
	failed, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		panic(err) // Do returns no other errors
	}
	status := map[upstream.Code]int{
		upstream.BadUserInput: http.StatusUnprocessableEntity,
		upstream.Conflict:     http.StatusConflict,
		upstream.RateLimited:  http.StatusTooManyRequests,
		upstream.Unavailable:  http.StatusServiceUnavailable,
	}[failed.Code]
	if failed.RetryAfter > 0 {
		a.w.Header().Set("Retry-After", strconv.Itoa(int(failed.RetryAfter.Seconds())))
	}
	a.refuseOperation(ctx, op, status, gqlerror.List{{Err: failed, Message: failed.Message}})
}

// recording is the response to a mutation with an idempotency key.
type recording struct {
	status int
	// inParts reports that the response is incremental. body is then the text of all parts.
	inParts bool
	body    bytes.Buffer
}

// set records a response in one piece. A nil recording records nothing.
func (r *recording) set(c *content) {
	if r != nil {
		r.status = c.status
		r.body.Write(c.body)
	}
}

// add records the text of a part. Parts of a response that is too large to be kept are left out.
func (r *recording) add(texts ...string) {
	if r != nil && r.body.Len() <= idempotency.MaxAnswer {
		r.status, r.inParts = http.StatusOK, true
		r.body.WriteString(strings.Join(texts, ""))
	}
}

func (r *recording) encode() []byte {
	return append(fmt.Appendf(nil, "%d %t\n", r.status, r.inParts), r.body.Bytes()...)
}

// replay sends a recorded response.
func (a *answer) replay(ctx context.Context, recorded []byte) {
	var status int
	var inParts bool
	head, body, _ := bytes.Cut(recorded, []byte{'\n'})
	if _, err := fmt.Sscan(string(head), &status, &inParts); err != nil {
		panic(err) // it is authenticated
	}
	if a.Replayed != nil {
		a.Replayed(ctx)
	}
	a.w.Header().Set(idempotency.ReplayedHeader, "true")
	if !inParts {
		a.send(&content{status: status, body: body})
		return
	}
	out := a.openParts()
	defer out.close()
	_ = out.writeAndFlush(string(body))
}
