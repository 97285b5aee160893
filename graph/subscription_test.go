package graph

import (
	"context"
	"errors"
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

// keptEvents keeps no event.
type keptEvents struct{}

func (keptEvents) Follow(_ context.Context, _, after string) (next func(context.Context) (Event, error), err error) {
	if after != "" {
		return nil, errors.New("the event is not kept any more")
	}
	return func(ctx context.Context) (Event, error) { return Event{}, context.Cause(ctx) }, nil
}

// TestChecksDoNotContinue checks a subscription whose first event is not kept any more. It has moved on.
func TestChecksDoNotContinue(t *testing.T) {
	after := "x"
	for _, isProbe := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.WithValue(context.WithValue(t.Context(), eventsKey{}, Events(keptEvents{})), streamKey{}, &stream{isProbe: isProbe}))
		events, err := follow(LastEvent(ctx, "y"), "101", &after, nil)
		if cancel(); (err == nil) != isProbe {
			t.Errorf("check %t: %v", isProbe, err)
		}
		if isProbe {
			<-events
		}
	}
}
