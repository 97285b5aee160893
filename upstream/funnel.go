package upstream

import (
	"cmp"
)

// Funnel is a row of pages that a visitor goes through (API.md §5, Funnel).
type Funnel struct {
	Record         `json:",embed"`
	WorkspaceID    string       `json:"workspace_id"`
	Name           string       `json:"name"`
	Archived       *bool        `json:"archived"`
	CurrentPath    string       `json:"current_path"`
	LiveMode       *bool        `json:"live_mode"`
	FaviconImageID *string      `json:"favicon_image_id"`
	Tags           []*FunnelTag `json:"tags" scope:"optional"`
	HeadCode       *string      `json:"head_code" expand:"true"`
	FooterCode     *string      `json:"footer_code" expand:"true"`
}

// FunnelTag is a label of a workspace that funnels can carry (API.md §5, Funnels::Tag). A
// funnel carries it without its times.
type FunnelTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

func (t *FunnelTag) adopt(p Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, p.WorkspaceID) }

func (f *Funnel) adopt(p Place) {
	f.WorkspaceID = cmp.Or(f.WorkspaceID, p.WorkspaceID)
	f.Tags = withoutNulls(f.Tags)
	for _, tag := range f.Tags {
		tag.adopt(Place{WorkspaceID: f.WorkspaceID})
	}
}
