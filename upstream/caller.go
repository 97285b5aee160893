package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// caller makes calls, again where that is safe and may help: at a pace that
// ClickFunnels bears, not to a host that is dead, and not for longer than anybody
// waits. It is safe for concurrent use.
type caller struct {
	next     http.RoundTripper
	template urlTemplate
	timeout  time.Duration // of one attempt, the reading of the answer included
	maxBody  int64
	most     int // attempts at a call
	lanes    *lanes
	hosts    hosts
	attempts failsafe.Executor[*attempt]
	observer Observer
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
	long     = time.Second
	veryLong = 5 * time.Second
	maxLong  = 2
)

func newCaller(next http.RoundTripper, template urlTemplate, cfg Config) *caller {
	most := cmp.Or(cfg.Attempts, DefaultAttempts)
	return &caller{
		next: next, template: template,
		timeout: cmp.Or(cfg.CallTimeout, 30*time.Second), maxBody: cmp.Or(cfg.MaxBody, 16<<20), most: most,
		observer: cfg.Observer,
		lanes:    newLanes(cmp.Or(cfg.FilteredReads, DefaultFilteredReads), cfg.Replicas), hosts: newHosts(),
		attempts: failsafe.With(retrypolicy.NewBuilder[*attempt]().
			HandleIf(func(a *attempt, _ error) bool { return a != nil && a.again }).
			WithMaxAttempts(most).
			WithDelayFunc(func(e failsafe.ExecutionAttempt[*attempt]) time.Duration { return e.LastResult().wait }).
			ReturnLastFailure().
			Build()),
	}
}

// attempt is one attempt at a call, and what is made of it.
type attempt struct {
	resp *http.Response
	body *buffer
	err  error
	// waited is how long it waited for the pace, and took how long it took then.
	waited, took time.Duration
	// arrived says that it may have reached ClickFunnels.
	arrived bool
	// reused says that it went over a connection that was used before.
	reused bool

	again bool
	wait  time.Duration // before that
}

// do makes a call and reads the answer to its end. until tells by when it has to be
// done, which may change; zero is never.
func (c *caller) do(req *http.Request, until func() time.Time) (*http.Response, *buffer, error) {
	key := c.hostKey(req)
	h := c.hosts.of(key)
	through, leave := c.lanes.through(key, strings.Contains(req.URL.RawQuery, filterKey))
	defer leave()
	h.retries.call()
	most := c.most
	if isOnce(req.Context()) {
		most = 1
	}
	written := writeOf(req.Context())
	var slow, tried int
	try := func() *attempt {
		tried++
		a := c.attempt(req, h, through, until())
		switch {
		case a.took >= veryLong:
			slow += 2
		case a.took >= long || a.status() == http.StatusInternalServerError:
			slow++
		}
		if written != nil {
			written.doubtful = written.doubtful || a.doubtful()
		}
		if slow <= maxLong && tried < most {
			c.decide(req, h, a, tried, until())
		}
		return a
	}
	last := try()
	if !last.again { // nearly always
		return last.resp, last.body, last.err
	}
	first := true
	_, err := c.attempts.WithContext(req.Context()).Get(func() (*attempt, error) {
		if !first {
			last.body.free()
			last = try()
		}
		first = false
		return last, nil
	})
	if err != nil && last.again { // given up while it waited for the next attempt
		last.body.free()
		return nil, nil, err
	}
	return last.resp, last.body, last.err
}

func (c *caller) hostKey(req *http.Request) hostKey {
	return hostKey{digest(req.Header.Get("Authorization")), c.template.subdomain(req.URL)}
}

// mayRepeat reports whether a call may be repeated by the client itself, and counts that.
func (c *caller) mayRepeat(authorization, subdomain string) bool {
	if !c.template.perWorkspace {
		subdomain = ""
	}
	h := c.hosts.of(hostKey{digest(authorization), subdomain})
	return c.most > 1 && h.retries.take(time.Now(), 1+retryShare) // do counts it as a first call
}

type onceKey struct{}

