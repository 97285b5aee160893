package transport

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestStaleResponses takes the host down. Expired responses are given for a while, but no evicted ones, and
// none if the host answers with another error.
func TestStaleResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheTest(t, 1<<20)
		c.cache.stale = time.Minute
		c.want("acme", "/a", "me", "1")
		c.want("acme", "/b", "me", "2")
		time.Sleep(31 * time.Second)
		for status, want := range map[int]bool{500: true, 503: true, 504: true, 401: false, 403: false, 404: false, 429: false, 422: false} {
			c.status = status
			allowance := new(Allowance)
			r := c.request(http.MethodGet, "acme", "/a", "me")
			r.Allowance = allowance
			a, err := c.cache.do(t.Context(), r)
			if err != nil || a.IsStale != want || want && (string(a.Body) != "answer 1" || a.Age < 31*time.Second || allowance.Stale() < time.Second) {
				t.Errorf("%d: %+v, %v, want a stale response: %t", status, a, err, want)
			}
			if fresh := c.request(http.MethodGet, "acme", "/a", "me"); want {
				fresh.Fresh = true
				if a, err := c.cache.do(t.Context(), fresh); err != nil || a.IsStale || a.Status != status {
					t.Errorf("%d: a fresh request gets %+v, %v", status, a, err)
				}
			}
			if a, _ := c.cache.do(t.Context(), c.request(http.MethodGet, "acme", "/a", "you")); a.IsStale {
				t.Error("a stale response of another credential")
			}
			time.Sleep(time.Second) // the circuit breaker
		}
		c.status = 503
		c.cache.evict(t.Context(), "acme", nil)
		if a, _ := c.cache.do(t.Context(), c.request(http.MethodGet, "acme", "/b", "me")); a.IsStale {
			t.Error("an evicted response")
		}
		time.Sleep(2 * time.Minute)
		c.status = 200
	})
}
