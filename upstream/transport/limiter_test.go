package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
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

// withOwnAllowance returns the context of a new client request.
func withOwnAllowance(ctx context.Context) context.Context {
	return WithAllowance(ctx, &Allowance{})
}

// TestLimiterFindsCapacity checks that the limiter adapts to an API with a capacity of twelve
// calls: no call fails, few are refused, and the capacity is used.
func TestLimiterFindsCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &limitedAPI{capacity: 12, latency: always(100 * time.Millisecond)}
		c := newCaller(Config{RoundTripper: api})
		for round := range 20 {
			before := api.refused
			failed, took := c.fetch(withOwnAllowance(t.Context()), 100, false)
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
			c.fetch(withOwnAllowance(t.Context()), 100, false)
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
		c := newCaller(Config{RoundTripper: api})
		for range 20 {
			c.fetch(withOwnAllowance(t.Context()), 300, false)
		}
		if api.peak < 150 {
			t.Errorf("%d calls in flight, although the API is fast", api.peak)
		}
		api.mu.Lock()
		api.peak = 0
		api.latency = func(running int) time.Duration { return time.Duration(running) * 20 * time.Millisecond }
		api.mu.Unlock()
		for range 5 {
			c.fetch(withOwnAllowance(t.Context()), 300, false)
		}
		api.mu.Lock()
		api.peak = 0
		api.mu.Unlock()
		c.fetch(withOwnAllowance(t.Context()), 300, false)
		if api.peak > 100 || api.peak < latencyFloor {
			t.Errorf("%d calls in flight, although the API slows down", api.peak)
		}
	})
}

