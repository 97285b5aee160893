package upstream

import (
	"time"
)

// Course is what contacts can learn (API.md §5, Course). It does not say which workspace
// it belongs to.
type Course struct {
	Record `json:",embed"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID             string     `json:"workspace_id" scope:"optional"`
	Title                   string     `json:"title"`
	Description             *string    `json:"description"`
	PublishedAt             *time.Time `json:"published_at"`
	CurrentPath             *string    `json:"current_path"`
	ImageURL                *string    `json:"image_url"`
	ShowInCommunity         *bool      `json:"show_in_community"`
	ShowToNonMembers        *bool      `json:"show_to_non_members"`
	CommentsEnabled         *bool      `json:"comments_enabled"`
	UpgradeURL              *string    `json:"upgrade_url"`
	RedirectToFullCourse    *bool      `json:"redirect_to_full_course"`
	UnauthorizedRedirectURL *string    `json:"unauthorized_redirect_url"`
	SharingFingerprint      *string    `json:"sharing_fingerprint"`
	RootSectionID           *string    `json:"root_section_id"`
}

func (o *Course) adopt(at Place) { o.WorkspaceID = at.WorkspaceID }
