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
	tracer := sdk.NewTracerProvider().Tracer("")
	ctx, operation := tracer.Start(t.Context(), "query")
	field := NewFieldSpan(ctx, "Query.teams")
	calls := AskedBy(ctx, field)
	own := trace.SpanFromContext(parentOf(calls, tracer))
	if own == operation || !own.IsRecording() {
		t.Error("the field has no span of its own")
	}
	field.Resolved() // of one object
	if trace.SpanFromContext(parentOf(calls, tracer)) != own {
		t.Error("the field of another object has no span, or one of its own")
	}
	field.End()
	if after := trace.SpanFromContext(parentOf(calls, tracer)); after != operation {
		t.Errorf("the call belongs to %s", after.SpanContext().SpanID())
	}
}
