package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// retrier makes calls, and retries them where that is safe and useful. It respects the concurrency
// limiters and circuit breakers, and stops when no caller waits any more. It is safe for concurrent
// use.
type retrier struct {
	next        http.RoundTripper
	timeout     time.Duration // of one attempt, including reading the body
	maxBody     int64
	maxAttempts int // of one call
	limiters    *limiters
	health      healthByHost
	attempted   func(Attempt) // may be nil
}

// DefaultAttempts is the default maximum number of attempts at a call. If one attempt in five
// fails, one call in 400,000 still fails after eight attempts.
const DefaultAttempts = 8

const (
	// The backoff before the next attempt is random, below a bound that doubles.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// Slow failures and statuses that are likely to recur are retried less often. Each attempt that
	// takes at least slowFailure, or is answered 500, counts once. Each that takes at least
	// verySlowFailure, or says that a stored filter took too long, counts twice. More than
	// maxSlowFailures end the call.
	slowFailure     = time.Second
	verySlowFailure = 5 * time.Second
	maxSlowFailures = 2
)

func newRetrier(cfg Config, attempted func(Attempt)) *retrier {
	return &retrier{
		next: cfg.RoundTripper, attempted: attempted,
		timeout: cmp.Or(cfg.CallTimeout, 30*time.Second), maxBody: cmp.Or(cfg.MaxBody, 16<<20), maxAttempts: cmp.Or(cfg.Attempts, DefaultAttempts),
		limiters: newLimiters(cmp.Or(cfg.FilteredReads, DefaultFilteredReads), cfg.Replicas), health: newHealthByHost(),
	}
}

// attempt is one attempt at a call, with its result.
type attempt struct {
	Response
	err error
	// waited is the time in the limiters' queues. took is the time after that.
	waited, took time.Duration
	// mayHaveArrived reports whether the request may have reached ClickFunnels.
	mayHaveArrived bool
	// reused reports whether the connection had been used before.
	reused bool
	stored bool // see [Request.Stored]
}

// do makes a call and reads the whole response. deadline returns the time by which the call must
// end; it may change, and zero means no deadline. With an error, only the field Uncertain of the
// response is valid.
func (c *retrier) do(ctx context.Context, r *Request, deadline func() time.Time) (Response, error) {
	key := hostKey{r.Credential, r.Host}
	h := c.health.get(key)
	path, leave := c.limiters.forCall(key, r.Filtered)
	defer leave()
	h.retries.deposit()
	uncertain := false
	for tried, slow := 1, 0; ; tried++ {
		a := c.attempt(ctx, r, h, path, deadline())
		uncertain = uncertain || a.uncertainOutcome()
		a.Uncertain = uncertain
		switch {
		case a.took >= verySlowFailure || a.filterTooSlow():
			slow += 2
		case a.took >= slowFailure || a.Status == http.StatusInternalServerError:
			slow++
		}
		if r.NoRetry || tried == c.maxAttempts || slow > maxSlowFailures || ctx.Err() != nil || !a.retryable() || a.uncertainOutcome() && !r.Idempotent {
			return a.Response, a.err
		}
		wait := a.requestedWait()
		if wait == 0 {
			wait = rand.N(min(maxBackoff, firstBackoff<<min(tried-1, 10))) //nolint:gosec // nothing secret
		}
		now := time.Now()
		if limit := deadline(); !limit.IsZero() && now.Add(wait).After(limit) || !h.retries.withdraw(now, 1) {
			return a.Response, a.err
		}
		a.Free()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Response{Uncertain: uncertain}, context.Cause(ctx)
		}
	}
}

// allowRetry is [Transport.AllowRetry].
func (c *retrier) allowRetry(r *Request) bool {
	h := c.health.get(hostKey{r.Credential, r.Host})
	return c.maxAttempts > 1 && h.retries.withdraw(time.Now(), 1+retryShare) // do deposits it as a first call
}

// attempt makes one attempt at a call.
func (c *retrier) attempt(ctx context.Context, r *Request, h *hostHealth, path []*limiter, deadline time.Time) *attempt {
	a := &attempt{stored: r.Stored}
	if err := h.openError(); err != nil {
		a.err = err
		return a
	}
	queuedAt := time.Now()
	for i, l := range path {
		if a.err = l.acquire(ctx, r.Allowance, deadline); a.err != nil {
			for _, entered := range path[:i] {
				entered.release(time.Now(), outcomeUnknown)
			}
			return a
		}
	}
	began, called := time.Now(), false
	defer func() {
		for _, l := range path {
			l.release(began, a.outcome())
		}
	}()
	if !h.breaker.TryAcquirePermit() {
		a.err = breakerError(h.breaker.RemainingDelay())
		return a
	}
	defer func() {
		// A caller that cancels early says little about the host. One that has waited for
		// verySlowFailure does.
		gaveUp := ctx.Err() != nil && a.took < verySlowFailure
		switch {
		case !called || a.hostFailure() && (h.breaker.IsHalfOpen() || !gaveUp && !a.connectionLost()):
			h.breaker.RecordFailure()
		case !a.hostFailure():
			h.breaker.RecordSuccess()
		}
	}()
	a.err = c.exchange(ctx, r, a)
	a.waited, a.took = began.Sub(queuedAt), time.Since(began)
	called = true
	c.report(r, a)
	if wait := a.requestedWait(); a.outcome() == outcomeRefused && wait > 0 {
		path[0].pauseFor(wait)
	}
	return a
}

