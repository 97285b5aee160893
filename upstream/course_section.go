package upstream

import (
	"time"
)

// CourseSection is a section of a course (API.md §5, Courses::Section).
type CourseSection struct {
	Record   `json:",embed"`
	CourseID string `json:"course_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID            string     `json:"workspace_id" scope:"optional"`
	Title                  string     `json:"title"`
	Description            *string    `json:"description"`
	PublishedAt            *time.Time `json:"published_at"`
	SortOrder              *int       `json:"sort_order"`
	DaysTillDripAccess     *int       `json:"days_till_drip_access"`
	IsHiddenFromNonMembers *bool      `json:"is_hidden_from_non_members"`
	CurrentPath            *string    `json:"current_path"`
	UpgradeURL             *string    `json:"upgrade_url"`
	ParentID               *string    `json:"parent_id"`
	BlockerSectionID       *string    `json:"blocker_section_id"`
	BlockerLessonID        *string    `json:"blocker_lesson_id"`
}

func (s *CourseSection) adopt(at Place) { s.WorkspaceID = at.WorkspaceID }
