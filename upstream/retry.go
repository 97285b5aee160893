package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// caller makes calls, and makes them again where that is safe and may help. It keeps to the pace
// that ClickFunnels bears, does not call a dead host, and ends when no caller waits any more. It
// is safe for concurrent use.
type retrier struct {
	next        http.RoundTripper
	timeout     time.Duration // of one attempt, the reading of the answer included
	maxBody     int64
	maxAttempts int // attempts at a call
	limiters    *limiters
	health      healthByHost
	observer    Observer
}

// DefaultAttempts is how often a call is made at most: with one attempt in five
// failing, one call in 400,000 is not answered.
const DefaultAttempts = 8

const (
	// The wait before the next attempt is anything up to a bound that doubles.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// A failure that took long, or that is likely to come again, is not repeated as often:
	// each attempt longer than long or answered 500 counts, those longer than veryLong twice.
	slowFailure     = time.Second
	verySlowFailure = 5 * time.Second
	maxSlowFailures = 2
)

func newRetrier(next http.RoundTripper, cfg Config) *retrier {
	return &retrier{
		next: next, observer: cfg.Observer,
		timeout: cmp.Or(cfg.CallTimeout, 30*time.Second), maxBody: cmp.Or(cfg.MaxBody, 16<<20), maxAttempts: cmp.Or(cfg.Attempts, DefaultAttempts),
		limiters: newLimiters(cmp.Or(cfg.FilteredReads, DefaultFilteredReads), cfg.Replicas), health: newHealthByHost(),
	}
}

// attempt is one attempt at a call, and what is made of it.
type attempt struct {
	response
	err error
	// waited is how long it waited for the pace, and took how long it took then.
	waited, took time.Duration
	// arrived says that it may have reached ClickFunnels.
	mayHaveArrived bool
	// reused says that it went over a connection that was used before.
	reused bool
}

// do makes a call and reads the answer to its end. until tells by when it has to be
// done, which may change; zero is never. With an error, the answer only says whether the call
// is doubted.
func (c *retrier) do(ctx context.Context, r *request, deadline func() time.Time) (response, error) {
	key := hostKey{r.credential, r.host}
	h := c.health.get(key)
	path, leave := c.limiters.forCall(key, r.filtered)
	defer leave()
	h.retries.deposit()
	uncertain := false
	for tried, slow := 1, 0; ; tried++ {
		a := c.attempt(ctx, r, h, path, deadline())
		uncertain = uncertain || a.uncertainOutcome()
		a.uncertain = uncertain
		switch {
		case a.took >= verySlowFailure:
			slow += 2
		case a.took >= slowFailure || a.status == http.StatusInternalServerError:
			slow++
		}
		if r.noRetry || tried == c.maxAttempts || slow > maxSlowFailures || ctx.Err() != nil || !a.retryable() || a.uncertainOutcome() && !r.idempotent {
			return a.response, a.err
		}
		wait := a.requestedWait()
		if wait == 0 {
			wait = rand.N(min(maxBackoff, firstBackoff<<min(tried-1, 10))) //nolint:gosec // nothing secret
		}
		now := time.Now()
		if limit := deadline(); !limit.IsZero() && now.Add(wait).After(limit) || !h.retries.withdraw(now, 1) {
			return a.response, a.err
		}
		a.free()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return response{uncertain: uncertain}, context.Cause(ctx)
		}
	}
}

// mayRepeat reports whether the client itself may repeat a call, and counts that.
func (c *retrier) allowRetry(r *request) bool {
	h := c.health.get(hostKey{r.credential, r.host})
	return c.maxAttempts > 1 && h.retries.withdraw(time.Now(), 1+retryShare) // do counts it as a first call
}

