package upstream

import (
	"cmp"
)

// ContactTag is a label of a workspace that contacts can carry (API.md §5,
// Contacts::Tag). Names are unique within a workspace.
type ContactTag struct {
	Record      `json:",embed"`
	WorkspaceID string `json:"workspace_id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
}

func (t *ContactTag) adopt(p Place) { t.WorkspaceID = cmp.Or(t.WorkspaceID, p.WorkspaceID) }
