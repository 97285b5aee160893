package upstream

import (
	"cmp"
	"context"
)

// SalesPipeline is a row of stages that opportunities go through (API.md §5,
// Sales::Pipeline).
type SalesPipeline struct {
	Record      `json:",embed"`
	WorkspaceID string  `json:"workspace_id"`
	Name        string  `json:"name"`
	TotalValue  *string `json:"total_value"`
	// OwnStages are the stages as far as the pipeline tells.
	OwnStages []*SalesPipelineStage `json:"stages"`
}

// Ref returns the pipeline's address.
func (l *SalesPipeline) Ref() Ref {
	return Ref{Kind: KindSalesPipeline, Parent: l.WorkspaceID, ID: l.Key()}
}

func (l *SalesPipeline) adopt(at Place) {
	l.WorkspaceID = cmp.Or(l.WorkspaceID, at.WorkspaceID)
	l.OwnStages = withoutNulls(l.OwnStages)
	for _, stage := range l.OwnStages {
		stage.adopt(Place{WorkspaceID: l.WorkspaceID})
	}
}

// SalesPipelines lists a workspace's pipelines. Filter keys: id.
func (c *Client) SalesPipelines(ctx context.Context, p Place, q Query) (*Page[SalesPipeline], error) {
	return listIn(ctx, c, p, q, (*SalesPipeline).adopt, "workspaces", thisWorkspace, "sales", "pipelines")
}

// SalesPipeline fetches a pipeline by its raw or public id.
func (c *Client) SalesPipeline(ctx context.Context, p Place, id string) (*SalesPipeline, error) {
	return oneIn(ctx, c, p, (*SalesPipeline).adopt, "sales", "pipelines", id)
}
