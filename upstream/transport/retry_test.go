package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
)

var errUntrusted = &tls.CertificateVerificationError{Err: errors.New("x")}

// TestReadsAreRetried fails reads in many ways. Only failures that may pass are retried.
func TestReadsAreRetried(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []script.Step
		calls int
		want  error // nil for success
		least time.Duration
		most  time.Duration
	}{
		{"429", []script.Step{{Status: 429}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"429 with seconds", []script.Step{{Status: 429, RetryAfter: "3"}, good}, 2, nil, 3 * time.Second, 3 * time.Second},
		{"429 with a date", []script.Step{{Status: 429, RetryAfter: "Sat, 01 Jan 2000 00:00:09 GMT"}, good}, 2, nil, 9 * time.Second, 9 * time.Second},
		{"429 with seconds in the body", []script.Step{{Status: 429, Body: `{"error":"Too many","retry_after":2}`}, good}, 2, nil, 2 * time.Second, 2 * time.Second},
		{"429 beyond the deadline", []script.Step{{Status: 429, RetryAfter: "61"}, good}, 1, status(429), 0, 0},
		{"502 with an HTML page", []script.Step{{Status: 502, Body: script.BadGateway}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"503", []script.Step{{Status: 503}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"504", []script.Step{{Status: 504}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"connection breaks", []script.Step{brokenConnection, good}, 2, nil, 0, 50 * time.Millisecond},
		{"no connection", []script.Step{dialError, good}, 2, nil, 0, 50 * time.Millisecond},
		{"hangs once", []script.Step{{Takes: time.Hour}, good}, 2, nil, 4 * time.Second, 4*time.Second + 50*time.Millisecond},
		{"hangs", []script.Step{{Takes: time.Hour}}, 3, context.DeadlineExceeded, 12 * time.Second, 13 * time.Second},
		{"always 429", []script.Step{{Status: 429}}, 8, status(429), 0, 5 * time.Second},
		{"always 502", []script.Step{{Status: 502}}, 8, status(502), 0, 5 * time.Second},
		{"seven failures, then success", append(repeat(7, script.Step{Status: 502}), good), 8, nil, 0, 5 * time.Second},
		{"500", []script.Step{{Status: 500}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"always 500", []script.Step{{Status: 500}}, 3, status(500), 0, 150 * time.Millisecond},
		{"408", []script.Step{{Status: 408}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"425", []script.Step{{Status: 425}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"always 425", []script.Step{{Status: 425}}, 8, status(425), 0, 5 * time.Second},
		{"520", []script.Step{{Status: 520, Body: script.BadGateway}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"524", []script.Step{{Status: 524}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"527", []script.Step{{Status: 527}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"530", []script.Step{{Status: 530}, good}, 2, nil, 0, 50 * time.Millisecond},
		{"528", []script.Step{{Status: 528}, good}, 1, status(528), 0, 0},
		{"501", []script.Step{{Status: 501}, good}, 1, status(501), 0, 0},
		{"422", []script.Step{{Status: 422, Body: `{"error":"This filter took longer than 10s"}`}, good}, 1, status(422), 0, 0},
		{"401", []script.Step{{Status: 401}, good}, 1, status(401), 0, 0},
		{"404", []script.Step{{Status: 404}, good}, 1, status(404), 0, 0},
		{"untrusted certificate", []script.Step{{Err: errUntrusted}, good}, 1, errUntrusted, 0, 0},
		{"slow 503", []script.Step{{Status: 503, Takes: 3900 * time.Millisecond}}, 3, status(503), 11 * time.Second, 13 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := newScriptedCaller(Config{CallTimeout: 4 * time.Second}, test.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				err := c.get(ctx, "api", "/1")
				took := time.Since(began)
				if calls := len(s.Calls("api")); calls != test.calls {
					t.Errorf("%d calls, want %d", calls, test.calls)
				}
				if !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
				if took < test.least || took > test.most {
					t.Errorf("duration %s, want %s to %s", took, test.least, test.most)
				}
			})
		})
	}
}

// TestVerySlowFailureIsRetriedOnce fails a read after 20 s.
func TestVerySlowFailureIsRetriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{}, script.Step{Status: 503, Takes: 20 * time.Second})
		if err := c.get(t.Context(), "api", "/1"); !errors.Is(err, status(503)) {
			t.Error(err)
		}
		if calls := len(s.Calls("api")); calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// TestOutageIsNotAmplified fails all calls for a while. Retries stay within their budget, and then
// the open breaker allows only occasional probes. Other hosts are unaffected, and recovery is
// noticed.
func TestOutageIsNotAmplified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{})
		const dead, fine = "dead", "fine"
		s.Play(dead, script.Step{Status: 502})
		s.Play(fine, good)
		ask := func(host string, n int) (failed, fast int) {
			var wait sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				wait.Go(func() {
					began := time.Now()
					err := c.get(t.Context(), host, fmt.Sprint("/", i))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed++
						if time.Since(began) == 0 {
							fast++
						}
					}
				})
			}
			wait.Wait()
			return failed, fast
		}
		count := func(host string) int { return len(s.Calls(host)) }
		if failed, _ := ask(dead, 40); failed != 40 {
			t.Errorf("%d calls failed", failed)
		}
		if calls := count(dead); calls > 40+40/2+retryReserve {
			t.Errorf("%d attempts at 40 calls", calls)
		}
		before := count(dead)
		if failed, fast := ask(dead, 1000); failed != 1000 || fast != 1000 || count(dead) != before {
			t.Errorf("%d calls failed, %d of them at once, %d attempts", failed, fast, count(dead)-before)
		}
		if failed, _ := ask(fine, 1000); failed != 0 || count(fine) != 1000 {
			t.Errorf("other host: %d calls failed, %d attempts", failed, count(fine))
		}
		for range 60 { // a minute with ten calls a second
			ask(dead, 10)
			time.Sleep(time.Second)
		}
		if probes := count(dead) - before; probes < 5 || probes > 40 {
			t.Errorf("%d probes in a minute", probes)
		}
		s.Play(dead, good)
		time.Sleep(breakerDelay * 2)
		if failed, _ := ask(dead, 1); failed != 0 {
			t.Error("the recovered host is not called")
		}
		if failed, _ := ask(dead, 100); failed != 0 {
			t.Errorf("%d calls to the recovered host failed", failed)
		}
	})
}

