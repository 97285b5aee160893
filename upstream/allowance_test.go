package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestAllowanceBoundsCallsAndTime checks that calls beyond the limit or the deadline fail, and that
// responses from the cache do not count.
func TestAllowanceBoundsCallsAndTime(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"id": 7, "subdomain": "acme"}`) })
	cached := a.client(t, func(cfg *upstream.Config) { cfg.CacheTTL = time.Minute })
	allowance := &upstream.Allowance{Calls: 2}
	ctx := upstream.WithAllowance(t.Context(), allowance)
	for i, want := range []error{nil, nil, nil, upstream.OverBudget, upstream.OverBudget} {
		id := []string{"1", "1", "2", "3", "4"}[i] // the second is cached
		if _, err := cached.Team(ctx, id); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	if _, err := cached.Team(t.Context(), "5"); err != nil {
		t.Errorf("without an allowance: %v", err)
	}
	if n := len(a.requests()); n != 3 {
		t.Errorf("%d calls", n)
	}
	exceeded := 0
	ctx = upstream.WithAllowance(t.Context(), &upstream.Allowance{Calls: 1, Exceeded: func() { exceeded++ }})
	for i, want := range []int{0, 1, 1} {
		if _, err := cached.Team(ctx, fmt.Sprint(10+i)); err != nil || exceeded != want {
			t.Errorf("call %d beyond the limit: %v, reported %d times", i, err, exceeded)
		}
	}

	late := upstream.WithAllowance(t.Context(), &upstream.Allowance{Until: time.Now().Add(-time.Second)})
	if _, err := cached.Team(late, "6"); !errors.Is(err, upstream.Timeout) {
		t.Errorf("after the deadline: %v", err)
	}
	if n := len(a.requests()); n != 6 {
		t.Errorf("%d calls", n)
	}

	slow := newAPI(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	soon := upstream.WithAllowance(t.Context(), &upstream.Allowance{Until: time.Now().Add(20 * time.Millisecond)})
	if _, err := slow.client(t).Team(soon, "1"); !errors.Is(err, upstream.Timeout) {
		t.Errorf("deadline during a call: %v", err)
	}
	ctx, cancel := context.WithCancel(upstream.WithAllowance(t.Context(), &upstream.Allowance{Until: time.Now().Add(time.Hour)}))
	cancel()
	if _, err := slow.client(t).Team(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
