package upstream

import (
	"cmp"
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

func (l *SalesPipeline) adopt(at Place) {
	l.WorkspaceID = cmp.Or(l.WorkspaceID, at.WorkspaceID)
	l.OwnStages = withoutNulls(l.OwnStages)
	for _, stage := range l.OwnStages {
		stage.adopt(Place{WorkspaceID: l.WorkspaceID})
	}
}
