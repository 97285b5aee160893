package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// heldCalls is a [http.RoundTripper] whose calls last until they are released or cancelled.
type heldCalls struct {
	mu       sync.Mutex
	calls    int
	canceled int
	release  chan struct{}
}

func (t *heldCalls) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.calls++
	n, release := t.calls, t.release
	t.mu.Unlock()
	select {
	case <-release:
	case <-r.Context().Done():
		t.mu.Lock()
		t.canceled++
		t.mu.Unlock()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"N": {fmt.Sprint(n)}}, Body: io.NopCloser(strings.NewReader(r.Header.Get("Authorization") + r.URL.Path))}, nil
}

// newRequest returns a request for a path of one host, with a token.
func newRequest(method, path, who string) *Request {
	return &Request{Method: method, URL: "https://example.com" + path, Idempotent: method == http.MethodGet, Credential: NewCredential(who), Header: http.Header{"Authorization": {who}}}
}

// flights returns the number of calls that can be joined.
func flights(c *coalescer) (n int) {
	c.group.Forget(func(flightKey) bool { n++; return false })
	return n
}

// TestIdenticalReadsShareOneCall checks that identical GETs in flight share a call, and that other
// calls do not.
func TestIdenticalReadsShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &heldCalls{release: make(chan struct{})}
		c := &coalescer{retrier: newRetrier(Config{RoundTripper: next, CallTimeout: 10 * time.Second, MaxBody: 1000}, nil)}
		var wait sync.WaitGroup
		for i := range 64 {
			wait.Go(func() {
				who, path := fmt.Sprint("who", i%4), fmt.Sprint("/path", i%2)
				a, err := c.do(t.Context(), newRequest(http.MethodGet, path, who))
				if err != nil {
					t.Error(err)
					return
				}
				if string(a.Body) != who+path {
					t.Errorf("%s asked for %s and got %s", who, path, a.Body)
				}
			})
		}
		synctest.Wait()
		close(next.release)
		wait.Wait()
		if next.calls != 4 { // i%4 determines i%2
			t.Errorf("%d calls, want 4", next.calls)
		}
		if kept := flights(c); kept != 0 {
			t.Errorf("%d flights are kept", kept)
		}
		// Finished calls are not joined.
		if _, err := c.do(t.Context(), newRequest(http.MethodGet, "/path0", "who0")); err != nil || next.calls != 5 {
			t.Errorf("%v after %d calls", err, next.calls)
		}
		for range 2 {
			if _, err := c.do(t.Context(), newRequest(http.MethodPost, "/path0", "who0")); err != nil {
				t.Error(err)
			}
		}
		if next.calls != 7 {
			t.Errorf("writes were shared: %d calls", next.calls)
		}
	})
}

// TestCallIsCancelledWhenLastCallerLeaves cancels callers one by one. The others get a response;
// the call is cancelled with the last one.
func TestCallIsCancelledWhenLastCallerLeaves(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			next := &heldCalls{release: make(chan struct{})}
			c := &coalescer{retrier: newRetrier(Config{RoundTripper: next, CallTimeout: 10 * time.Second, MaxBody: 1000}, nil)}
			const callers = 5
			errs := make([]error, callers)
			cancels := make([]context.CancelFunc, callers)
			var wait sync.WaitGroup
			for i := range callers {
				var ctx context.Context
				ctx, cancels[i] = context.WithCancel(t.Context())
				wait.Go(func() { _, errs[i] = c.do(ctx, newRequest(http.MethodGet, "/", "me")) })
				synctest.Wait() // the first caller starts the call
			}
			for i := range callers {
				if i < callers-1 || all {
					cancels[i]()
				}
			}
			synctest.Wait()
			if all != (next.canceled == 1) {
				t.Errorf("all cancelled %v: %d calls cancelled", all, next.canceled)
			}
			close(next.release)
			wait.Wait()
			if (errs[callers-1] == nil) == all || !errors.Is(errs[0], context.Canceled) || next.calls != 1 {
				t.Errorf("all cancelled %v: %d calls, errors %v", all, next.calls, errs)
			}
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

// TestSharedCallTimesOut checks that a call without a response ends in time, however many callers
// join it later.
func TestSharedCallTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &heldCalls{release: make(chan struct{})}
		c := &coalescer{retrier: newRetrier(Config{RoundTripper: next, CallTimeout: 10 * time.Second, MaxBody: 1000}, nil)}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				_, err := c.do(t.Context(), newRequest(http.MethodGet, "/", "me"))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
			time.Sleep(3 * time.Second)
		}
		wait.Wait()
		if next.calls != 2 || next.canceled != 2 { // a slow failure is retried once
			t.Errorf("%d calls, %d cancelled", next.calls, next.canceled)
		}
	})
}

// TestReadsAfterWriteJoinNoEarlierCall starts reads before, during and after a write. None after it
// joins an earlier call, on its host or with its credential. Others keep sharing calls.
func TestReadsAfterWriteJoinNoEarlierCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &heldCalls{release: make(chan struct{})}
		c := &coalescer{retrier: newRetrier(Config{RoundTripper: next, CallTimeout: 10 * time.Second, MaxBody: 1000}, nil)}
		var wait sync.WaitGroup
		calls := func(method, who, host string, want int) {
			t.Helper()
			wait.Go(func() {
				r := newRequest(method, "/"+host, who)
				r.Host = host
				if _, err := c.do(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			next.mu.Lock()
			defer next.mu.Unlock()
			if next.calls != want {
				t.Errorf("%d calls, want %d", next.calls, want)
			}
		}
		calls(http.MethodGet, "me", "acme", 1)
		calls(http.MethodGet, "me", "acme", 1)
		calls(http.MethodGet, "you", "acme", 2)
		calls(http.MethodGet, "me", "books", 3)
		calls(http.MethodGet, "you", "books", 4)
		calls(http.MethodPost, "me", "acme", 5)
		calls(http.MethodGet, "me", "acme", 6)
		calls(http.MethodGet, "you", "acme", 6)
		calls(http.MethodGet, "me", "books", 7)
		calls(http.MethodGet, "you", "books", 7)
		before := next.release
		next.mu.Lock()
		next.release = make(chan struct{}) // later calls last longer
		next.mu.Unlock()
		calls(http.MethodGet, "me", "acme", 7)
		calls(http.MethodGet, "them", "acme", 8)
		calls(http.MethodGet, "them", "books", 9)
		close(before)
		synctest.Wait()
		calls(http.MethodGet, "me", "acme", 10)
		calls(http.MethodGet, "them", "acme", 11)
		calls(http.MethodGet, "them", "books", 11)
		close(next.release)
		wait.Wait()
		if kept := flights(c); kept != 0 {
			t.Errorf("%d flights are kept", kept)
		}
	})
}

// TestRefusedWritesChangeNothing counts changes: a write that ClickFunnels refuses is none.
func TestRefusedWritesChangeNothing(t *testing.T) {
	for status, changed := range map[int]bool{200: true, 204: true, 401: false, 422: false, 500: true} {
		next := &numberedTransport{status: status}
		c := &coalescer{retrier: newRetrier(Config{RoundTripper: next, CallTimeout: time.Second, MaxBody: 1000, Attempts: 1}, nil)}
		if _, err := c.do(t.Context(), newRequest(http.MethodPost, "/", "me")); err != nil {
			t.Fatal(err)
		}
		if got := c.changes.Load() > 0; got != changed {
			t.Errorf("status %d: changed: %t", status, got)
		}
	}
}
