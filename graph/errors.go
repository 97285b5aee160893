package graph

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// present is the one place where an error becomes a GraphQL error. Every error
// has a code; nothing of the inside leaves.
func present(ctx context.Context, err error) *gqlerror.Error {
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		e := &gqlerror.Error{Message: failed.Message, Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(failed.Code)}}
		if failed.RetryAfter > 0 {
			e.Extensions["retryAfter"] = int(math.Ceil(failed.RetryAfter.Seconds()))
		}
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &gqlerror.Error{Message: "The request was given up before it was answered.", Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(upstream.Timeout)}}
	}
	if e, ok := errors.AsType[*gqlerror.Error](err); ok && e.Unwrap() == nil {
		// gqlgen's own: the document, its variables or an argument is wrong.
		out := *e
		out.Extensions = map[string]any{"code": string(upstream.BadUserInput)}
		switch code := e.Extensions["code"]; code {
		case nil, errcode.ParseFailed, errcode.ValidationFailed:
		default:
			out.Extensions["code"] = code
		}
		if out.Path == nil {
			out.Path = graphql.GetPath(ctx)
		}
		return &out
	}
	slog.ErrorContext(ctx, "a field failed", "error", err, "path", graphql.GetPath(ctx).String())
	return internalError(ctx)
}

func internalError(ctx context.Context) *gqlerror.Error {
	return &gqlerror.Error{Message: "Something went wrong inside funnelgraph.", Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(upstream.Internal)}}
}

// recovered turns a panic into an error that says nothing of it; the log says
// where it happened.
func recovered(ctx context.Context, v any) error {
	slog.ErrorContext(ctx, "panic", "value", v, "stack", string(debug.Stack()))
	return internalError(ctx)
}
