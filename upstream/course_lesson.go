package upstream

import (
	"context"
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

// Ref returns the lesson's address.
func (l *CourseLesson) Ref() Ref {
	return Ref{Kind: KindCourseLesson, Parent: l.WorkspaceID, ID: l.Key()}
}

// Owner returns the address of its section.
func (l *CourseLesson) Owner() Ref {
	return Ref{Kind: KindCourseSection, Parent: l.WorkspaceID, ID: l.SectionID}
}

func (l *CourseLesson) adopt(at Place) { l.WorkspaceID = at.WorkspaceID }

// CourseLessons lists the lessons of a section, given by its raw or public id. There is
// no filter.
func (c *Client) CourseLessons(ctx context.Context, p Place, section string, q Query) (*Page[CourseLesson], error) {
	return listIn(ctx, c, p, q, (*CourseLesson).adopt, "courses", "sections", section, "lessons")
}

// CourseLesson fetches a lesson by its raw or public id.
func (c *Client) CourseLesson(ctx context.Context, p Place, id string) (*CourseLesson, error) {
	return oneIn(ctx, c, p, (*CourseLesson).adopt, "courses", "lessons", id)
}
