package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limitedAPI is a [http.RoundTripper] that refuses calls beyond its capacity. Its latency depends
// on the number of calls in flight.
type limitedAPI struct {
	capacity int
	latency  func(running int) time.Duration

	mu                     sync.Mutex
	running, peak, refused int
	calls                  int
}

func (c *limitedAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.running++
	c.calls++
	c.peak = max(c.peak, c.running)
	running := c.running
	over := c.capacity > 0 && running > c.capacity
	if over {
		c.refused++
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
	}()
	if over {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
	}
	select {
	case <-time.After(c.latency(running)):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`[]`))}, nil
}

func always(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

var acme = Place{WorkspaceID: "101", Subdomain: "acme"}

// newLimitedClient returns a client of a limitedAPI.
func newLimitedClient(t *testing.T, next *limitedAPI) *Client {
	t.Helper()
	c, err := New(Config{Transport: next})
	if err != nil {
		t.Fatal(err)
	}
	return c.WithToken("secret")
}

// withOwnAllowance returns the context of a new client request.
func withOwnAllowance(ctx context.Context) context.Context {
	return WithAllowance(ctx, &Allowance{})
}

// fetchPages fetches n different pages in parallel. It returns the number of failures and the
// duration.
func fetchPages(ctx context.Context, c *Client, n int, q Query) (failed int, took time.Duration) {
	began := time.Now()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range n {
		wait.Go(func() {
			q := q
			q.After = fmt.Sprint(rand.Uint64())
			if _, err := c.Contacts(ctx, acme, q); err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return failed, time.Since(began)
}

// TestLimiterFindsCapacity checks that the limiter adapts to an API with a capacity of twelve
// calls: no call fails, few are refused, and the capacity is used.
func TestLimiterFindsCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &limitedAPI{capacity: 12, latency: always(100 * time.Millisecond)}
		c := newLimitedClient(t, api)
		for round := range 20 {
			before := api.refused
			failed, took := fetchPages(withOwnAllowance(t.Context()), c, 100, Query{})
			refused := api.refused - before
			if round < 10 {
				continue
			}
			if failed > 0 || refused > 20 {
				t.Errorf("round %d: %d calls failed, %d were refused", round, failed, refused)
			}
			if took > 3*time.Second { // 0.84 s at the exact capacity
				t.Errorf("round %d took %s", round, took)
			}
		}
		// The capacity grows.
		api.mu.Lock()
		api.capacity, api.peak = 1000, 0
		api.mu.Unlock()
		for range 20 {
			fetchPages(withOwnAllowance(t.Context()), c, 100, Query{})
		}
		if api.peak < 40 {
			t.Errorf("%d calls in flight, although the capacity has grown", api.peak)
		}
	})
}

// TestLimiterBacksOffOnLatency calls an API that refuses nothing but slows down with more calls.
func TestLimiterBacksOffOnLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &limitedAPI{latency: always(50 * time.Millisecond)}
		c := newLimitedClient(t, api)
		for range 20 {
			fetchPages(withOwnAllowance(t.Context()), c, 300, Query{})
		}
		if api.peak < 150 {
			t.Errorf("%d calls in flight, although the API is fast", api.peak)
		}
		api.mu.Lock()
		api.peak = 0
		api.latency = func(running int) time.Duration { return time.Duration(running) * 20 * time.Millisecond }
		api.mu.Unlock()
		for range 5 {
			fetchPages(withOwnAllowance(t.Context()), c, 300, Query{})
		}
		api.mu.Lock()
		api.peak = 0
		api.mu.Unlock()
		fetchPages(withOwnAllowance(t.Context()), c, 300, Query{})
		if api.peak > 100 || api.peak < latencyFloor {
			t.Errorf("%d calls in flight, although the API slows down", api.peak)
		}
	})
}

// TestLimiterIsFair fills the limiter with one huge request. A small request is answered after a
// few calls and not after all of them.
func TestLimiterIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLimitedClient(t, &limitedAPI{latency: always(time.Second)})
		var wait sync.WaitGroup
		wait.Go(func() { fetchPages(withOwnAllowance(t.Context()), c, maxQueued, Query{}) })
		synctest.Wait()
		for range 10 {
			wait.Go(func() {
				if failed, took := fetchPages(withOwnAllowance(t.Context()), c, 2, Query{}); failed > 0 || took > 3*time.Second {
					t.Errorf("%d calls failed, duration %s", failed, took)
				}
			})
		}
		wait.Wait()
	})
}

