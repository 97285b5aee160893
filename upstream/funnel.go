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
	Tags           []*FunnelTag `json:"tags"`
	HeadCode       *string      `json:"head_code" expand:"true"`
	FooterCode     *string      `json:"footer_code" expand:"true"`
}

// FunnelTag is a label of a funnel as the funnel itself carries it.
type FunnelTag struct {
	RawID       string  `json:"id"`
	PublicID    *string `json:"public_id"`
	Name        string  `json:"name"`
	Color       string  `json:"color"`
	WorkspaceID string  `json:"workspace_id" scope:"optional"`
}

func (f *Funnel) adopt(p Place) {
	f.WorkspaceID = cmp.Or(f.WorkspaceID, p.WorkspaceID)
	f.Tags = withoutNulls(f.Tags)
}
