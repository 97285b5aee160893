package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TestDeadHostsAreCounted counts a host for as long as it is left alone, also if nobody calls
// it any more.
func TestDeadHostsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newHosts()
		h := all.of("acme")
		for range deadCalls {
			h.breaker.RecordFailure()
		}
		if n := all.dead(); n != 1 {
			t.Errorf("%d are dead", n)
		}
		time.Sleep(2 * probeAfter)
		if n := all.dead(); n != 0 {
			t.Errorf("%d are dead after they could be tried", n)
		}
	})
}

// TestSpanOfLateCall has a field end while what it has asked for goes on: calls that begin
// then belong to the operation.
func TestSpanOfLateCall(t *testing.T) {
	ctx, operation := sdk.NewTracerProvider().Tracer("").Start(t.Context(), "query")
	field, resolved := WithField(ctx, func() string { return "Query.teams" })
	if during := parentOf(field); during == operation || !during.IsRecording() {
		t.Error("the field has no span of its own")
	}
	resolved()
	if after := parentOf(field); after != operation {
		t.Errorf("the call belongs to %s", trace.SpanContextFromContext(trace.ContextWithSpan(ctx, after)).SpanID())
	}
}