// TestFullQueueRefusesCalls fills the queue. Further calls of the huge request fail at once with a
// retry time, but a small request is still admitted.
func TestFullQueueRefusesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLimitedClient(t, &limitedAPI{latency: always(time.Second)})
		var wait sync.WaitGroup
		huge := withOwnAllowance(t.Context())
		var failed int
		wait.Go(func() { failed, _ = fetchPages(huge, c, maxQueued+initialLimit, Query{}) })
		synctest.Wait()
		began := time.Now()
		_, err := c.Contacts(huge, acme, Query{After: "1"})
		if e, _ := errors.AsType[*Error](err); e == nil || e.Code != RateLimited || e.RetryAfter < time.Second || time.Since(began) != 0 {
			t.Errorf("%#v after %s", err, time.Since(began))
		}
		if failed, _ := fetchPages(withOwnAllowance(t.Context()), c, 1, Query{}); failed != 0 {
			t.Error("a small request was refused")
		}
		wait.Wait()
		if failed != 1 {
			t.Errorf("%d calls of the huge request failed, want 1 (evicted)", failed)
		}
	})
}

// TestCancelledCallsLeaveTheQueue cancels requests while their calls wait.
func TestCancelledCallsLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &limitedAPI{latency: always(time.Second)}
		c := newLimitedClient(t, api)
		var wait sync.WaitGroup
		wait.Go(func() { fetchPages(withOwnAllowance(t.Context()), c, initialLimit, Query{}) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if failed, took := fetchPages(withOwnAllowance(ctx), c, 100, Query{}); failed != 100 || took != 500*time.Millisecond {
			t.Errorf("%d failed after %s", failed, took)
		}
		wait.Wait()
		for key, l := range c.retrier.limiters.active {
			t.Errorf("left in limiter %+v: %d running, %d waiting", key, l.running, l.waiting)
		}
		if api.calls != initialLimit {
			t.Errorf("%d calls, want %d", api.calls, initialLimit)
		}
	})
}

// TestFilteredReadsRunTwoAtATime checks the limit for each token and workspace, independent of
// other calls.
func TestFilteredReadsRunTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &limitedAPI{latency: always(100 * time.Millisecond)}
		c := newLimitedClient(t, api)
		filter, _ := Filter("").With("email_address", "a@example.com")
		filtered := Query{Filter: filter}
		if failed, took := fetchPages(t.Context(), c, 10, filtered); failed > 0 || api.peak != 2 || took != 500*time.Millisecond {
			t.Errorf("%d calls failed, %d in flight, duration %s", failed, api.peak, took)
		}
		var wait sync.WaitGroup
		wait.Go(func() { fetchPages(t.Context(), c, 10, filtered) })
		wait.Go(func() {
			if _, took := fetchPages(t.Context(), c, 10, Query{}); took != 100*time.Millisecond {
				t.Errorf("unfiltered reads waited: %s", took)
			}
		})
		wait.Go(func() {
			if _, took := fetchPages(t.Context(), c.WithToken("other"), 2, filtered); took != 100*time.Millisecond {
				t.Errorf("another token waited: %s", took)
			}
		})
		wait.Wait()
	})
}

// TestLimiterHonoursRetryAfter sends a 429 with Retry-After. No call of the token starts earlier,
// and calls with an earlier deadline fail at once.
func TestLimiterHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, good)
		s.steps["acme.myclickfunnels.com"] = []step{{status: 429, retryAfter: "20"}, {status: 200, body: `[]`}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		var wait sync.WaitGroup
		wait.Go(func() { fetchPages(ctx, c, 1, Query{}) })
		synctest.Wait()
		wait.Go(func() {
			if failed, took := fetchPages(ctx, c, 50, Query{}); failed > 0 || took != 20*time.Second {
				t.Errorf("%d calls failed, duration %s", failed, took)
			}
		})
		wait.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := c.Contacts(short, acme, Query{After: "1"})
			if e, _ := errors.AsType[*Error](err); e == nil || e.Code != RateLimited || e.RetryAfter != 20*time.Second || time.Since(began) != 0 {
				t.Errorf("%#v after %s", err, time.Since(began))
			}
		})
		wait.Go(func() { // other hosts are not affected
			if _, err := c.Team(ctx, "1"); err != nil || time.Since(began) != 0 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
		})
		wait.Wait()
		for _, at := range s.calls["acme.myclickfunnels.com"][1:] {
			if at.Sub(began) < 20*time.Second {
				t.Errorf("a call after %s", at.Sub(began))
			}
		}
	})
}

