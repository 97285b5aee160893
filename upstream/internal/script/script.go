// Package script simulates hosts for the tests of the REST client and its transport.
package script

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"
)

// Hosts is a [http.RoundTripper] that plays the scripted steps of each host, one for each call. The
// last step repeats. It is safe for concurrent use. Make one with [New].
type Hosts struct {
	mu    sync.Mutex
	steps map[string][]Step
	calls map[string][]time.Time
	sent  []string
}

// Step is the scripted result of a call.
type Step struct {
	Status     int
	RetryAfter string
	Body       string
	Takes      time.Duration
	Err        error
	// Unconnected reports that the error occurs before there is a connection.
	Unconnected bool
}

// Failures without a response.
var (
	BrokenConnection = Step{Err: io.ErrUnexpectedEOF}
	DialError        = Step{Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}, Unconnected: true}
)

// BadGateway is the page of a proxy that does not reach the host behind it.
const BadGateway = `<html><body>502 Bad Gateway</body></html>`

// New returns hosts without steps. A call to a host without steps panics.
func New() *Hosts {
	return &Hosts{steps: make(map[string][]Step), calls: make(map[string][]time.Time)}
}

// Play replaces the steps of a host.
func (h *Hosts) Play(host string, steps ...Step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps[host] = steps
}

// Calls returns when a host was called.
func (h *Hosts) Calls(host string) []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls[host])
}

// Sent returns the bodies of all calls.
func (h *Hosts) Sent() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sent)
}

// RoundTrip implements [http.RoundTripper].
func (h *Hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	now := h.next(r)
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && !now.Unconnected {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if now.Takes > 0 { // a timer of no time can crash Go 1.26 with synctest and the race detector
		select {
		case <-time.After(now.Takes):
		case <-r.Context().Done():
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if now.Err != nil {
		return nil, now.Err
	}
	resp := Answer(now.Status, now.Body)
	if now.RetryAfter != "" {
		resp.Header.Set("Retry-After", now.RetryAfter)
	}
	return resp, nil
}

// next records a call, and returns its step.
func (h *Hosts) next(r *http.Request) Step {
	h.mu.Lock()
	defer h.mu.Unlock()
	host := r.URL.Host
	steps := h.steps[host]
	if len(steps) > 1 {
		h.steps[host] = steps[1:]
	}
	h.calls[host] = append(h.calls[host], time.Now())
	if r.Body != nil {
		content, _ := io.ReadAll(r.Body)
		h.sent = append(h.sent, string(content))
	}
	return steps[0]
}

// Func is a function as a [http.RoundTripper].
type Func func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f Func) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Answer returns a response with a body.
func Answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}
