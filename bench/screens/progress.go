package screens

import (
	"context"
	"fmt"
	"strings"
)

// courseProgress shows the learners of each course with the lessons that they have completed.
var courseProgress = Screen{
	Name: "course progress",
	Query: `query Progress($workspace: ID!, $subdomain: String) {
  workspace(id: $workspace, subdomain: $subdomain) {
    courses(first: 20) {
      nodes {
        id title
        sections(first: 20) { nodes { id lessons(first: 20) { nodes { id title } } } }
        enrollments(first: 20) { nodes { id contact { firstName lastName } } }
        lessonCompletions(first: 20) { nodes { enrollment { id } lesson { id } } }
      }
    }
  }
}
`,
	Variables: map[string]any{"workspace": workspaceID, "subdomain": subdomain},
	rest: func(ctx context.Context, c *client) ([]string, error) {
		courses, err := list[course](ctx, c, subdomain, "/workspaces/"+workspaceID+"/courses")
		if err != nil {
			return nil, err
		}
		shown, err := each(courses, func(in course) ([]string, error) { return progressOf(ctx, c, in) })
		return flat(shown), err
	},
	show: func(d data) (shown []string) {
		for _, in := range d.Workspace.Courses.Nodes {
			titles, done := make(map[string]string), make(map[string][]string)
			for _, section := range in.Sections.Nodes {
				for _, l := range section.Lessons.Nodes {
					titles[l.ID] = l.Title
				}
			}
			for _, completion := range in.LessonCompletions.Nodes {
				done[completion.Enrollment.ID] = append(done[completion.Enrollment.ID], titles[completion.Lesson.ID])
			}
			for _, e := range in.Enrollments.Nodes {
				shown = append(shown, learner(in.Title, e.Contact.FirstName, e.Contact.LastName, done[e.ID]))
			}
		}
		return shown
	},
}

// learner returns a line of the screen.
func learner(course, first, last string, lessons []string) string {
	return course + ": " + first + " " + last + ": " + strings.Join(lessons, ", ")
}

// progressOf makes all independent calls of a course in parallel. The lessons follow the sections.
func progressOf(ctx context.Context, c *client, in course) (shown []string, err error) {
	var (
		lessons     [][]restLesson
		enrollments []restEnrollment
		completions []restCompletion
	)
	below := fmt.Sprintf("/courses/%d", in.ID)
	err = together(
		func() error {
			sections, err := list[restRecord](ctx, c, subdomain, below+"/sections")
			if err != nil {
				return err
			}
			lessons, err = each(sections, func(s restRecord) ([]restLesson, error) {
				return list[restLesson](ctx, c, subdomain, fmt.Sprintf("/courses/sections/%d/lessons", s.ID))
			})
			return err
		},
		func() (err error) {
			enrollments, err = list[restEnrollment](ctx, c, subdomain, below+"/enrollments")
			return err
		},
		func() (err error) {
			completions, err = list[restCompletion](ctx, c, subdomain, below+"/lesson_completions")
			return err
		},
	)
	titles, done := make(map[int64]string), make(map[int64][]string)
	for _, section := range lessons {
		for _, l := range section {
			titles[l.ID] = l.Title
		}
	}
	for _, completion := range completions {
		done[completion.EnrollmentID] = append(done[completion.EnrollmentID], titles[completion.LessonID])
	}
	for _, e := range enrollments {
		shown = append(shown, learner(in.Title, e.Contact.FirstName, e.Contact.LastName, done[e.ID]))
	}
	return shown, err
}

// The fields of REST responses that the screen shows.
type (
	restRecord struct {
		ID int64 `json:"id"`
	}
	restLesson struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	restEnrollment struct {
		ID      int64   `json:"id"`
		Contact contact `json:"contact"`
	}
	restCompletion struct {
		EnrollmentID int64 `json:"enrollment_id"`
		LessonID     int64 `json:"lesson_id"`
	}
)

// reference is a record with its global id only.
type reference struct {
	ID string `json:"id"`
}

// graphCourse is a course in a GraphQL response.
type graphCourse struct {
	Title    string `json:"title"`
	Sections rows[struct {
		Lessons rows[struct {
			ID    string `json:"id"`
			Title string `json:"title"`
		}] `json:"lessons"`
	}] `json:"sections"`
	Enrollments rows[struct {
		ID      string   `json:"id"`
		Contact graphRow `json:"contact"`
	}] `json:"enrollments"`
	LessonCompletions rows[struct {
		Enrollment reference `json:"enrollment"`
		Lesson     reference `json:"lesson"`
	}] `json:"lessonCompletions"`
}
