package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream"
	"github.com/funnelgraph/funnelgraph/upstream/transport"
)

// TestExceededAllowanceHasACode checks the errors of calls beyond the limit or the deadline.
func TestExceededAllowanceHasACode(t *testing.T) {
	a := newAPI(t, sends(`{"id": 7, "subdomain": "acme"}`))
	c := a.client(t)
	ctx := transport.WithAllowance(t.Context(), &transport.Allowance{Calls: 1})
	for i, want := range []error{nil, upstream.OverBudget} {
		if _, err := c.Team(ctx, "1"); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	late := transport.WithAllowance(t.Context(), &transport.Allowance{Until: time.Now().Add(-time.Second)})
	if _, err := c.Team(late, "6"); !errors.Is(err, upstream.Timeout) {
		t.Errorf("after the deadline: %v", err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d calls", n)
	}

	slow := newAPI(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	soon := transport.WithAllowance(t.Context(), &transport.Allowance{Until: time.Now().Add(20 * time.Millisecond)})
	if _, err := slow.client(t).Team(soon, "1"); !errors.Is(err, upstream.Timeout) {
		t.Errorf("deadline during a call: %v", err)
	}
	ctx, cancel := context.WithCancel(transport.WithAllowance(t.Context(), &transport.Allowance{Until: time.Now().Add(time.Hour)}))
	cancel()
	if _, err := slow.client(t).Team(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
