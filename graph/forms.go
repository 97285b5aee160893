package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// reorderFormFields sets the order of the fields of a field set.
func reorderFormFields(ctx context.Context, input map[string]any) (*model.ReorderFormFieldsPayload, error) {
	var ordered []string
	var ref upstream.Ref
	done, err := writeResult(ctx, func(l *loader.Loaders) (_ *upstream.FormFieldSet, err error) {
		ref, err = target(l, loader.FormFieldSets, upstream.KindFormFieldSet, optional(input, "workspaceId"), input["formFieldSetId"].(string))
		if err != nil {
			return nil, err
		}
		ids, err := rawIDs(ctx, loader.FormFields, upstream.KindFormField, ref.Parent, input["fieldIds"].([]string))
		if err != nil {
			return nil, aboutField("fieldIds", err)
		}
		return loader.Write(l, loader.FormFieldSets, ref.Parent, func(ctx context.Context, c *upstream.Client, p upstream.Place) (*upstream.FormFieldSet, error) {
			if ordered, err = c.ReorderFormFields(ctx, p, ref.ID, ids); err != nil {
				return nil, err
			}
			return upstream.NewRecord[upstream.FormFieldSet](ref), nil
		})
	})
	if err != nil {
		return nil, err
	}
	if done.Record != nil { // ClickFunnels sends only the ids
		done.Record = payloadRecord(ctx, loader.From(ctx), "formFieldSet", loader.FormFieldSets, formFieldSetRefFields, ref)
	}
	return &model.ReorderFormFieldsPayload{FormFieldSet: done.Record, OrderedFieldIds: ordered, UserErrors: done.UserErrors}, nil
}