// report notifies the observer of an attempt, and adds an event to the span.
func (c *retrier) report(r *Request, a *attempt) {
	if c.attempted != nil {
		c.attempted(Attempt{Host: r.Host, Status: a.Status, Waited: a.waited, Took: a.took})
	}
	if r.recording() && (a.retryable() || a.waited > minReportedWait) {
		r.Span.AddEvent("attempt", trace.WithAttributes(attribute.Int("http.response.status_code", a.Status),
			attribute.Int64("funnelgraph.waited_ms", a.waited.Milliseconds()), attribute.Int64("funnelgraph.took_ms", a.took.Milliseconds())))
	}
}

// minReportedWait is the shortest wait in a limiter that a span records.
const minReportedWait = time.Millisecond

// exchange sends a request and reads the response into a.
func (c *retrier) exchange(ctx context.Context, r *Request, a *attempt) error {
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		a.reused = conn.Reused
		a.mayHaveArrived = true // nothing can arrive without a connection; with one, the request may have
	}}), c.timeout)
	defer cancel()
	var content io.Reader
	if r.Body != nil {
		content = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, content)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidRequest, withoutURL(err))
	}
	req.Header = r.Header
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a.mayHaveArrived = true
	limit := c.maxBody + 1
	if resp.StatusCode > 299 {
		limit = min(limit, MaxErrorBody+1) // the rest is not read
	}
	b := buffers.Get().(*bytes.Buffer)
	a.buffer = b
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit)); err != nil {
		return err
	}
	if int64(b.Len()) > c.maxBody {
		return &BodyTooLargeError{c.maxBody}
	}
	a.Status, a.Header, a.Body = resp.StatusCode, resp.Header, b.Bytes()
	return nil
}

// buffers pools the buffers of bodies until they are decoded; bodies of shared calls are not
// returned. Without the pool, an unshared nested query of 16 calls allocates 642 KB instead of 361
// KB.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// MaxErrorBody is how much of an error's body is of use, in bytes. One more byte is read, which tells
// that the body is longer.
const MaxErrorBody = 64 << 10

// maxBuffer is the largest pooled buffer, in bytes.
const maxBuffer = 1 << 20

// Free returns the response's buffer, if any, to the pool. The body must not be used afterwards.
func (r *Response) Free() {
	if r.buffer != nil && r.buffer.Cap() <= maxBuffer {
		r.buffer.Reset()
		buffers.Put(r.buffer)
	}
	r.buffer = nil
}

// retryable reports whether another attempt at the same call may succeed.
func (a *attempt) retryable() bool {
	if a.err == nil {
		switch a.Status {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusRequestTimeout, http.StatusTooEarly:
			return true
		}
		return a.unavailable()
	}
	_, refused := errors.AsType[*RefusedError](a.err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](a.err)
	return !refused && !untrusted && !a.tooLarge() && !errors.Is(a.err, ErrInvalidRequest) && !errors.Is(a.err, context.Canceled)
}

// unavailable reports whether the status says that the host is down (clickfunnels-api.md §4). Cloudflare sends
// 520–527 and 530 when it does not reach the host behind it. A 500, 408 or 425 concerns one call:
// it can be retried, but does not count against the host.
func (a *attempt) unavailable() bool {
	switch s := a.Status; s {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 530:
		return true
	default:
		return s >= 520 && s <= 527
	}
}

// uncertainOutcome reports whether ClickFunnels may or may not have carried the call out.
func (a *attempt) uncertainOutcome() bool {
	if a.err != nil {
		return a.mayHaveArrived
	}
	s := a.Status
	return s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly
}

// hostFailure reports whether the attempt says that the host is down.
func (a *attempt) hostFailure() bool {
	if a.err == nil {
		return a.unavailable() && !a.filterTooSlow()
	}
	return !a.tooLarge()
}

// filterTooSlow reports whether ClickFunnels gave up evaluating a stored filter.
func (a *attempt) filterTooSlow() bool { return a.stored && a.Status == http.StatusServiceUnavailable }

// tooLarge reports whether the body exceeded the limit.
func (a *attempt) tooLarge() bool {
	_, tooLarge := errors.AsType[*BodyTooLargeError](a.err)
	return tooLarge
}

// connectionLost reports whether a reused connection broke. That can fail many calls at once and
// says nothing about the host, because the next attempts use another connection. A host that breaks
// new connections, or does not respond in time, counts as down.
func (a *attempt) connectionLost() bool {
	return a.err != nil && a.reused && !errors.Is(a.err, context.DeadlineExceeded)
}

// outcome returns what the attempt says about the concurrency limit.
func (a *attempt) outcome() outcome {
	switch a.Status {
	case 0:
		return outcomeUnknown
	case http.StatusTooManyRequests:
		return outcomeRefused
	}
	return outcomeAnswered
}

// requestedWait returns how long ClickFunnels asks to wait, 0 if it does not say.
func (a *attempt) requestedWait() time.Duration {
	if s := a.Status; s != http.StatusTooManyRequests && s != http.StatusServiceUnavailable {
		return 0
	}
	return a.RetryAfter()
}
