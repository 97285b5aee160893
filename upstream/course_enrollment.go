package upstream

// CourseEnrollment is the fact that a contact takes a course (API.md §5,
// Courses::Enrollment).
type CourseEnrollment struct {
	Record    `json:",embed"`
	CourseID  string `json:"course_id"`
	ContactID string `json:"contact_id"`
	// WorkspaceID is the raw id of the workspace it was found in, which ClickFunnels
	// mostly does not send with it.
	WorkspaceID           string  `json:"workspace_id" scope:"optional"`
	Suspended             *bool   `json:"suspended"`
	SuspensionReason      *string `json:"suspension_reason"`
	CurrentPath           *string `json:"current_path"`
	OriginationSourceType *string `json:"origination_source_type"`
	OriginationSourceID   *string `json:"origination_source_id"`
	// Contact is who is enrolled, with the ids, the names and how to reach them (2026);
	// nil if the enrolment does not tell.
	Contact *Contact `json:"contact"`
}

func (e *CourseEnrollment) adopt(at Place) {
	e.WorkspaceID = at.WorkspaceID
	e.Contact = e.Contact.within(e.WorkspaceID, e.ContactID)
}
