package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestFieldSpanLastsUntilItsLastCall resolves a field of two objects, with one call that is awaited
// and one that is not. The span lasts until the latter returns or the operation ends.
func TestFieldSpanLastsUntilItsLastCall(t *testing.T) {
	for _, answered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			tracer := sdk.NewTracerProvider(sdk.WithSyncer(spans)).Tracer("")
			ctx, operation := tracer.Start(t.Context(), "query")
			field := NewFieldSpan(ctx, "Query.teams")
			calls := WithFieldSpan(ctx, field)
			began := time.Now()
			field.Resolved() // of an object that needs no call
			one, of := spanParentOf(calls, tracer)
			if span := trace.SpanFromContext(one); span == operation || !span.IsRecording() || of != field {
				t.Error("the field has no span of its own")
			}
			time.Sleep(time.Second)
			field.endCall()
			field.Resolved()
			if late, _ := spanParentOf(calls, tracer); late != one {
				t.Error("the second call has another parent span")
			}
			time.Sleep(time.Second)
			if answered {
				field.endCall()
				time.Sleep(time.Second)
			}
			field.End()
			if after, of := spanParentOf(calls, tracer); trace.SpanFromContext(after) != operation || of != nil {
				t.Error("a call's parent is a field span that has ended")
			}
			got := spans.GetSpans()
			if len(got) != 1 || !got[0].StartTime.Equal(began) || got[0].EndTime.Sub(began) != 2*time.Second {
				t.Errorf("answered: %t: %v", answered, got)
			}
		})
	}
}
