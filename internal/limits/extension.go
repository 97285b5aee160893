package limits

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Apply makes an executor check every operation against the policy that its context has.
func Apply(e *executor.Executor, policy func(context.Context) Policy) {
	e.SetParserTokenLimit(0) // this package counts tokens itself
	e.Use(extension{policy, newDocumentCache()})
}

// extension is the gqlgen extension that checks operations.
type extension struct {
	policy func(context.Context) Policy
	known  documentCache
}

// ExtensionName implements [graphql.HandlerExtension].
func (extension) ExtensionName() string { return "Limits" }

// Validate implements [graphql.HandlerExtension].
func (extension) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements [graphql.OperationParameterMutator]. It runs
// before the document is validated.
func (e extension) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if n := countValues(params.Variables); n > maxValues {
		return exceededError("values", n, maxValues, "The variables have at least %d values; the limit is %d.")
	}
	return e.known.check(ctx, params.Query, e.policy(ctx))
}

// MutateOperationContext implements [graphql.OperationContextMutator].
func (e extension) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	return e.policy(ctx).check(ctx, op)
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = extension{}