// TestOneProbeFollowsAPause queues many calls during a pause. One probe goes first; while probes
// are refused or unanswered, the others wait.
func TestOneProbeFollowsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, good)
		s.steps["acme.myclickfunnels.com"] = []step{
			{status: 429, retryAfter: "20"},
			{status: 429, retryAfter: "10", takes: time.Second}, // the probe after 20 s
			{err: io.ErrUnexpectedEOF, takes: time.Second},      // the probe after 31 s
			{status: 429}, // after 32 s
			{status: 200, body: `[]`, takes: 3 * time.Second},
		}
		began := time.Now()
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if failed, _ := fetchPages(t.Context(), c, 1, Query{}); failed > 0 {
					t.Error("a call failed")
				}
			})
			synctest.Wait() // the first is refused before the others start
		}
		wait.Wait()
		var at []time.Duration
		for _, call := range s.calls["acme.myclickfunnels.com"] {
			at = append(at, call.Sub(began).Truncate(time.Second))
		}
		want := append([]time.Duration{0, 20 * time.Second, 31 * time.Second, 32 * time.Second, 32 * time.Second}, repeat(49, 35*time.Second)...)
		if !slices.Equal(at, want) {
			t.Errorf("calls after %v, want %v", at, want)
		}
	})
}

// TestHugeRetryAfterIsBounded sends a wait of a day, in every format. Calls succeed after two
// minutes, and errors report no longer wait.
func TestHugeRetryAfterIsBounded(t *testing.T) {
	for name, huge := range map[string]step{
		"seconds":       {status: 429, retryAfter: "86400"},
		"a date":        {status: 429, retryAfter: "Sun, 02 Jan 2000 00:00:00 GMT"},
		"a Unix time":   {status: 429, retryAfter: "1764460800"},
		"in the body":   {status: 429, body: `{"error":"Too many","retry_after":86400}`},
		"a Unix body":   {status: 429, body: `{"error":"Too many","retry_after":1764460800}`},
		"a text body":   {status: 429, body: `{"error":"Too many","retry_after":"86400"}`},
		"beyond floats": {status: 429, retryAfter: "1e300"},
		"a 503":         {status: 503, retryAfter: "86400"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := scriptedClient(t, Config{}, huge, good)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := c.Team(ctx, "1")
				if failed, _ := errors.AsType[*Error](err); failed == nil || failed.RetryAfter != maxRetryAfter {
					t.Errorf("%#v", err)
				}
				time.Sleep(maxRetryAfter)
				if _, err := c.Team(t.Context(), "1"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestIdleLimiterKeepsItsPause checks that an unused limiter keeps its state: the first call after
// the pause is a probe, and the probe's result is kept as well.
func TestIdleLimiterKeepsItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{Attempts: 1}, step{status: 429, retryAfter: "20"}, step{status: 200, body: teamJSON, takes: time.Second})
		if _, err := c.Team(t.Context(), "1"); !errors.Is(err, RateLimited) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		ask := func() time.Duration {
			began := time.Now()
			var wait sync.WaitGroup
			for i := range 10 {
				wait.Go(func() {
					if _, err := c.Team(t.Context(), strconv.Itoa(i+1)); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			return time.Since(began)
		}
		if took := ask(); took != 2*time.Second {
			t.Errorf("after the pause: ten calls of 1 s took %s, %d calls", took, len(s.calls["accounts.myclickfunnels.com"]))
		}
		if took := ask(); took != time.Second {
			t.Errorf("after the probe: ten calls of 1 s took %s", took)
		}
	})
}