// TestOpenBreakerReportsRetryAfter checks that a refused call's error tells when to retry.
func TestOpenBreakerReportsRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{Attempts: 1}, script.Step{Status: 502})
		for range breakerMinCalls {
			_ = c.get(t.Context(), "api", "/1")
		}
		before := len(s.Calls("api"))
		err := c.get(t.Context(), "api", "/1")
		failed, _ := errors.AsType[*RefusedError](err)
		if failed == nil || failed.Reason != HostDown || failed.RetryAfter < time.Second || failed.RetryAfter > 2*breakerDelay || len(s.Calls("api")) != before {
			t.Errorf("error %#v after %d calls", err, len(s.Calls("api")))
		}
	})
}

// TestCancellationStopsRetries cancels a read while it waits for its next attempt.
func TestCancellationStopsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{}, script.Step{Status: 429, RetryAfter: "30"}, good)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := c.get(ctx, "api", "/1"); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(time.Minute)
		if calls := len(s.Calls("api")); calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestHangingHostOpensBreaker cancels calls to a hanging host before they time out.
func TestHangingHostOpensBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{}, script.Step{Takes: time.Hour})
		var wait sync.WaitGroup
		for i := range 10 * breakerMinCalls {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / 2)
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				if err := c.get(ctx, "api", fmt.Sprint("/", i)); err == nil {
					t.Error("a call succeeded")
				}
			})
		}
		wait.Wait()
		if calls := len(s.Calls("api")); calls > 5*breakerMinCalls {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestPanicDoesNotBlockLaterCalls panics in calls, including the breaker's probe. Each panic fails
// only its own call.
func TestPanicDoesNotBlockLaterCalls(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		panics := true
		c := newCaller(Config{RoundTripper: script.Func(func(*http.Request) (*http.Response, error) {
			if panics {
				panic("the inside")
			}
			return script.Answer(http.StatusOK, `{}`), nil
		})})
		for range 4 * breakerMinCalls {
			err := c.get(t.Context(), "api", "/1")
			if refused, _ := errors.AsType[*RefusedError](err); !errors.Is(err, errPanic) && (refused == nil || refused.Reason != HostDown) {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		panics = false
		time.Sleep(2 * breakerDelay)
		if err := c.get(t.Context(), "api", "/1"); err != nil {
			t.Error(err)
		}
	})
}

// TestSlowStoredFilterIsRepeatedOnce checks that a 503 of a stored filter says nothing about the
// host.
func TestSlowStoredFilterIsRepeatedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newScriptedCaller(Config{}, script.Step{Status: http.StatusServiceUnavailable, Takes: 10 * time.Second})
		const reads = 3 * breakerMinCalls
		for i := range reads {
			r := c.request(t.Context(), http.MethodGet, "api", fmt.Sprint("/", i))
			r.Stored = true
			if err := c.do(t.Context(), r); err == nil || c.Stats().Dead != 0 {
				t.Fatalf("read %d: error %v, %d hosts down; want a 503 and none", i, err, c.Stats().Dead)
			}
		}
		if calls := len(s.Calls("api")); calls != 2*reads {
			t.Errorf("%d calls for %d reads, want two each", calls, reads)
		}
	})
}
