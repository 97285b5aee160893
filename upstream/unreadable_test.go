package upstream

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestUnreadableReadsAreRepeated answers reads with bodies that are no record. Each read is repeated
// once.
func TestUnreadableReadsAreRepeated(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []step
		calls int
		code  Code // of the error; empty for none
		least time.Duration
		most  time.Duration
	}{
		{"200 with broken JSON", []step{{Status: 200, Body: `{"id":`}, good}, 2, "", 0, 0},
		{"200 with an HTML page", []step{{Status: 200, Body: script.BadGateway}, good}, 2, "", 0, 0},
		{"200 with another shape", []step{{Status: 200, Body: `[]`}, good}, 2, "", 0, 0},
		{"200 without a record", []step{{Status: 200, Body: `{"error":"maintenance"}`}, good}, 2, "", 0, 0},
		{"200 without a body", []step{{Status: 200}, good}, 2, "", 0, 0},
		{"always 200 with an HTML page", []step{{Status: 200, Body: script.BadGateway}}, 2, Unavailable, 0, 0},
		{"200 with an HTML page, then 502", []step{{Status: 200, Body: script.BadGateway}, {Status: 502}, good}, 3, "", 0, 50 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := scriptedClient(t, Config{}, test.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				_, err := c.Team(ctx, "1")
				took := time.Since(began)
				if calls := len(s.Calls(accountsHost)); calls != test.calls {
					t.Errorf("%d calls, want %d", calls, test.calls)
				}
				if (err == nil) != (test.code == "") || test.code != "" && !errors.Is(err, test.code) {
					t.Errorf("error %v, want %q", err, test.code)
				}
				if took < test.least || took > test.most {
					t.Errorf("duration %s, want %s to %s", took, test.least, test.most)
				}
			})
		})
	}
}

// TestUnreadableResponsesAreNotCached answers a list request with an HTML page. The page is not
// cached; the response to the retry is.
func TestUnreadableResponsesAreNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := step{Status: 200, Body: script.BadGateway}
		c, s := scriptedClient(t, Config{Transport: transport.Config{CacheTTL: time.Minute, Attempts: 2}})
		s.Play(acmeHost, page, page, page, step{Status: 200, Body: `[{"id":7}]`})
		for i, want := range []struct {
			calls int
			code  Code
		}{{2, Unavailable}, {4, ""}, {4, ""}} {
			rows, err := c.Contacts(t.Context(), acme, Query{})
			if want.code != "" && !errors.Is(err, want.code) || want.code == "" && (err != nil || len(rows.Rows) != 1) {
				t.Errorf("read %d: %v", i, err)
			}
			if calls := len(s.Calls(acmeHost)); calls != want.calls {
				t.Errorf("read %d: %d calls so far, want %d", i, calls, want.calls)
			}
		}
	})
}

// TestRetryOfUnreadableResponseIsShared starts many callers of one call with an unreadable
// response. They also share the retry.
func TestRetryOfUnreadableResponseIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{Status: 200, Body: `{`, Takes: time.Second}, step{Status: 200, Body: teamJSON, Takes: time.Second})
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if _, err := c.Team(t.Context(), "1"); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if calls := len(s.Calls(accountsHost)); calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// TestRetriesOfUnreadableResponsesAreBounded makes every response unreadable. Retries count
// against the request's allowance and the retry budget.
func TestRetriesOfUnreadableResponsesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Config{}, step{Status: 200, Body: script.BadGateway})
		ctx := transport.WithAllowance(t.Context(), &transport.Allowance{Calls: 1})
		if _, err := c.Team(ctx, "1"); !errors.Is(err, errUnreadable) {
			t.Error(err)
		}
		if calls := len(s.Calls(accountsHost)); calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
		const (
			reserve = 100 // of the transport's retry budget
			reads   = 10 * reserve
		)
		for range reads {
			if _, err := c.Team(t.Context(), "1"); !errors.Is(err, errUnreadable) {
				t.Error(err)
			}
		}
		if calls := len(s.Calls(accountsHost)); calls > reads+reads/2+2*reserve {
			t.Errorf("%d calls for %d reads", calls, reads)
		}
	})
}
