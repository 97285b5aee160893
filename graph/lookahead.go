package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// What a query asks for below a field decides which calls it takes: the
// functions here read it, fragments, aliases, @skip and @include included.

// light are the fields of an object that need no more of its record than what
// a reference to it holds, mostly its raw id.
type fieldSet struct {
	typeName string
	// own come from the reference itself.
	free []string
	// calls make a call of their own, which fails if there is no such object.
	verifying []string
}

// and returns the fields that come with more of the record.
func (o fieldSet) with(fields ...string) fieldSet {
	return fieldSet{o.typeName, slices.Concat(o.free, fields), o.verifying}
}

var (
	// embeddedTag is what a contact or an applied tag carries of a tag.
	embeddedTag = embeddedAppliedContactTagTag
	// fullStage is what a pipeline does not carry of its stages.
	fullStage = []string{"createdAt", "updatedAt"}
)

// lightWorkspaceBy is lightWorkspace for a workspace known by this id, which may
// be its public one.
func workspaceRefFieldsBy(id string) fieldSet {
	if upstream.IsRawID(id) {
		return workspaceRefFields
	}
	return fieldSet{workspaceRefFields.typeName, []string{"publicId"}, workspaceRefFields.verifying}
}

// suffices reports whether the current field's object, which is known to exist,
// can do without its record: only light fields are asked for.
func (o fieldSet) covers(ctx context.Context) bool {
	only, _ := o.coverage(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
	return only
}

// sufficesUnseen is suffices for an object that may not exist: then one of the
// fields asked for has to find out.
func (o fieldSet) coversAndVerifies(ctx context.Context) bool {
	return o.coversAndVerifiesField(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
}

func (o fieldSet) coversAndVerifiesField(op *graphql.OperationContext, field graphql.CollectedField) bool {
	only, calls := o.coverage(op, field)
	return only && calls
}

func (o fieldSet) coverage(op *graphql.OperationContext, field graphql.CollectedField) (only, calls bool) {
	return o.coverageOf(op, field.Selections)
}

func (o fieldSet) coverageOf(op *graphql.OperationContext, set ast.SelectionSet) (only, calls bool) {
	for _, f := range graphql.CollectFields(op, set, []string{o.typeName, "Node"}) {
		switch {
		case slices.Contains(o.verifying, f.Name):
			calls = true
		case f.Name != "__typename" && !slices.Contains(o.free, f.Name):
			return false, calls
		}
	}
	return true, calls
}

// asksFor reports whether the current field's object is asked for a field.
func selects(ctx context.Context, name string) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	return slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name == name })
}

// onlyTypename reports whether nothing is asked of the current field's object but
// what its type is called.
func onlyTypename(ctx context.Context) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	for _, selection := range field.Selections {
		if f, ok := selection.(*ast.Field); ok && f.Name != "__typename" && len(f.Directives) == 0 {
			return false // nearly always
		}
	}
	return !slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name != "__typename" })
}
