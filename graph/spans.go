package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/trace"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// spans holds the trace spans of an operation's fields that make REST calls. A field of the
// document has one span, however many objects it is resolved for. It is safe for concurrent use.
type spans struct {
	ctx     context.Context //nolint:containedctx // the operation's
	byField sync.Map        // *ast.Field → *upstream.FieldSpan
}

// newSpans returns nil if the operation is not traced.
func newSpans(ctx context.Context) *spans {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	return &spans{ctx: ctx}
}

func (s *spans) forField(field *graphql.FieldContext) *upstream.FieldSpan {
	if span, ok := s.byField.Load(field.Field.Field); ok {
		return span.(*upstream.FieldSpan)
	}
	span := upstream.NewFieldSpan(s.ctx, field.Object+"."+field.Field.Name)
	stored, _ := s.byField.LoadOrStore(field.Field.Field, span)
	return stored.(*upstream.FieldSpan)
}

// untilEnd ends the spans with the last response.
func (s *spans) untilEnd(next graphql.ResponseHandler) graphql.ResponseHandler {
	if s == nil {
		return next
	}
	return func(ctx context.Context) (response *graphql.Response) {
		defer func() {
			if response == nil || response.HasNext == nil || !*response.HasNext {
				s.end()
			}
		}()
		return next(ctx)
	}
}

func (s *spans) end() {
	for _, span := range s.byField.Range {
		span.(*upstream.FieldSpan).End()
	}
}