// once returns a context whose calls are attempted once.
func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func isOnce(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// decide says whether and when a call is attempted again.
func (c *caller) decide(req *http.Request, h *host, a *attempt, tried int, until time.Time) {
	if !a.failed() || req.Context().Err() != nil || a.doubtful() && !repeatable(req) {
		return
	}
	a.wait = rand.N(min(maxBackoff, firstBackoff<<min(tried-1, 10))) //nolint:gosec // nothing secret
	if asked := a.asked(); asked > 0 {
		a.wait = asked
	}
	now := time.Now()
	if !until.IsZero() && now.Add(a.wait).After(until) || !h.retries.take(now, 1) {
		return
	}
	a.again = true
}

// attempt makes a call once.
func (c *caller) attempt(req *http.Request, h *host, through []*lane, until time.Time) *attempt {
	if err := h.dead(); err != nil {
		return &attempt{err: err}
	}
	came := time.Now()
	for i, l := range through {
		if err := l.enter(req.Context(), until); err != nil {
			for _, entered := range through[:i] {
				entered.leave(time.Now(), silent)
			}
			return &attempt{err: err}
		}
	}
	began, a := time.Now(), new(attempt) // which tells nothing if it comes to a panic
	defer func() {
		for _, l := range through {
			l.leave(began, a.outcome())
		}
	}()
	if !h.breaker.TryAcquirePermit() {
		a.err = dead(h.breaker.RemainingDelay())
		return a
	}
	probed := false
	defer func() {
		// Who gives up early says little of a host; who has waited for long does.
		given := req.Context().Err() != nil && a.took < veryLong
		switch {
		case !probed || a.dead() && (h.breaker.IsHalfOpen() || !given && !a.lost()):
			h.breaker.RecordFailure()
		case !a.dead():
			h.breaker.RecordSuccess()
		}
	}()
	a = c.roundTrip(req)
	a.waited, a.took = began.Sub(came), time.Since(began)
	probed = true
	c.tell(req, a)
	if asked := a.asked(); a.outcome() == refused && asked > 0 {
		through[0].rest(asked)
	}
	return a
}

// tell tells of an attempt whoever wants to know.
func (c *caller) tell(req *http.Request, a *attempt) {
	status := a.status()
	if c.observer.Attempted != nil {
		c.observer.Attempted(Attempt{Accounts: c.template.subdomain(req.URL) == accounts, Status: status, Waited: a.waited, Took: a.took})
	}
	if span := spanOf(req.Context()); span.IsRecording() && (a.failed() || a.waited > longWait) {
		span.AddEvent("attempt", trace.WithAttributes(attribute.Int("http.response.status_code", status),
			attribute.Int64("funnelgraph.waited_ms", a.waited.Milliseconds()), attribute.Int64("funnelgraph.took_ms", a.took.Milliseconds())))
	}
}

// longWait is how long a call has to wait for the pace for its span to say so.
const longWait = time.Millisecond

func (c *caller) roundTrip(req *http.Request) *attempt {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	a := new(attempt)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(conn httptrace.GotConnInfo) {
		a.reused = conn.Reused
		a.arrived = true // without a connection nothing can have arrived; with one, nobody knows
	}})
	sent := req.WithContext(ctx)
	if req.GetBody != nil {
		sent.Body, a.err = req.GetBody()
	}
	if a.err == nil {
		a.resp, a.err = c.next.RoundTrip(sent) //nolint:bodyclose // below
	}
	if a.err != nil {
		return a
	}
	a.arrived = true
	defer func() { _ = a.resp.Body.Close() }()
	body := io.Reader(a.resp.Body)
	if a.resp.StatusCode > 299 {
		body = io.LimitReader(body, maxErrorBody+1) // more is not looked at
	}
	a.body, a.err = readBody(body, c.maxBody)
	return a
}

// status is that of the answer, 0 without one.
func (a *attempt) status() int {
	if a.err != nil || a.resp == nil {
		return 0
	}
	return a.resp.StatusCode
}

// failed reports whether the same call may go better another time.
func (a *attempt) failed() bool {
	if a.err == nil {
		switch a.status() {
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
	switch s := a.status(); s {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 530:
		return true
	default:
		return s >= 520 && s <= 527
	}
}

// doubtful reports whether nobody can know if the call has done what it was to do.
func (a *attempt) doubtful() bool {
	if a.err != nil {
		return a.arrived
	}
	s := a.status()
	return s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly
}

// dead reports whether the attempt says that the host is.
func (a *attempt) dead() bool {
	if a.err == nil {
		return a.unavailable()
	}
	return a.err != errBodyTooLarge //nolint:errorlint // it is never wrapped
}

// lost reports whether the connection broke, which can fail many calls at the same moment
// and says nothing about the host: the next attempts use another connection. A host that
// breaks new connections, or does not answer in time, is dead all the same.
func (a *attempt) lost() bool {
	return a.err != nil && a.reused && !errors.Is(a.err, context.DeadlineExceeded)
}

func (a *attempt) outcome() outcome {
	switch a.status() {
	case 0:
		return silent
	case http.StatusTooManyRequests:
		return refused
	}
	return answered
}

// asked is how long ClickFunnels asks to wait, 0 if it does not say.
func (a *attempt) asked() time.Duration {
	if s := a.status(); s != http.StatusTooManyRequests && s != http.StatusServiceUnavailable {
		return 0
	}
	if wait := retryAfter(a.resp.Header.Get("Retry-After"), time.Now()); wait > 0 {
		return wait
	}
	return waitIn(a.body.Bytes())
}

// repeatable reports whether a call that may have been carried out can be made again
// without harm (API.md §4).
func repeatable(req *http.Request) bool {
	if req.Method == http.MethodGet {
		return true
	}
	w := writeOf(req.Context())
	return w != nil && w.repeatable
}