// TestLimiterIsFair fills the limiter with one huge request. A small request is answered after a
// few calls and not after all of them.
func TestLimiterIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(Config{RoundTripper: &limitedAPI{latency: always(time.Second)}})
		var wait sync.WaitGroup
		wait.Go(func() { c.fetch(withOwnAllowance(t.Context()), maxQueued, false) })
		synctest.Wait()
		for range 10 {
			wait.Go(func() {
				if failed, took := c.fetch(withOwnAllowance(t.Context()), 2, false); failed > 0 || took > 3*time.Second {
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
		c := newCaller(Config{RoundTripper: &limitedAPI{latency: always(time.Second)}})
		var wait sync.WaitGroup
		huge := withOwnAllowance(t.Context())
		var failed int
		wait.Go(func() { failed, _ = c.fetch(huge, maxQueued+initialLimit, false) })
		synctest.Wait()
		began := time.Now()
		err := c.get(huge, "api", "/1")
		if e, _ := errors.AsType[*RefusedError](err); e == nil || e.Reason != QueueFull || e.RetryAfter < time.Second || time.Since(began) != 0 {
			t.Errorf("%#v after %s", err, time.Since(began))
		}
		if failed, _ := c.fetch(withOwnAllowance(t.Context()), 1, false); failed != 0 {
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
		c := newCaller(Config{RoundTripper: api})
		var wait sync.WaitGroup
		wait.Go(func() { c.fetch(withOwnAllowance(t.Context()), initialLimit, false) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if failed, took := c.fetch(withOwnAllowance(ctx), 100, false); failed != 100 || took != 500*time.Millisecond {
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
		c := newCaller(Config{RoundTripper: api})
		if failed, took := c.fetch(t.Context(), 10, true); failed > 0 || api.peak != 2 || took != 500*time.Millisecond {
			t.Errorf("%d calls failed, %d in flight, duration %s", failed, api.peak, took)
		}
		var wait sync.WaitGroup
		wait.Go(func() { c.fetch(t.Context(), 10, true) })
		wait.Go(func() {
			if _, took := c.fetch(t.Context(), 10, false); took != 100*time.Millisecond {
				t.Errorf("unfiltered reads waited: %s", took)
			}
		})
		wait.Go(func() {
			if _, took := c.as("other").fetch(t.Context(), 2, true); took != 100*time.Millisecond {
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
		c, s := newScriptedCaller(Config{}, script.Step{Status: 429, RetryAfter: "20"}, good)
		s.Play("other", good)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		var wait sync.WaitGroup
		wait.Go(func() { c.fetch(ctx, 1, false) })
		synctest.Wait()
		wait.Go(func() {
			if failed, took := c.fetch(ctx, 50, false); failed > 0 || took != 20*time.Second {
				t.Errorf("%d calls failed, duration %s", failed, took)
			}
		})
		wait.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := c.get(short, "api", "/1")
			if e, _ := errors.AsType[*RefusedError](err); e == nil || e.Reason != HostPaused || e.RetryAfter != 20*time.Second || time.Since(began) != 0 {
				t.Errorf("%#v after %s", err, time.Since(began))
			}
		})
		wait.Go(func() { // other hosts are not affected
			if err := c.get(ctx, "other", "/1"); err != nil || time.Since(began) != 0 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
		})
		wait.Wait()
		for _, at := range s.Calls("api")[1:] {
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
		c, s := newScriptedCaller(Config{},
			script.Step{Status: 429, RetryAfter: "20"},
			script.Step{Status: 429, RetryAfter: "10", Takes: time.Second}, // the probe after 20 s
			script.Step{Err: io.ErrUnexpectedEOF, Takes: time.Second},      // the probe after 31 s
			script.Step{Status: 429},                                       // after 32 s
			script.Step{Status: 200, Body: `[]`, Takes: 3 * time.Second},
		)
		began := time.Now()
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if failed, _ := c.fetch(t.Context(), 1, false); failed > 0 {
					t.Error("a call failed")
				}
			})
			synctest.Wait() // the first is refused before the others start
		}
		wait.Wait()
		var at []time.Duration
		for _, call := range s.Calls("api") {
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
	for name, huge := range map[string]script.Step{
		"seconds":       {Status: 429, RetryAfter: "86400"},
		"a date":        {Status: 429, RetryAfter: "Sun, 02 Jan 2000 00:00:00 GMT"},
		"a Unix time":   {Status: 429, RetryAfter: "1764460800"},
		"in the body":   {Status: 429, Body: `{"error":"Too many","retry_after":86400}`},
		"a Unix body":   {Status: 429, Body: `{"error":"Too many","retry_after":1764460800}`},
		"a text body":   {Status: 429, Body: `{"error":"Too many","retry_after":"86400"}`},
		"beyond floats": {Status: 429, RetryAfter: "1e300"},
		"a 503":         {Status: 503, RetryAfter: "86400"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newScriptedCaller(Config{}, huge, good)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := c.get(ctx, "api", "/1")
				if failed, _ := errors.AsType[*statusError](err); failed == nil || failed.retryAfter != MaxRetryAfter {
					t.Errorf("%#v", err)
				}
				time.Sleep(MaxRetryAfter)
				if err := c.get(t.Context(), "api", "/1"); err != nil {
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
		c, s := newScriptedCaller(Config{Attempts: 1}, script.Step{Status: 429, RetryAfter: "20"}, script.Step{Status: 200, Takes: time.Second})
		if failed, _ := errors.AsType[*statusError](c.get(t.Context(), "api", "/1")); failed == nil || failed.status != http.StatusTooManyRequests {
			t.Errorf("%+v, want 429", failed)
		}
		time.Sleep(time.Minute)
		ask := func() time.Duration {
			began := time.Now()
			var wait sync.WaitGroup
			for i := range 10 {
				wait.Go(func() {
					if err := c.get(t.Context(), "api", "/"+strconv.Itoa(i)); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			return time.Since(began)
		}
		if took := ask(); took != 2*time.Second {
			t.Errorf("after the pause: ten calls of 1 s took %s, %d calls", took, len(s.Calls("api")))
		}
		if took := ask(); took != time.Second {
			t.Errorf("after the probe: ten calls of 1 s took %s", took)
		}
	})
}
