package demo

import "fmt"

var (
	courseTitles  = []string{"Getting started", "Going further"}
	sectionTitles = []string{"Basics", "Practice"}
	lessonTitles  = []string{"Watch", "Do"}
)

// school holds the tables of courses and enrollments.
type school struct {
	courses, sections, lessons, enrollments *table

	lessonsOf map[int64][]row // by the course's id
}

func (s school) tables() []*table {
	return []*table{s.sections, s.lessons, s.enrollments, s.courses}
}

func (r *fixtures) newSchool() school {
	s := school{courses: r.workspaceTable("courses", nil).omitting("workspace_id"), lessonsOf: make(map[int64][]row)}
	s.sections = childTable(s.courses, "course_id", "courses/*/sections", "courses/sections", nil)
	s.lessons = childTable(s.sections, "section_id", "courses/sections/*/lessons", "courses/lessons", nil)
	s.enrollments = childTable(s.courses, "course_id", "courses/*/enrollments", "courses/enrollments", keys("id", "contact_id"))
	s.enrollments.complete = withContact(r.contacts)
	return s
}

// addCourses adds a workspace's courses and returns them.
func (r *fixtures) addCourses(workspace row) []row {
	all := make([]row, len(courseTitles))
	for i, title := range courseTitles {
		hours := int64(130 + i)
		course := r.courses.appendRow(r.courses.nextRow(80_001, hours), with(nulls(
			"current_path", "sharing_fingerprint", "upgrade_url", "unauthorized_redirect_url", "image_url"), row{
			"workspace_id": workspace.id(), "title": title, "published_at": at(hours + 1), "description": title + ", step by step", "show_in_community": false,
			"show_to_non_members": i == 0, "redirect_to_full_course": true, "comments_enabled": true,
		}))
		root := r.addSection(course, nil, "Root", 0)
		course["root_section_id"] = root.id()
		for n := range sectionTitles { // the last section comes first
			section := r.addSection(course, root, sectionTitles[n], len(sectionTitles)-1-n)
			for k, title := range lessonTitles {
				r.lessonsOf[course.id()] = append(r.lessonsOf[course.id()], r.lessons.appendRow(r.lessons.nextRow(83_001, hours+3), row{
					"section_id": section.id(), "title": title, "body": "<p>" + title + "</p>", "published_at": at(hours + 4), "current_path": nil, "sort_order": k,
				}))
			}
		}
		all[i] = course
	}
	return all
}

func (r *fixtures) addSection(course, parent row, title string, place int) row {
	section := r.sections.appendRow(r.sections.nextRow(81_001, 132), with(nulls(
		"description", "days_till_drip_access", "blocker_section_id", "blocker_lesson_id", "upgrade_url", "parent_id"), row{
		"course_id": course.id(), "title": title, "published_at": at(133), "current_path": fmt.Sprintf("/section-%d", place), "is_hidden_from_non_members": false, "sort_order": place,
	}))
	if parent != nil {
		section["parent_id"] = parent.id()
	}
	return section
}

// enroll enrolls a contact in the first course, and every second contact in both.
func (r *fixtures) enroll(contact row, courses []row, i int) {
	for _, course := range courses[:1+i%2] {
		enrollment := r.enrollments.nextRow(85_001, int64(300+i))
		r.enrollments.appendRow(enrollment, row{
			"contact_id": contact.id(), "course_id": course.id(), "suspended": i%10 == 6, "suspension_reason": nil, "current_path": fmt.Sprintf("/enrollments/%x", enrollment.id()),
			"origination_source_type": "Membership", "origination_source_id": int64(54),
		})
		for k, lesson := range r.lessonsOf[course.id()][:i%4] {
			r.addExample(r.derived["courses/lesson_completions"], course, 86_001, row{
				"enrollment_id": enrollment.id(), "lesson_id": lesson.id(), "completed_at": at(int64(310 + i + 24*k)),
			})
		}
	}
}
