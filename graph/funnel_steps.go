package graph

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/funnelgraph/funnelgraph/graph/loader"
	"github.com/funnelgraph/funnelgraph/graph/model"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// Writes of the steps of funnels that the description in schema/ names as hand-written.

// splitTestPages completes the body of a split test step.
func splitTestPages(ctx context.Context, workspace string, body map[string]any) error {
	return completions(branchPages("variants"), stepID)(ctx, workspace, body)
}

// conditionalSplitBody completes the body of a conditional split step. Its filter is given by its
// public id (clickfunnels-api.md §1).
func conditionalSplitBody(ctx context.Context, workspace string, body map[string]any) error {
	err := completions(branchPages("branches"), stepID, publicID("filterId", "filter_id", loader.RefineFilters, upstream.KindRefineFilter))(ctx, workspace, body)
	if id, given := body["filter_id"]; given && err == nil {
		delete(body, "filter_id")
		body["condition"] = map[string]any{"filter_id": id}
	}
	return err
}

// branchPages returns a completion that replaces the ids of pages in a list of branches by raw ids.
func branchPages(field string) completion {
	return within(field, completions(
		recordID("pageId", "page_id", loader.Pages, upstream.KindPage),
		recordIDs("pageIds", "page_ids", loader.Pages, upstream.KindPage),
	))
}

// stepID is a completion that turns the raw id of a step that shows a page into a number.
func stepID(_ context.Context, _ string, body map[string]any) error {
	if id, _ := body["show_page_step_id"].(*string); id != nil && upstream.IsRawID(*id) {
		body["show_page_step_id"] = jsontext.Value(*id)
	}
	return nil
}

func deleteSplitTestStep(ctx context.Context, input map[string]any) (*model.DeleteSplitTestStepPayload, error) {
	deleted, err := removeBranch(ctx, input, loader.SplitTestSteps, upstream.KindSplitTestStep, (*upstream.Client).DeleteSplitTestStep)
	if err != nil {
		return nil, err
	}
	return &model.DeleteSplitTestStepPayload{DeletedSplitTestStepID: deleted.ID, UserErrors: deleted.UserErrors}, nil
}

func deleteConditionalSplitStep(ctx context.Context, input map[string]any) (*model.DeleteConditionalSplitStepPayload, error) {
	deleted, err := removeBranch(ctx, input, loader.ConditionalSplitSteps, upstream.KindConditionalSplitStep, (*upstream.Client).DeleteConditionalSplitStep)
	if err != nil {
		return nil, err
	}
	return &model.DeleteConditionalSplitStepPayload{DeletedConditionalSplitStepID: deleted.ID, UserErrors: deleted.UserErrors}, nil
}

// removeBranch deletes a branch of a step, or the step.
func removeBranch[T any, P interface {
	*T
	model.Node
}](ctx context.Context, input map[string]any, records *loader.Resource[T], kind upstream.Kind, by func(*upstream.Client, context.Context, upstream.Place, string, string) error) (*model.Deleted, error) {
	branch := ""
	if given := optional(input, "branch"); given != nil {
		branch = *given
	}
	return remove[T, P](ctx, input, records, kind, func(c *upstream.Client, ctx context.Context, p upstream.Place, id string) error {
		return by(c, ctx, p, id, branch)
	})
}
