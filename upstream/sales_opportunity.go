package upstream

import (
	"cmp"
	"time"
)

// SalesOpportunity is something that could be sold to a contact (API.md §5,
// Sales::Opportunity).
type SalesOpportunity struct {
	Record           `json:",embed"`
	WorkspaceID      string                  `json:"workspace_id"`
	PipelineID       string                  `json:"pipeline_id"`
	PipelinesStageID string                  `json:"pipelines_stage_id"`
	PrimaryContactID string                  `json:"primary_contact_id"`
	Name             string                  `json:"name"`
	Value            *string                 `json:"value"`
	SortOrder        *int                    `json:"sort_order"`
	ClosedAt         *time.Time              `json:"closed_at"`
	AssigneeID       *string                 `json:"assignee_id"`
	Notes            []*SalesOpportunityNote `json:"notes"`
	InPipeline       *NamedRecord            `json:"pipeline" for:"opportunities"`
	InStage          *NamedRecord            `json:"pipelines_stage"`
	// PrimaryContact is a whole contact (API.md §8, trap 28).
	PrimaryContact *Contact `json:"primary_contact" for:"contact"`
}

// SalesOpportunityNote is a note about an opportunity (API.md §5, Sales::Opportunities::Note).
// An opportunity carries it without its own id.
type SalesOpportunityNote struct {
	Record        `json:",embed"`
	WorkspaceID   string  `json:"workspace_id" scope:"optional"`
	OpportunityID string  `json:"opportunity_id"`
	Content       *string `json:"content"`
	CreatedByID   *string `json:"created_by_id"`
}

func (n *SalesOpportunityNote) adopt(p Place) { n.WorkspaceID = p.WorkspaceID }

// Pipeline returns the opportunity's pipeline as far as the opportunity tells.
func (o *SalesOpportunity) Pipeline() *SalesPipeline {
	return &SalesPipeline{Record: o.InPipeline.record(o.PipelineID), WorkspaceID: o.WorkspaceID, Name: o.InPipeline.text()}
}

// PipelinesStage returns the opportunity's stage as far as the opportunity tells.
func (o *SalesOpportunity) PipelinesStage() *SalesPipelineStage {
	return &SalesPipelineStage{Record: o.InStage.record(o.PipelinesStageID), PipelineID: o.PipelineID, WorkspaceID: o.WorkspaceID, Name: o.InStage.text()}
}

func (o *SalesOpportunity) adopt(at Place) {
	o.WorkspaceID = cmp.Or(o.WorkspaceID, at.WorkspaceID)
	o.Notes = withoutNulls(o.Notes)
	for _, note := range o.Notes {
		note.WorkspaceID, note.OpportunityID = o.WorkspaceID, o.RawID
	}
	if o.PipelineID == "" && o.InPipeline != nil { // as in the API's own examples
		o.PipelineID = o.InPipeline.RawID
	}
	o.PrimaryContact = o.PrimaryContact.within(o.WorkspaceID, o.PrimaryContactID)
}
