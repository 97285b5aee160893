package upstream

import (
	"time"
)

// CourseLesson is a lesson of a section (API.md §5, Courses::Lesson).
type CourseLesson struct {
	Record    `json:",embed"`
	SectionID string `json:"section_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID string     `json:"workspace_id" scope:"optional"`
	Title       string     `json:"title"`
	Body        *string    `json:"body"`
	PublishedAt *time.Time `json:"published_at"`
	SortOrder   *int       `json:"sort_order"`
	CurrentPath *string    `json:"current_path"`
}

func (l *CourseLesson) adopt(at Place) { l.WorkspaceID = at.WorkspaceID }
