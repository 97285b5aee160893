package graph

import (
	"testing"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// TestChecksThatCannotTell pins which errors of a check end a subscription.
func TestChecksThatCannotTell(t *testing.T) {
	for code, want := range map[upstream.Code]bool{
		upstream.NotFound: true, upstream.Forbidden: true, upstream.Unauthenticated: true, upstream.BadUserInput: true,
		upstream.Unavailable: false, upstream.Timeout: false, upstream.RateLimited: false,
	} {
		errs := gqlerror.List{present(t.Context(), upstream.NewError(code, "No."))}
		if got := isFinal(errs); got != want {
			t.Errorf("%s: %t, want %t", code, got, want)
		}
	}
	if isFinal(nil) {
		t.Error("no error ends a subscription")
	}
}
