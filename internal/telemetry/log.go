package telemetry

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// NewLog returns a logger that writes lines as text or JSON, at a level that can change. Lines
// that are logged during a request have the ids of the request and of its trace.
func NewLog(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(requestLog{slog.NewJSONHandler(w, options)})
	}
	return slog.New(requestLog{slog.NewTextHandler(w, options)})
}

// requestLog is a [slog.Handler] that adds the ids of the request and of its trace.
type requestLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if o := operationOf(ctx); o != nil {
		r.AddAttrs(slog.String("request", o.id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String("trace", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestLog) WithGroup(name string) slog.Handler { return requestLog{h.Handler.WithGroup(name)} }
