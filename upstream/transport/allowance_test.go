package transport

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/funnelgraph/funnelgraph/upstream/internal/script"
)

// TestAllowanceBoundsCalls checks that calls beyond the limit fail, and that responses from the
// cache do not count.
func TestAllowanceBoundsCalls(t *testing.T) {
	c, s := newScriptedCaller(Config{CacheTTL: time.Minute}, good)
	ctx := WithAllowance(t.Context(), &Allowance{Calls: 2})
	for i, want := range []error{nil, nil, nil, ErrOverBudget, ErrOverBudget} {
		path := []string{"/1", "/1", "/2", "/3", "/4"}[i] // the second is cached
		if err := c.get(ctx, "api", path); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	if err := c.get(t.Context(), "api", "/5"); err != nil {
		t.Errorf("without an allowance: %v", err)
	}
	if n := len(s.Calls("api")); n != 3 {
		t.Errorf("%d calls", n)
	}
	exceeded := 0
	ctx = WithAllowance(t.Context(), &Allowance{Calls: 1, Exceeded: func() { exceeded++ }})
	for i, want := range []int{0, 1, 1} {
		if err := c.get(ctx, "api", fmt.Sprint("/", 10+i)); err != nil || exceeded != want {
			t.Errorf("call %d beyond the limit: %v, reported %d times", i, err, exceeded)
		}
	}
}

// TestAllowanceBoundsTime checks that calls fail at the deadline.
func TestAllowanceBoundsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newScriptedCaller(Config{}, script.Step{Takes: time.Hour})
		began := time.Now()
		soon := WithAllowance(t.Context(), &Allowance{Until: began.Add(20 * time.Millisecond)})
		if err := c.get(soon, "api", "/1"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
