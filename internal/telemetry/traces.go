package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// NewTraces returns the tracer provider that the standard environment variables of OpenTelemetry
// configure (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and so on), and a function that sends
// the remaining spans. The provider is nil if the variables do not enable traces.
func NewTraces(ctx context.Context, version string) (trace.TracerProvider, func(context.Context), error) {
	if !tracesEnabled() {
		return nil, func(context.Context) {}, nil
	}
	otel.SetLogger(logr.FromSlogHandler(redactingHandler{slog.Default().Handler()}))
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "funnelgraph"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be used: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("OTEL_TRACES_SAMPLER cannot be used", "error", err) }))
	provider := sdk.NewTracerProvider(append(samplerOptions(), sdk.WithBatcher(exporter), sdk.WithResource(about))...)
	otel.SetErrorHandler(&errorHandler{})
	return provider, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		_ = provider.Shutdown(ctx) // the error handler has logged the error
	}, nil
}

// newExporter returns the trace exporter that the environment selects. It does not use
// OpenTelemetry's auto-exporter, which adds unused exporters for metrics and logs: Prometheus
// reads the metrics.
func newExporter(ctx context.Context) (exporter sdk.SpanExporter, err error) {
	if name := cmp.Or(os.Getenv("OTEL_TRACES_EXPORTER"), "otlp"); name != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q; it must be otlp or none", name)
	}
	switch protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf"); protocol {
	case "http/protobuf":
		exporter, err = otlptracehttp.New(ctx)
	case "grpc":
		exporter, err = otlptracegrpc.New(ctx)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q; it must be http/protobuf or grpc", protocol)
	}
	if err != nil {
		return nil, fmt.Errorf("the variables OTEL_EXPORTER_OTLP_… cannot be used: %w", err)
	}
	return exporter, nil
}

// flushTimeout is the maximum time for sending the remaining spans at shutdown.
const flushTimeout = 3 * time.Second

// maxTracesPerSecond is the maximum number of operations per second that are traced, unless the
// client or the environment decides. It is more than operators look at, and costs next to nothing
// on a server with thousands of operations per second.
const maxTracesPerSecond = 100

// samplers are the samplers that the environment can name. With any other name, the library would
// trace all operations.
var samplers = []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}

// samplerOptions returns the default sampler, which traces all operations of a quiet server and
// some of a busy one. It returns no option if the environment names a known sampler.
func samplerOptions() []sdk.TracerProviderOption {
	if slices.Contains(samplers, strings.ToLower(strings.TrimSpace(os.Getenv("OTEL_TRACES_SAMPLER")))) {
		return nil
	}
	return []sdk.TracerProviderOption{sdk.WithSampler(sdk.ParentBased(rateSampler{rate.NewLimiter(maxTracesPerSecond, maxTracesPerSecond)}))}
}

// rateSampler is a [sdk.Sampler] with a maximum number of operations per second.
type rateSampler struct{ limiter *rate.Limiter }

// ShouldSample implements [sdk.Sampler].
func (b rateSampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	result := sdk.SamplingResult{Decision: sdk.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if b.limiter.Allow() {
		result.Decision = sdk.RecordAndSample
	}
	return result
}

// Description implements [sdk.Sampler].
func (b rateSampler) Description() string {
	return fmt.Sprintf("at most %v a second", b.limiter.Limit())
}

// tracesEnabled reports whether the environment enables traces. The library's default is to send
// them to a collector on this machine, which most machines do not have.
func tracesEnabled() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// redactingHandler is a [slog.Handler] that logs the library's errors without their values. The
// values are environment variables, such as the headers with a collector's token.
type redactingHandler struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (redactingHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

// Handle implements [slog.Handler].
func (h redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, slog.LevelWarn, "an OpenTelemetry variable cannot be used: check OTEL_EXPORTER_OTLP_…", r.PC)
	line.AddAttrs(slog.String("step", r.Message))
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler].
func (h redactingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h redactingHandler) WithGroup(string) slog.Handler { return h }

// errorHandler logs failures to send spans, at most once a minute.
type errorHandler struct {
	mu     sync.Mutex
	logged time.Time
}

// Handle implements [otel.ErrorHandler].
func (q *errorHandler) Handle(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.logged) < time.Minute {
		return
	}
	q.logged = time.Now()
	slog.Warn("traces are not sent", "error", err)
}
