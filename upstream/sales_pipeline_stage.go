package upstream

import (
	"context"
)

// SalesPipelineStage is a stage of a pipeline (API.md §5, Sales::Pipelines::Stage). The
// workspace that it names differs from its pipeline's in the API's own examples, so that
// it is not looked at: its pipeline tells.
type SalesPipelineStage struct {
	Record     `json:",embed"`
	PipelineID string `json:"pipeline_id"`
	// WorkspaceID is the raw id of the workspace it was found in.
	WorkspaceID      string   `json:"-"`
	Name             string   `json:"name"`
	SortOrder        *int     `json:"sort_order"`
	CloseProbability *string  `json:"close_probability"`
	TotalValue       *string  `json:"total_value"`
	WeightedValue    *string  `json:"weighted_value"`
	OpportunityIDs   []string `json:"opportunity_ids"`
}

// Ref returns the stage's address.
func (s *SalesPipelineStage) Ref() Ref {
	return Ref{Kind: KindSalesPipelineStage, Parent: s.WorkspaceID, ID: s.Key()}
}

// Owner returns the address of its pipeline.
func (s *SalesPipelineStage) Owner() Ref {
	return Ref{Kind: KindSalesPipeline, Parent: s.WorkspaceID, ID: s.PipelineID}
}

func (s *SalesPipelineStage) adopt(at Place) { s.WorkspaceID = at.WorkspaceID }

// SalesPipelineStages lists the stages of a pipeline, given by its raw or public id.
// Filter keys: id.
func (c *Client) SalesPipelineStages(ctx context.Context, p Place, pipeline string, q Query) (*Page[SalesPipelineStage], error) {
	return listIn(ctx, c, p, q, (*SalesPipelineStage).adopt, "sales", "pipelines", pipeline, "stages")
}

// SalesPipelineStage fetches a stage by its raw or public id.
func (c *Client) SalesPipelineStage(ctx context.Context, p Place, id string) (*SalesPipelineStage, error) {
	return oneIn(ctx, c, p, (*SalesPipelineStage).adopt, "sales", "pipelines", "stages", id)
}
