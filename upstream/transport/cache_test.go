package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// numberedTransport is a [http.RoundTripper] that numbers its responses.
type numberedTransport struct {
	mu     sync.Mutex
	calls  int
	status int
	wait   chan struct{} // blocks the next call
	// padding makes the cursor longer.
	padding int
}

func (c *numberedTransport) RoundTrip(*http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.calls++
	n, status, wait := c.calls, c.status, c.wait
	c.wait = nil
	c.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return &http.Response{StatusCode: status, Header: http.Header{NextHeader: {strings.Repeat("0", c.padding) + fmt.Sprint("next", n)}}, Body: io.NopCloser(strings.NewReader(fmt.Sprint("answer ", n)))}, nil
}

// cacheTest sends requests to a cache in front of a numberedTransport.
type cacheTest struct {
	*testing.T
	*numberedTransport
	cache     *cache
	allowance *Allowance // of the requests; may be nil
}

func newCacheTest(t *testing.T, size uint64) *cacheTest {
	t.Helper()
	c := &numberedTransport{status: http.StatusOK}
	return &cacheTest{T: t, numberedTransport: c, cache: newCache(&coalescer{retrier: newRetrier(Config{RoundTripper: c, CallTimeout: time.Minute}, nil)}, func(string) time.Duration { return 30 * time.Second }, 0, size, nil)}
}

// send returns the response's text. It fails if the header belongs to another response.
func (c *cacheTest) send(r *Request) string {
	a, err := c.cache.do(c.Context(), r)
	if err != nil {
		c.Error(err)
		return ""
	}
	a.Decoded()
	text := string(a.Body)
	if next := a.Header.Get(NextHeader); strings.Repeat("0", c.padding)+strings.Replace(text, "answer ", "next", 1) != next {
		c.Errorf("%s with the cursor %s", text, next)
	}
	return text
}

func (c *cacheTest) request(method, subdomain, path, who string) *Request {
	return &Request{Method: method, URL: "https://" + subdomain + ".example.com/api" + path, Host: subdomain, Credential: NewCredential(who), Allowance: c.allowance}
}

func (c *cacheTest) want(subdomain, path, who, want string) {
	c.Helper()
	if got := c.send(c.request(http.MethodGet, subdomain, path, who)); got != "answer "+want {
		c.Errorf("%s %s for %s: %s, want %s", subdomain, path, who, got, want)
	}
}

func TestCacheIsPerCredentialAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheTest(t, 1<<20)
		c.want("acme", "/a", "me", "1")
		c.want("acme", "/a", "me", "1")
		c.want("acme", "/b", "me", "2")
		c.want("acme", "/a", "you", "3") // another credential has its own responses
		c.want("other", "/a", "me", "4")
		time.Sleep(20 * time.Second)
		c.want("acme", "/a", "me", "1")
		time.Sleep(11 * time.Second) // hits do not extend the lifetime
		c.want("acme", "/a", "me", "5")
		c.want("acme", "/a", "me", "5")

		// A fresh request bypasses the cache and replaces the stored response.
		req := c.request(http.MethodGet, "acme", "/a", "me")
		req.Fresh = true
		if got := c.send(req); got != "answer 6" {
			t.Error(got)
		}
		c.want("acme", "/a", "me", "6")

		// Failures are not stored.
		c.status = http.StatusNotImplemented
		c.want("acme", "/failing", "me", "7")
		c.want("acme", "/failing", "me", "8")
	})
}

// TestWritesInvalidateTheCache checks that a write invalidates its workspace for all credentials,
// including the response to a read that began before it.
func TestWritesInvalidateTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheTest(t, 1<<20)
		c.want("acme", "/a", "me", "1")
		c.want("acme", "/a", "you", "2")
		c.want("other", "/a", "me", "3")

		slow := make(chan struct{})
		c.wait = slow
		var wait sync.WaitGroup
		wait.Go(func() { c.want("acme", "/slow", "me", "4") })
		synctest.Wait()
		if got := c.send(c.request(http.MethodPost, "acme", "/a", "me")); got != "answer 5" {
			t.Error(got)
		}
		close(slow)
		wait.Wait()

		c.want("acme", "/slow", "me", "6")
		c.want("acme", "/a", "me", "7")
		c.want("acme", "/a", "you", "8")
		c.want("acme", "/a", "you", "8")
		c.want("other", "/a", "me", "3")

		// This read starts during a write, and may be of either state. A later one must not be.
		slow = make(chan struct{})
		c.wait = slow
		wait.Go(func() { c.send(c.request(http.MethodDelete, "acme", "/a", "me")) })
		synctest.Wait()
		c.want("acme", "/a", "me", "7")
		close(slow)
		wait.Wait()
		c.want("acme", "/a", "me", "10")
	})
}

