package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/funnelgraph/funnelgraph/upstream"
)

// The functions of this file look ahead at the selection set below a field. It decides which REST
// calls the field needs. Fragments, aliases, @skip and @include are taken into account.

// fieldSet lists the fields of a type that can be answered without loading the record. They come
// from a reference to it, or from what another record embeds of it. The generated sets are in
// light.gen.go.
type fieldSet struct {
	typeName string
	// free are the fields that need no REST call. An object that lacks some fields is given by the
	// others, such as `totalAmount.amount`.
	free []string
	// verifying are the fields that make a REST call of their own, which fails if the object does
	// not exist.
	verifying []string
}

// with returns the set with more free fields.
func (o fieldSet) with(fields ...string) fieldSet {
	return fieldSet{o.typeName, slices.Concat(o.free, fields), o.verifying}
}

var (
	// embeddedTag is the part of a tag that a contact or an applied tag embeds.
	embeddedTag = embeddedAppliedContactTagTag
	// fullStage are the fields of a stage that a pipeline does not embed.
	fullStage = []string{"createdAt", "updatedAt"}
)

// workspaceRefFieldsBy returns the field set of a workspace that is known by a raw or public id.
func workspaceRefFieldsBy(id string) fieldSet {
	if upstream.IsRawID(id) {
		return workspaceRefFields
	}
	return fieldSet{workspaceRefFields.typeName, []string{"publicId"}, workspaceRefFields.verifying}
}

// covers reports whether the set covers the selection of the current field, so that its record
// need not be loaded. The object must be known to exist.
func (o fieldSet) covers(ctx context.Context) bool {
	only, _ := o.coverage(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field)
	return only
}

// coversAndVerifies is [fieldSet.covers] for an object that may not exist. One of the selected
// fields must then find out.
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
		case f.Name != "__typename" && !slices.Contains(o.free, f.Name) && !o.coversObject(op, f):
			return false, calls
		}
	}
	return true, calls
}

// coversObject reports whether the set has a part of an object, and each field that is selected of it.
func (o fieldSet) coversObject(op *graphql.OperationContext, object graphql.CollectedField) bool {
	prefix := object.Name + "."
	return slices.ContainsFunc(o.free, func(name string) bool { return strings.HasPrefix(name, prefix) }) &&
		!slices.ContainsFunc(graphql.CollectFields(op, object.Selections, nil), func(f graphql.CollectedField) bool {
			return f.Name != "__typename" && !slices.Contains(o.free, prefix+f.Name)
		})
}

// selects reports whether a field is selected directly below the current field.
func selects(ctx context.Context, name string) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	return slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name == name })
}

// onlyTypename reports whether at most `__typename` is selected below the current field.
func onlyTypename(ctx context.Context) bool {
	op, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	for _, selection := range field.Selections {
		if f, ok := selection.(*ast.Field); ok && f.Name != "__typename" && len(f.Directives) == 0 {
			return false // the usual case
		}
	}
	return !slices.ContainsFunc(graphql.CollectFields(op, field.Selections, nil), func(f graphql.CollectedField) bool { return f.Name != "__typename" })
}
