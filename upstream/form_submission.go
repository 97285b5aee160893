package upstream

import (
	"cmp"
	"context"
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

// Ref returns the submission's address.
func (s *FormSubmission) Ref() Ref {
	return Ref{Kind: KindFormSubmission, Parent: s.WorkspaceID, ID: s.Key()}
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

// FormSubmissions lists what was sent to a workspace. Filter keys: id, page_id,
// contact_id.
func (c *Client) FormSubmissions(ctx context.Context, p Place, q Query) (*Page[FormSubmission], error) {
	return listIn(ctx, c, p, q, (*FormSubmission).adopt, "workspaces", thisWorkspace, "form_submissions")
}

// FormSubmission fetches a submission by its raw or public id.
func (c *Client) FormSubmission(ctx context.Context, p Place, id string) (*FormSubmission, error) {
	return oneIn(ctx, c, p, (*FormSubmission).adopt, "form_submissions", id)
}
