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

// present turns an error into a GraphQL error. Every error leaves through here: it has a code,
// and reveals nothing internal.
func present(ctx context.Context, err error) *gqlerror.Error {
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		e := coded(ctx, failed.Code, failed.Message)
		if failed.RetryAfter > 0 {
			e.Extensions["retryAfter"] = int(math.Ceil(failed.RetryAfter.Seconds()))
		}
		if failed.Unknown {
			e.Extensions["outcome"] = "UNKNOWN"
		}
		if wrapped, ok := errors.AsType[*gqlerror.Error](err); ok { // it adds extensions
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
		// gqlgen's own error: the document, its variables or an argument is wrong.
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

// unreadArguments reports whether the current field's arguments could not be read. Its resolver
// never ran, so the error is about the client's input.
func unreadArguments(ctx context.Context) bool {
	field := graphql.GetFieldContext(ctx)
	return field != nil && field.Args == nil && field.Field.Field != nil && len(field.Field.Arguments) > 0
}

// persistedQueryNotFound is the code that asks a client to send a document's text with its hash.
const persistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND"

// maxMessageBytes bounds how much of a document an error repeats.
const maxMessageBytes = 300

func truncate(message string) string {
	if len(message) <= maxMessageBytes {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessageBytes], "") + "…"
}

// codeKey is the extension that holds an error's code.
const codeKey = "code"

const internalMessage = "Something went wrong inside funnelgraph."

func coded(ctx context.Context, code upstream.Code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Path: graphql.GetPath(ctx), Extensions: map[string]any{codeKey: string(code)}}
}

// maxStackBytes bounds the stack of a panic in the log.
const maxStackBytes = 8 << 10

// recovered turns a panic into an error without details. The log has the value and the stack.
func recovered(ctx context.Context, v any) error {
	stack := make([]byte, maxStackBytes)
	stack = stack[:runtime.Stack(stack, false)]
	slog.ErrorContext(ctx, "panic", "value", truncate(fmt.Sprint(v)), "stack", string(stack))
	return coded(ctx, upstream.Internal, internalMessage)
}