// TestRefusedWritesEvictNothing sends writes that certainly change nothing.
func TestRefusedWritesEvictNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheTest(t, 1<<20)
		c.want("acme", "/a", "me", "1")
		for _, status := range []int{401, 403, 404, 409, 422} {
			c.status = status
			c.send(c.request(http.MethodPut, "acme", "/a", "me"))
			c.status = http.StatusOK
			c.want("acme", "/a", "me", "1")
		}
		spent := c.request(http.MethodPut, "acme", "/a", "me")
		spent.Allowance = &Allowance{Calls: 1}
		spent.Allowance.Spend()
		if _, err := c.cache.do(t.Context(), spent); err == nil {
			t.Error("want no call")
		}
		c.want("acme", "/a", "me", "1")
		c.send(c.request(http.MethodPut, "acme", "/a", "me"))
		c.want("acme", "/a", "me", "8")
	})
}

// TestCacheMemoryIsBounded fills the cache, and the memory for evictions.
func TestCacheMemoryIsBounded(t *testing.T) {
	const size = 100 << 10
	c := newCacheTest(t, size)
	c.padding = 1000
	for i := range 1000 {
		c.send(c.request(http.MethodGet, "acme", fmt.Sprint("/", i), "me"))
	}
	_, kept := c.cache.responses.Size()
	if kept > size || kept < size/2 {
		t.Errorf("%d bytes of %d are in use", kept, size)
	}

	c.want("acme", "/last", "me", "1001")
	for i := range maxEvictedHosts + 10 {
		c.cache.evict(t.Context(), fmt.Sprint("w", i), nil)
	}
	if n := len(c.cache.evicted.hosts); n > maxEvictedHosts {
		t.Errorf("%d hosts are kept", n)
	}
	c.want("acme", "/last", "me", "1002") // forgotten evictions evict more than necessary, never less
	const batch = 1000
	for i := range maxEvictedTags/batch + 2 {
		tags := make([]string, batch)
		for n := range tags {
			tags[n] = fmt.Sprint(i*batch + n)
		}
		c.cache.evict(t.Context(), fmt.Sprint("w", i%10), tags)
	}
	if c.cache.evicted.tags > maxEvictedTags+batch {
		t.Errorf("%d tags are kept", c.cache.evicted.tags)
	}
	c.want("acme", "/last", "me", "1003")
}

// TestFreshness checks until when clients may use a response: not if an eviction of its host came in between,
// whichever of the calls has stored what.
func TestFreshness(t *testing.T) {
	for name, test := range map[string]struct {
		between func(c *cacheTest) // between two calls of the request
		fresh   bool
	}{
		"nothing":       {func(*cacheTest) {}, true},
		"another host":  {func(c *cacheTest) { c.cache.evict(t.Context(), "books", nil) }, true},
		"an eviction":   {func(c *cacheTest) { c.cache.evict(t.Context(), "acme", []string{"7"}) }, false},
		"a failed load": {func(c *cacheTest) { c.allowance.Failed(true) }, false},
		"a check that failed": {func(c *cacheTest) {
			AllowanceOf(WithSeparateAllowance(WithAllowance(t.Context(), c.allowance))).Failed(false)
		}, false},
		"a missing owner": {func(c *cacheTest) {
			AllowanceOf(WithSeparateAllowance(WithAllowance(t.Context(), c.allowance))).Failed(true)
		}, true},
		"lost replicas": {func(c *cacheTest) { c.cache.replicas = new(lostReplicas) }, false},
	} {
		c := newCacheTest(t, 1<<20)
		c.allowance = new(Allowance)
		c.want("acme", "/a", "me", "1")
		test.between(c)
		c.want("acme", "/b", "me", "2")
		if until := c.allowance.FreshUntil(t.Context()); until.IsZero() == test.fresh {
			t.Errorf("%s: fresh until %s", name, until)
		}
	}
}

type lostReplicas struct{ fakeReplicas }

func (*lostReplicas) Evictions(context.Context, string, Position) ([]Eviction, bool, error) {
	return nil, false, io.ErrUnexpectedEOF
}

// TestEvictedResponseIsNotFresh evicts the response of a call in flight. A later call stores a newer one before
// it ends.
func TestEvictedResponseIsNotFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheTest(t, 1<<20)
		goOn := make(chan struct{})
		c.wait = goOn
		var wait sync.WaitGroup
		old := &cacheTest{T: t, numberedTransport: c.numberedTransport, cache: c.cache, allowance: new(Allowance)}
		wait.Go(func() { old.want("acme", "/a", "me", "1") })
		synctest.Wait()
		c.cache.evict(t.Context(), "acme", nil)
		c.want("acme", "/a", "me", "2")
		close(goOn)
		wait.Wait()
		if until := old.allowance.FreshUntil(t.Context()); !until.IsZero() {
			t.Errorf("fresh until %s", until)
		}
	})
}