// attempt makes a call once.
func (c *retrier) attempt(ctx context.Context, r *request, h *hostHealth, path []*limiter, deadline time.Time) *attempt {
	a := new(attempt)
	if err := h.openError(); err != nil {
		a.err = err
		return a
	}
	queuedAt := time.Now()
	for i, l := range path {
		if a.err = l.acquire(ctx, r.allowance, deadline); a.err != nil {
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
		// Who gives up early says little of a host; who has waited for long does.
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

// report tells observers of an attempt.
func (c *retrier) report(r *request, a *attempt) {
	if c.observer.Attempted != nil {
		c.observer.Attempted(Attempt{Accounts: r.host == accounts, Status: a.status, Waited: a.waited, Took: a.took})
	}
	if r.recording() && (a.retryable() || a.waited > minReportedWait) {
		r.span.AddEvent("attempt", trace.WithAttributes(attribute.Int("http.response.status_code", a.status),
			attribute.Int64("funnelgraph.waited_ms", a.waited.Milliseconds()), attribute.Int64("funnelgraph.took_ms", a.took.Milliseconds())))
	}
}

// longWait is how long a call has to wait for the pace for its span to say so.
const minReportedWait = time.Millisecond

// exchange sends a request and reads the answer.
func (c *retrier) exchange(ctx context.Context, r *request, a *attempt) error {
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		a.reused = conn.Reused
		a.mayHaveArrived = true // without a connection nothing can have arrived; with one, nobody knows
	}}), c.timeout)
	defer cancel()
	var content io.Reader
	if r.body != nil {
		content = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, content)
	if err != nil {
		return &Error{Code: Internal, Message: "The REST call could not be made.", cause: withoutURL(err)}
	}
	req.Header = r.header
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	a.mayHaveArrived = true
	limit := c.maxBody + 1
	if resp.StatusCode > 299 {
		limit = min(limit, maxErrorBody+1) // more is not looked at
	}
	b := buffers.Get().(*bytes.Buffer)
	a.buffer = b
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit)); err != nil {
		return err
	}
	if int64(b.Len()) > c.maxBody {
		return errBodyTooLarge
	}
	a.status, a.header, a.body = resp.StatusCode, resp.Header, b.Bytes()
	return nil
}

// buffers hold bodies until they have been decoded, unless several calls share them. Without
// reuse, an unshared nested query of 16 calls allocates 642 KB instead of 361 KB.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxBuffer is the largest buffer that is kept for reuse, in bytes.
const maxBuffer = 1 << 20

// free gives the answer's buffer back, if it has one. Its body must not be used any more.
func (a *response) free() {
	if a.buffer != nil && a.buffer.Cap() <= maxBuffer {
		a.buffer.Reset()
		buffers.Put(a.buffer)
	}
	a.buffer = nil
}

var errBodyTooLarge = errors.New("body exceeds the limit")

// failed reports whether the same call may go better another time.
func (a *attempt) retryable() bool {
	if a.err == nil {
		switch a.status {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusRequestTimeout, http.StatusTooEarly:
			return true
		}
		return a.unavailable()
	}
	if _, ours := errors.AsType[*Error](a.err); ours || errors.Is(a.err, errBodyTooLarge) || errors.Is(a.err, context.Canceled) {
		return false
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](a.err)
	return !untrusted
}

// unavailable reports whether the answer says that the host is out of order (API.md §4):
// 520–527 and 530 are what Cloudflare answers when it does not reach the host behind it.
// A 500, 408 or 425 concerns the one call: it can be repeated, but the host is not dead.
func (a *attempt) unavailable() bool {
	switch s := a.status; s {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 530:
		return true
	default:
		return s >= 520 && s <= 527
	}
}

// doubtful reports whether nobody can know if the call has done what it was to do.
func (a *attempt) uncertainOutcome() bool {
	if a.err != nil {
		return a.mayHaveArrived
	}
	s := a.status
	return s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly
}

// dead reports whether the attempt says that the host is.
func (a *attempt) hostFailure() bool {
	if a.err == nil {
		return a.unavailable()
	}
	return a.err != errBodyTooLarge //nolint:errorlint // it is never wrapped
}

// lost reports whether the connection broke, which can fail many calls at the same moment
// and says nothing about the host: the next attempts use another connection. A host that
// breaks new connections, or does not answer in time, is dead all the same.
func (a *attempt) connectionLost() bool {
	return a.err != nil && a.reused && !errors.Is(a.err, context.DeadlineExceeded)
}

func (a *attempt) outcome() outcome {
	switch a.status {
	case 0:
		return outcomeUnknown
	case http.StatusTooManyRequests:
		return outcomeRefused
	}
	return outcomeAnswered
}

// asked is how long ClickFunnels asks to wait, 0 if it does not say.
func (a *attempt) requestedWait() time.Duration {
	if s := a.status; s != http.StatusTooManyRequests && s != http.StatusServiceUnavailable {
		return 0
	}
	if wait := retryAfter(a.header.Get("Retry-After"), time.Now()); wait > 0 {
		return wait
	}
	return bodyRetryAfter(a.body)
}
