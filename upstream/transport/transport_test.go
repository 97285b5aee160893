package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
)

// caller makes calls with one token.
type caller struct {
	*Transport
	token string
}

func newCaller(cfg Config) caller { return caller{New(cfg, nil), "secret"} }

// newScriptedCaller returns a caller with the given steps for the host "api".
func newScriptedCaller(cfg Config, steps ...script.Step) (caller, *script.Hosts) {
	s := script.New()
	s.Play("api", steps...)
	cfg.RoundTripper = s
	return newCaller(cfg), s
}

// as returns a caller with another token.
func (c caller) as(token string) caller { return caller{c.Transport, token} }

// statusError is the error of a response with another status than 2xx.
type statusError struct {
	status     int
	retryAfter time.Duration
}

func (e *statusError) Error() string { return status(e.status).Error() }

func (e *statusError) Is(target error) bool { return target == status(e.status) }

// status is a status as the target of errors.Is.
type status int

func (s status) Error() string { return "status " + strconv.Itoa(int(s)) }

// request returns a request as the REST client makes it.
func (c caller) request(ctx context.Context, method, host, path string) *Request {
	header := http.Header{"Authorization": {"Bearer " + c.token}}
	return &Request{
		Method: method, URL: "https://" + host + path, Host: host, Header: header, Credential: NewCredential(header.Get("Authorization")),
		Idempotent: method == http.MethodGet, Allowance: AllowanceOf(ctx),
	}
}

// get reads a path of a host.
func (c caller) get(ctx context.Context, host, path string) error {
	return c.do(ctx, c.request(ctx, http.MethodGet, host, path))
}

// do makes a call. Its error is a [*statusError] unless the status is 2xx.
func (c caller) do(ctx context.Context, r *Request) error {
	resp, err := c.Do(ctx, r)
	defer resp.Free()
	switch {
	case err != nil:
		return err
	case resp.Status > 299:
		return &statusError{resp.Status, resp.RetryAfter()}
	}
	resp.Decoded()
	return nil
}

// fetch reads n different paths of the host "api" in parallel. It returns the number of failures and
// the duration.
func (c caller) fetch(ctx context.Context, n int, filtered bool) (failed int, took time.Duration) {
	began := time.Now()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range n {
		wait.Go(func() {
			r := c.request(ctx, http.MethodGet, "api", fmt.Sprint("/", rand.Uint64()))
			r.Filtered = filtered
			if err := c.do(ctx, r); err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return failed, time.Since(began)
}

func repeat[T any](n int, v T) []T { return slices.Repeat([]T{v}, n) }

var (
	good             = script.Step{Status: http.StatusOK, Body: `{}`}
	brokenConnection = script.BrokenConnection
	dialError        = script.DialError
)
