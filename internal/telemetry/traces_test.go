package telemetry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TestSampling traces all operations of a quiet server, so many a second of a busy one, those
// whose client has decided as it has, and as the environment says if it does.
func TestSampling(t *testing.T) {
	parent := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags}))
	}
	for _, test := range []struct {
		name, sampler string
		ctx           context.Context //nolint:containedctx // for the time of a test
		pause         time.Duration   // between operations
		want          int             // of 500
	}{
		{"quiet", "", t.Context(), time.Second / mostTraces, 500},
		{"twice as many", "", t.Context(), time.Second / mostTraces / 2, mostTraces + 250},
		{"all at once", "", t.Context(), 0, mostTraces},
		{"asked for", "", parent(trace.FlagsSampled), 0, 500},
		{"not to be", "", parent(0), 0, 0},
		{"always", "always_on", t.Context(), 0, 500},
		{"never", "always_off", t.Context(), 0, 0},
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", test.sampler)
		synctest.Test(t, func(t *testing.T) {
			tracer := sdk.NewTracerProvider(sampling()...).Tracer("")
			traced := 0
			for range 500 {
				ctx, operation := tracer.Start(test.ctx, "query")
				_, call := tracer.Start(ctx, "GET /teams")
				if operation.IsRecording() != call.IsRecording() {
					t.Fatalf("%s: a call is traced, and its operation is not, or the other way round", test.name)
				}
				if operation.IsRecording() {
					traced++
				}
				time.Sleep(test.pause)
			}
			if traced < test.want-1 || traced > test.want {
				t.Errorf("%s: %d of 500 are traced", test.name, traced)
			}
		})
	}
}
