package transport

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
)

// TestBreakerIsPerCredential fails every call of one token. Calls of another token to the same host
// succeed and are still retried.
func TestBreakerIsPerCredential(t *testing.T) {
	for _, test := range []struct {
		name string
		bad  int // status of all responses to the failing token
	}{
		{"an outage", http.StatusBadGateway},
		{"a storm of refusals", http.StatusTooManyRequests},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				asked := make(map[string]bool)
				c := newCaller(Config{RoundTripper: script.Func(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					defer mu.Unlock()
					resp := script.Answer(http.StatusOK, `{}`)
					switch {
					case r.Header.Get("Authorization") == "Bearer bad":
						resp.StatusCode = test.bad
					case !asked[r.URL.Path]: // each call fails once
						asked[r.URL.Path] = true
						resp.StatusCode = http.StatusBadGateway
					}
					return resp, nil
				})})
				bad, good := c.as("bad"), c.as("good")
				var wait sync.WaitGroup
				for i := range 2 * retryReserve {
					wait.Go(func() {
						if err := bad.get(t.Context(), "api", fmt.Sprint("/", i)); err == nil {
							t.Error("a failing call succeeded")
						}
					})
				}
				wait.Wait()
				for i := range 5 {
					if err := good.get(t.Context(), "api", fmt.Sprint("/", i)); err != nil {
						t.Errorf("call %d of the other token: %v", i, err)
					}
				}
			})
		})
	}
}

// TestErrorsOfOneRecordDoNotOpenBreaker fails every call for one record. The host's breaker stays
// closed, so calls for other records are made.
func TestErrorsOfOneRecordDoNotOpenBreaker(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusRequestTimeout, http.StatusTooEarly} {
		synctest.Test(t, func(t *testing.T) {
			c, s := newScriptedCaller(Config{}, script.Step{Status: status})
			for range 3 * breakerMinCalls {
				if err := c.get(t.Context(), "api", "/1"); err == nil {
					t.Error("a failing call succeeded")
				}
			}
			s.Play("api", good)
			if err := c.get(t.Context(), "api", "/2"); err != nil {
				t.Errorf("after %d: %v", status, err)
			}
		})
	}
}

// TestStatsCountOpenBreakers checks that a host is counted while its breaker is open, even without
// further calls.
func TestStatsCountOpenBreakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newHealthByHost()
		for _, who := range []Credential{{1}, {2}} { // one host, failing for two credentials
			h := all.get(hostKey{who, "acme"})
			for range breakerMinCalls {
				h.breaker.RecordFailure()
			}
		}
		if n := all.countOpen(); n != 1 {
			t.Errorf("%d breakers are open", n)
		}
		time.Sleep(2 * breakerDelay)
		if n := all.countOpen(); n != 0 {
			t.Errorf("%d breakers are open after the delay", n)
		}
	})
}
