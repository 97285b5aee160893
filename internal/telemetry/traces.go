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
	if !tracesWanted() {
		return nil, func(context.Context) {}, nil
	}
	otel.SetLogger(logr.FromSlogHandler(bare{slog.Default().Handler()}))
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
	provider := sdk.NewTracerProvider(append(sampling(), sdk.WithBatcher(exporter), sdk.WithResource(about))...)
	otel.SetErrorHandler(&quiet{})
	return provider, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, lastSpans)
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

// lastSpans is the maximum time for sending the remaining spans at shutdown.
const lastSpans = 3 * time.Second

// mostTraces is the maximum number of operations per second that are traced, unless the client or
// the environment decides. It is more than operators look at, and costs next to nothing on a
// server with thousands of operations per second.
const mostTraces = 100

// samplers are the samplers that the environment can name. With any other name, the library would
// trace all operations.
var samplers = []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}

// sampling returns the default sampler, which traces all operations of a quiet server and some of
// a busy one. It returns no option if the environment names a known sampler.
func sampling() []sdk.TracerProviderOption {
	if slices.Contains(samplers, strings.ToLower(strings.TrimSpace(os.Getenv("OTEL_TRACES_SAMPLER")))) {
		return nil
	}
	return []sdk.TracerProviderOption{sdk.WithSampler(sdk.ParentBased(bounded{rate.NewLimiter(mostTraces, mostTraces)}))}
}

// bounded is a [sdk.Sampler] with a maximum number of operations per second.
type bounded struct{ left *rate.Limiter }

// ShouldSample implements [sdk.Sampler].
func (b bounded) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	result := sdk.SamplingResult{Decision: sdk.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if b.left.Allow() {
		result.Decision = sdk.RecordAndSample
	}
	return result
}

// Description implements [sdk.Sampler].
func (b bounded) Description() string { return fmt.Sprintf("at most %v a second", b.left.Limit()) }

// tracesWanted reports whether the environment enables traces. The library's default is to send
// them to a collector on this machine, which most machines do not have.
func tracesWanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// bare is a [slog.Handler] that logs the library's errors without their values. The values are
// environment variables, such as the headers with a collector's token.
type bare struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (bare) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements [slog.Handler].
func (h bare) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, slog.LevelWarn, "an OpenTelemetry variable cannot be used: check OTEL_EXPORTER_OTLP_…", r.PC)
	line.AddAttrs(slog.String("step", r.Message))
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler].
func (h bare) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h bare) WithGroup(string) slog.Handler { return h }

// quiet logs failures to send spans, at most once a minute.
type quiet struct {
	mu     sync.Mutex
	spoken time.Time
}

// Handle implements [otel.ErrorHandler].
func (q *quiet) Handle(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.spoken) < time.Minute {
		return
	}
	q.spoken = time.Now()
	slog.Warn("traces are not sent", "error", err)
}
