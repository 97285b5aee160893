package upstream

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

func (s *SalesPipelineStage) adopt(at Place) { s.WorkspaceID = at.WorkspaceID }
