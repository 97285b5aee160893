package upstream

import (
	"context"
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

// Ref returns the section's address.
func (s *CourseSection) Ref() Ref {
	return Ref{Kind: KindCourseSection, Parent: s.WorkspaceID, ID: s.Key()}
}

// Owner returns the address of its course.
func (s *CourseSection) Owner() Ref {
	return Ref{Kind: KindCourse, Parent: s.WorkspaceID, ID: s.CourseID}
}

func (s *CourseSection) adopt(at Place) { s.WorkspaceID = at.WorkspaceID }

// CourseSections lists the sections of a course, given by its raw or public id. The list
// holds the hidden root section as well, and has no filter.
func (c *Client) CourseSections(ctx context.Context, p Place, course string, q Query) (*Page[CourseSection], error) {
	return listIn(ctx, c, p, q, (*CourseSection).adopt, "courses", course, "sections")
}

// CourseSection fetches a section by its raw or public id.
func (c *Client) CourseSection(ctx context.Context, p Place, id string) (*CourseSection, error) {
	return oneIn(ctx, c, p, (*CourseSection).adopt, "courses", "sections", id)
}
