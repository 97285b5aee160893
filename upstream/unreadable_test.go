package upstream

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnreadableResponsesAreNotCached answers a list request with an HTML page. The page is not
// cached; the response to the retry is.
func TestUnreadableResponsesAreNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := step{status: 200, body: badGateway}
		c, s := scriptedClient(t, Config{CacheTTL: time.Minute, Attempts: 2})
		s.steps["acme.myclickfunnels.com"] = []step{page, page, page, {status: 200, body: `[{"id":7}]`}}
		for i, want := range []struct {
			calls int
			code  Code
		}{{2, Unavailable}, {4, ""}, {4, ""}} {
			rows, err := c.Contacts(t.Context(), acme, Query{})
			if want.code != "" && !errors.Is(err, want.code) || want.code == "" && (err != nil || len(rows.Rows) != 1) {
				t.Errorf("read %d: %v", i, err)
			}
			if calls := len(s.calls["acme.myclickfunnels.com"]); calls != want.calls {
				t.Errorf("read %d: %d calls so far, want %d", i, calls, want.calls)
			}
		}
	})
}

// TestRetryOfUnreadableResponseIsShared starts many callers of one call with an unreadable
// response. They also share the retry.
func TestRetryOfUnreadableResponseIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{status: 200, body: `{`, takes: time.Second}, step{status: 200, body: teamJSON, takes: time.Second})
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if _, err := c.Team(t.Context(), "1"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// TestRetriesOfUnreadableResponsesAreBounded makes every response unreadable. Retries count
// against the request's allowance and the retry budget.
func TestRetriesOfUnreadableResponsesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{status: 200, body: badGateway})
		ctx := WithAllowance(t.Context(), &Allowance{Calls: 1})
		if _, err := c.Team(ctx, "1"); !errors.Is(err, errUnreadable) {
			t.Error(err)
		}
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
		const reads = 10 * retryReserve
		for range reads {
			if _, err := c.Team(t.Context(), "1"); !errors.Is(err, errUnreadable) {
				t.Error(err)
			}
		}
		if calls := len(s.calls["accounts.myclickfunnels.com"]); calls > reads+reads/2+2*retryReserve {
			t.Errorf("%d calls for %d reads", calls, reads)
		}
	})
}
