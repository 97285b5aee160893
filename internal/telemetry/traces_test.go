package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestSampling checks that all operations of a quiet server are traced, and at most so many per
// second of a busy one. The decisions of the client and the environment's sampler come first.
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
		{"quiet", "", t.Context(), time.Second / maxTracesPerSecond, 500},
		{"twice as many", "", t.Context(), time.Second / maxTracesPerSecond / 2, maxTracesPerSecond + 250},
		{"all at once", "", t.Context(), 0, maxTracesPerSecond},
		{"asked for", "", parent(trace.FlagsSampled), 0, 500},
		{"not to be", "", parent(0), 0, 0},
		{"always", "always_on", t.Context(), 0, 500},
		{"never", "always_off", t.Context(), 0, 0},
		{"always, as the library reads it", " Always_On ", t.Context(), 0, 500},
		{"by their ids", "traceidratio", parent(0), 0, 500},
		{"parents, or all", "parentbased_always_on", t.Context(), 0, 500},
		{"parents, or none", "parentbased_always_off", t.Context(), 0, 0},
		{"parents, or by their ids", "parentbased_traceidratio", t.Context(), 0, 500},
		{"blank", " ", t.Context(), 0, maxTracesPerSecond},
		{"none that there is", "some", t.Context(), 0, maxTracesPerSecond},
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", test.sampler)
		synctest.Test(t, func(t *testing.T) {
			tracer := sdk.NewTracerProvider(samplerOptions()...).Tracer("")
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

// TestLinksOfShared checks that an operation with a shared response is linked to the operation
// that was executed, if that one is traced.
func TestLinksOfShared(t *testing.T) {
	for flags, links := range map[string]int{"00": 0, "01": 1} {
		spans := tracetest.NewInMemoryExporter()
		watch := New(Config{Log: slog.New(slog.DiscardHandler), Traces: sdk.NewTracerProvider(sdk.WithSyncer(spans))})
		serve := func(flags string, answer func(context.Context)) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
			r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"+flags)
			watch.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { answer(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		}
		serve(flags, func(by context.Context) {
			serve("01", func(ctx context.Context) { watch.Shared(ctx, by) })
		})
		if got := spans.GetSpans(); len(got[0].Links) != links {
			t.Errorf("%s: %v", flags, got[0].Links)
		}
	}
}
