package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"runtime"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// present is the one place where an error becomes a GraphQL error. Every error
// has a code; nothing of the inside leaves.
func present(ctx context.Context, err error) *gqlerror.Error {
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		e := coded(ctx, failed.Code, failed.Message)
		if failed.RetryAfter > 0 {
			e.Extensions["retryAfter"] = int(math.Ceil(failed.RetryAfter.Seconds()))
		}
		if failed.Unknown {
			e.Extensions["outcome"] = "UNKNOWN"
		}
		if wrapped, ok := errors.AsType[*gqlerror.Error](err); ok { // what goes with it
			maps.Copy(e.Extensions, wrapped.Extensions)
		}
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return coded(ctx, upstream.Timeout, "The request was given up before it was answered.")
	}
	if e, ok := errors.AsType[*gqlerror.Error](err); ok && e.Unwrap() == nil {
		if e.Extensions[codeKey] == string(upstream.Internal) {
			return e // made by recovered
		}
		// gqlgen's own: the document, its variables or an argument is wrong.
		out := coded(ctx, upstream.BadUserInput, truncate(e.Message))
		if e.Extensions[codeKey] == persistedQueryNotFound {
			out.Extensions[codeKey] = persistedQueryNotFound
		}
		out.Locations = e.Locations
		return out
	}
	if unreadArguments(ctx) {
		field, op := graphql.GetFieldContext(ctx), graphql.GetOperationContext(ctx)
		if null := nullArgument(field.Field.Arguments, op.Variables); null != nil {
			err = null
		}
		return coded(ctx, upstream.BadUserInput, truncate(err.Error()))
	}
	slog.ErrorContext(ctx, "a field failed", "error", err, "path", graphql.GetPath(ctx).String())
	return coded(ctx, upstream.Internal, internalMessage)
}

// unreadArguments reports whether the current field's arguments could not be
// read, so that its resolver never ran: the error is about what the client sent.
func unreadArguments(ctx context.Context) bool {
	field := graphql.GetFieldContext(ctx)
	return field != nil && field.Args == nil && field.Field.Field != nil && len(field.Field.Arguments) > 0
}

// persistedQueryNotFound is the code by which clients learn that they have to send
// a document's text with its hash.
const persistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND"

// maxMessageBytes bounds what an error repeats of a document.
const maxMessageBytes = 300

func truncate(message string) string {
	if len(message) <= maxMessageBytes {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessageBytes], "") + "…"
}

// codeKey is where clients look for an error's code.
const codeKey = "code"

const internalMessage = "Something went wrong inside funnelgraph."

func coded(ctx context.Context, code upstream.Code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Path: graphql.GetPath(ctx), Extensions: map[string]any{codeKey: string(code)}}
}

// maxStackBytes bounds what the log has of a panic's stack.
const maxStackBytes = 8 << 10

// recovered turns a panic into an error that says nothing of it; the log says
// where it happened.
func recovered(ctx context.Context, v any) error {
	stack := make([]byte, maxStackBytes)
	stack = stack[:runtime.Stack(stack, false)]
	slog.ErrorContext(ctx, "panic", "value", truncate(fmt.Sprint(v)), "stack", string(stack))
	return coded(ctx, upstream.Internal, internalMessage)
}
