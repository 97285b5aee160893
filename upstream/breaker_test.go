package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
				c, err := New(Config{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					defer mu.Unlock()
					resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(teamJSON))}
					switch {
					case r.Header.Get("Authorization") == "Bearer bad":
						resp.StatusCode = test.bad
					case !asked[r.URL.Path]: // each call fails once
						asked[r.URL.Path] = true
						resp.StatusCode = http.StatusBadGateway
					}
					return resp, nil
				})})
				if err != nil {
					t.Fatal(err)
				}
				bad, good := c.WithToken("bad"), c.WithToken("good")
				var wait sync.WaitGroup
				for i := range 2 * retryReserve {
					wait.Go(func() {
						if _, err := bad.Team(t.Context(), fmt.Sprint(i+1)); err == nil {
							t.Error("a failing call succeeded")
						}
					})
				}
				wait.Wait()
				for i := range 5 {
					if _, err := good.Team(t.Context(), fmt.Sprint(i+1)); err != nil {
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
			c, s := scriptedClient(t, Config{}, step{status: status})
			for range 3 * breakerMinCalls {
				if _, err := c.Team(t.Context(), "1"); err == nil {
					t.Error("a failing call succeeded")
				}
			}
			s.mu.Lock()
			s.steps["accounts.myclickfunnels.com"] = []step{good}
			s.mu.Unlock()
			if _, err := c.Team(t.Context(), "2"); err != nil {
				t.Errorf("after %d: %v", status, err)
			}
		})
	}
}
