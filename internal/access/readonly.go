package access

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// Apply makes an executor refuse the mutations of read-only callers.
func Apply(e *executor.Executor) { e.Use(readOnly{}) }

// readOnly is the gqlgen extension that refuses mutations.
type readOnly struct{}

// ExtensionName implements [graphql.HandlerExtension].
func (readOnly) ExtensionName() string { return "ReadOnly" }

// Validate implements [graphql.HandlerExtension].
func (readOnly) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements [graphql.OperationContextMutator].
func (readOnly) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if op.Operation.Operation != ast.Mutation || !From(ctx).ReadOnly {
		return nil
	}
	const message = "This client may only read."
	return &gqlerror.Error{Err: upstream.NewError(upstream.Forbidden, message), Message: message}
}
