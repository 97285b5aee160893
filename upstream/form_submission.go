package upstream

import (
	"cmp"
)

// FormSubmission is what a visitor has sent by a form of a page (API.md §5,
// FormSubmission): a log, which cannot be changed.
type FormSubmission struct {
	Record      `json:",embed"`
	WorkspaceID string           `json:"workspace_id"`
	ContactID   string           `json:"contact_id"`
	PageID      string           `json:"page_id"`
	Data        CustomAttributes `json:"data"`
}

func (s *FormSubmission) adopt(p Place) { s.WorkspaceID = cmp.Or(s.WorkspaceID, p.WorkspaceID) }

// Page returns the page that the form is on, as far as the submission tells.
func (s *FormSubmission) Page() *WebPage {
	return &WebPage{Record: Record{RawID: s.PageID}, WorkspaceID: s.WorkspaceID}
}

// Answers are the fields of the form, in the order they were sent.
func (s *FormSubmission) Answers() []*CustomAttribute {
	return append([]*CustomAttribute{}, s.Data...)
}
