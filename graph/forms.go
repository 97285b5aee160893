package graph

import (
	"context"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// reorderFormFields sets the order of the fields of a field set. ClickFunnels sends only their ids.
func reorderFormFields(ctx context.Context, input map[string]any) (*model.ReorderFormFieldsPayload, error) {
	var ordered []string
	done, err := writeAndLoad(ctx, input, "formFieldSetId", "formFieldSet", loader.FormFieldSets, upstream.KindFormFieldSet, formFieldSetRefFields, func(set upstream.Ref) (memberCall, error) {
		ids, err := rawIDs(ctx, loader.FormFields, upstream.KindFormField, set.Parent, input["fieldIds"].([]string))
		return func(c *upstream.Client, ctx context.Context, p upstream.Place, id string) (err error) {
			ordered, err = c.ReorderFormFields(ctx, p, id, ids)
			return err
		}, aboutField("fieldIds", err)
	})
	if err != nil {
		return nil, err
	}
	return &model.ReorderFormFieldsPayload{FormFieldSet: done.Record, OrderedFieldIds: ordered, UserErrors: done.UserErrors}, nil
}
